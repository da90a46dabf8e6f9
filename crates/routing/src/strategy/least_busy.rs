//! The fewest requests in flight, ties at random.

use super::{Usable, sorted_by};

pub(super) fn order(usable: &[Usable], draw: &mut dyn FnMut() -> f64) -> Vec<usize> {
    sorted_by(usable, draw, |(_, view)| view.in_flight)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{busy, deployment};
    use super::order;

    #[test]
    fn a_unique_minimum_always_wins() {
        let d = |id: &str| deployment(id, |_| {});
        let usable = [(d("a"), busy(3, 0)), (d("b"), busy(1, 0)), (d("c"), busy(2, 0))];
        assert_eq!(order(&usable, &mut || 0.0), [1, 2, 0]);
    }
}

//! The lowest price of a prompt and a completion token together, ties at random.

use super::{Usable, sorted_by};

/// USD per token, in and out each, where the price is unknown: `LiteLLM`'s figure, above all real ones.
const UNKNOWN: f64 = 5.0;

pub(super) fn order(usable: &[Usable], draw: &mut dyn FnMut() -> f64) -> Vec<usize> {
    sorted_by(usable, draw, |(d, _)| d.price.map_or(2.0 * UNKNOWN, |price| price.input + price.output))
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::usage::Price;

    use super::super::sample::{busy, deployment};
    use super::order;

    #[test]
    fn the_cheapest_first_and_the_unknown_last() {
        let priced =
            |id: &str, input| deployment(id, |d| d.price = Some(Price { input, output: 1e-6, ..Price::default() }));
        let usable =
            [(deployment("a", |_| {}), busy(0, 0)), (priced("b", 3e-6), busy(0, 0)), (priced("c", 1e-6), busy(0, 0))];
        assert_eq!(order(&usable, &mut || 0.0), [2, 1, 0]);
    }
}

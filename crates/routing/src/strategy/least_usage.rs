//! The fewest tokens in the window, as a share of tpm when every candidate has one.

use super::{Usable, sorted_by};

/// Ties go to the fewest in flight, then at random.
pub(super) fn order(usable: &[Usable], draw: &mut dyn FnMut() -> f64) -> Vec<usize> {
    let all_have_tpm = usable.iter().all(|(d, _)| d.limits.tpm.is_some_and(|tpm| tpm > 0));
    #[expect(clippy::cast_precision_loss, reason = "token counts of a minute are far below 2^53")]
    sorted_by(usable, draw, |(deployment, view)| {
        let tokens = view.usage.tokens() as f64;
        let share = match deployment.limits.tpm {
            Some(tpm) if all_have_tpm => tokens / f64::from(tpm),
            _ => tokens,
        };
        (share, view.in_flight)
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{busy, deployment};
    use super::order;

    #[test]
    fn tokens_then_in_flight_then_chance() {
        let with_tpm = |id: &str, tpm| deployment(id, |d| d.limits.tpm = tpm);
        let usable = [(with_tpm("a", None), busy(0, 50)), (with_tpm("b", Some(10)), busy(0, 40))];
        assert_eq!(order(&usable, &mut || 0.5), [1, 0], "counts, as one has no tpm");
        let usable = [(with_tpm("a", Some(1000)), busy(0, 50)), (with_tpm("b", Some(10)), busy(0, 5))];
        assert_eq!(order(&usable, &mut || 0.5), [0, 1], "shares");
        let usable = [(with_tpm("a", None), busy(2, 5)), (with_tpm("b", None), busy(1, 5))];
        assert_eq!(order(&usable, &mut || 0.5), [1, 0]);
        let usable = [(with_tpm("a", None), busy(0, 5)), (with_tpm("b", None), busy(0, 5))];
        let mut draws = [0.9, 0.1].into_iter();
        assert_eq!(order(&usable, &mut || draws.next().unwrap()), [1, 0]);
    }
}

//! The lowest expected latency, requests in flight counted in.
//!
//! Score: `max(TTFT + n · time per token, age of the oldest request without a token)
//! · (in flight + 1) / weight`, with `n` the usual length of a reply. With many candidates the
//! first place goes to the better of two drawn at random, so that a fleet that sees the same
//! figures does not run at the same deployment (Mitzenmacher's two choices).

use super::Usable;

/// Up to this many candidates are all looked at.
const FULL_SCAN: usize = 3;

pub(super) fn order(usable: &[Usable], buffer: f64, draw: &mut dyn FnMut() -> f64) -> Vec<usize> {
    let tokens = usual_tokens(usable);
    let scores: Vec<f64> = usable.iter().map(|u| score(u, tokens)).collect();
    let mut order = super::sorted_by(usable, draw, |_| 0_u8);
    // Shuffled first, so that a stable sort leaves ties in random order.
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let best = scores[order[0]] * (1.0 + buffer.max(0.0));
    let as_good = order.iter().take_while(|i| scores[**i] <= best).count();
    if as_good > 1 {
        let drawn = place(draw(), as_good);
        order[..as_good].rotate_left(drawn);
    } else if usable.len() > FULL_SCAN {
        // Two places by sorted rank: the better of the two is the smaller.
        let first = place(draw(), usable.len());
        let second = place(draw(), usable.len());
        let winner = order.remove(first.min(second));
        order.insert(0, winner);
    }
    order
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a sample of [0, 1) times a small count"
)]
fn place(sample: f64, count: usize) -> usize {
    ((sample * count as f64) as usize).min(count - 1)
}

fn score((deployment, view): &Usable, tokens: f64) -> f64 {
    let expected = view.latency.map_or(0.0, |latency| latency.expected_ms(tokens));
    let waiting = view.oldest_waiting.as_secs_f64() * 1000.0;
    let weight = deployment.weight.filter(|weight| *weight > 0.0).unwrap_or(1.0);
    // At least a millisecond, so that requests in flight count even where nothing was measured.
    expected.max(waiting).max(1.0) * f64::from(view.in_flight.saturating_add(1)) / weight
}

/// The usual length of a reply over those that have been measured.
fn usual_tokens(usable: &[Usable]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for latency in usable.iter().filter_map(|(_, view)| view.latency) {
        sum += latency.tokens;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{deployment, paced};
    use super::order;

    fn check(members: &[(f64, u32)], buffer: f64, draws: &[f64]) -> Vec<usize> {
        let usable: Vec<_> =
            members.iter().map(|(ms, in_flight)| (deployment("d", |_| {}), paced(*ms, *in_flight))).collect();
        let mut draws = draws.iter().copied().cycle();
        order(&usable, buffer, &mut || draws.next().unwrap())
    }

    #[test]
    fn fast_and_free_first() {
        assert_eq!(check(&[(900.0, 0), (300.0, 0)], 0.0, &[0.0]), [1, 0]);
        assert_eq!(check(&[(900.0, 0), (300.0, 3)], 0.0, &[0.0]), [0, 1], "four times 300 is more than 900");
    }

    #[test]
    fn within_the_buffer_all_are_as_good() {
        assert_eq!(check(&[(100.0, 0), (109.0, 0)], 0.1, &[0.0, 0.0, 0.9]), [1, 0]);
        assert_eq!(check(&[(100.0, 0), (111.0, 0)], 0.1, &[0.0, 0.0, 0.9]), [0, 1]);
    }

    #[test]
    fn of_many_the_better_of_two() {
        let members = [(500.0, 0), (400.0, 0), (300.0, 0), (200.0, 0), (100.0, 0)];
        assert_eq!(check(&members, 0.0, &[0.7])[0], 1, "both draws at rank 3: the one of 400 ms");
    }
}

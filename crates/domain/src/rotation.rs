//! Turns by weight, exactly: the smooth weighted order of nginx, laid out once.

/// A cycle of turns in which every member comes up exactly in proportion to its weight, spread
/// as evenly as can be. Turn `n` of the cycle is a pure function of `n`, so that a fleet needs to
/// share nothing but a counter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rotation {
    turns: Box<[u16]>,
}

/// The longest cycle. Weights whose smallest common cycle is longer are rounded to it.
const LONGEST_CYCLE: u64 = 10_000;

impl Rotation {
    /// The cycle for `weights` (at most 65,536 of them). Members of weight zero, negative or not
    /// finite never come up; when that leaves nobody the rotation is empty.
    pub fn new(weights: &[f64]) -> Self {
        let shares = whole_shares(weights);
        let total: i64 = shares.iter().sum();
        let mut credit = vec![0_i64; shares.len()];
        let mut turns = Vec::with_capacity(usize::try_from(total).unwrap_or_default());
        for _ in 0..total {
            let mut best = 0;
            for (i, share) in shares.iter().enumerate() {
                credit[i] += share;
                if credit[i] > credit[best] {
                    best = i;
                }
            }
            credit[best] -= total;
            turns.push(u16::try_from(best).unwrap_or_default());
        }
        Self { turns: turns.into_boxed_slice() }
    }

    /// Whose turn it is at `ticket`; `None` when nobody has a weight.
    pub fn at(&self, ticket: u64) -> Option<usize> {
        let len = self.turns.len() as u64;
        if len == 0 {
            return None;
        }
        let at = usize::try_from(ticket % len).unwrap_or_default();
        Some(usize::from(self.turns[at]))
    }

    /// Members in the order in which they come up from `ticket` on, each once.
    pub fn order_from(&self, ticket: u64) -> Vec<usize> {
        let mut order = Vec::new();
        for step in 0..self.turns.len() as u64 {
            if let Some(member) = self.at(ticket.wrapping_add(step))
                && !order.contains(&member)
            {
                order.push(member);
            }
        }
        order
    }

    /// Turns in a cycle.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether nobody has a weight.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

/// `weights` as the smallest whole numbers in the same proportion, at most [`LONGEST_CYCLE`] in all.
#[expect(clippy::cast_possible_truncation, reason = "shares are at most 1e12")]
fn whole_shares(weights: &[f64]) -> Vec<i64> {
    let clean: Vec<f64> = weights.iter().map(|w| if w.is_finite() && *w > 0.0 { *w } else { 0.0 }).collect();
    let total: f64 = clean.iter().sum();
    if total <= 0.0 {
        return vec![0; weights.len()];
    }
    // The first scale at which every weight is whole; the longest cycle when there is none.
    let exact = [1.0, 10.0, 100.0, 1000.0, 10_000.0]
        .into_iter()
        .find(|scale| clean.iter().all(|w| (w * scale - (w * scale).round()).abs() < 1e-9) && total * scale <= 1e12);
    let shares: Vec<i64> = match exact {
        Some(scale) => clean.iter().map(|w| (w * scale).round() as i64).collect(),
        None => round_to(&clean, total),
    };
    let divisor = shares.iter().copied().fold(0, gcd).max(1);
    let shares: Vec<i64> = shares.into_iter().map(|share| share / divisor).collect();
    if shares.iter().sum::<i64>() > LONGEST_CYCLE as i64 { round_to(&clean, total) } else { shares }
}

/// `weights` rounded to a cycle of [`LONGEST_CYCLE`]; nobody with a weight rounds to nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "each share is at most LONGEST_CYCLE")]
fn round_to(weights: &[f64], total: f64) -> Vec<i64> {
    weights
        .iter()
        .map(|w| if *w > 0.0 { ((w / total * LONGEST_CYCLE as f64).round() as i64).max(1) } else { 0 })
        .collect()
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::Rotation;
    use proptest::prelude::*;

    fn turns(weights: &[f64], n: u64) -> String {
        let rotation = Rotation::new(weights);
        (0..n).filter_map(|ticket| rotation.at(ticket)).map(|i| char::from(b'a' + u8::try_from(i).unwrap())).collect()
    }

    #[test]
    fn turns_are_spread_by_weight() {
        assert_eq!(turns(&[1.0, 1.0], 4), "abab");
        assert_eq!(turns(&[5.0, 1.0, 1.0], 7), "aabacaa");
        assert_eq!(turns(&[0.7, 0.3], 10), "abaaabaaba");
        assert_eq!(turns(&[0.0, 2.0], 3), "bbb");
        assert_eq!(turns(&[0.0, -1.0, f64::NAN], 3), "");
    }

    #[test]
    fn weights_without_a_short_cycle_are_rounded() {
        let rotation = Rotation::new(&[1.0 / 3.0, 2.0 / 3.0]);
        assert!(rotation.len() <= 10_001);
        assert_eq!(Rotation::new(&[1.0, 1e9]).order_from(0).len(), 2);
    }

    proptest! {
        /// In any run of turns every member has its share to within one turn a cycle.
        #[test]
        fn every_run_is_within_one_turn(
            weights in proptest::collection::vec(0_u32..20, 1..8),
            start in 0_u64..500,
            run in 0_u64..300,
        ) {
            let weights: Vec<f64> = weights.iter().map(|w| f64::from(*w)).collect();
            let total: f64 = weights.iter().sum();
            prop_assume!(total > 0.0);
            let rotation = Rotation::new(&weights);
            let mut seen = vec![0.0; weights.len()];
            for ticket in start..start + run {
                seen[rotation.at(ticket).unwrap()] += 1.0;
            }
            #[expect(clippy::cast_precision_loss, reason = "small")]
            for (count, weight) in seen.iter().zip(&weights) {
                let share = run as f64 * weight / total;
                let spread = weights.len() as f64;
                prop_assert!((count - share).abs() <= spread, "{count} of {share}");
            }
            // A whole cycle is exact.
            let mut cycle = vec![0.0; weights.len()];
            for ticket in start..start + rotation.len() as u64 {
                cycle[rotation.at(ticket).unwrap()] += 1.0;
            }
            #[expect(clippy::cast_precision_loss, reason = "small")]
            for (count, weight) in cycle.iter().zip(&weights) {
                prop_assert!((count - rotation.len() as f64 * weight / total).abs() < 1e-6);
            }
        }
    }
}

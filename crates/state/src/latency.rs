//! How fast a deployment has been: averages that forget by time.
//!
//! Weight of the past `exp(−Δt/τ)`. Time to first token and time per token are kept apart, so
//! that the length of replies does not look like slowness. What is old is drawn towards the
//! group's median, never to zero: a slow deployment that is seldom asked must not look fast.

use std::time::Duration;

use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::Latency;

use crate::LatencySample;

/// The time constant: longer than the slowest usual reply.
const TAU_SECS: f64 = 30.0;
/// The least a failure counts for, in ms: a fast failure must not attract traffic.
const PENALTY_MS: f64 = 5000.0;

/// The averages of one deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    average: Latency,
    updated: Timestamp,
}

impl Pace {
    /// Averages as they were at `updated`.
    pub const fn new(average: Latency, updated: Timestamp) -> Self {
        Self { average, updated }
    }

    /// Takes a sample into account.
    pub fn sample(pace: Option<Self>, sample: &LatencySample, now: Timestamp) -> Self {
        Self::blend(pace, measured(sample), now)
    }

    /// Takes a failure into account: at least the penalty, at least what it has been.
    pub fn penalty(pace: Option<Self>, now: Timestamp) -> Self {
        let known = pace.map(|pace| pace.average);
        let tokens = known.map_or(1.0, |known| known.tokens);
        let expected = known.map_or(0.0, |known| known.expected_ms(tokens));
        let fresh = Latency { first_token_ms: PENALTY_MS.max(expected), per_token_ms: 0.0, tokens };
        Self::blend(pace, fresh, now)
    }

    fn blend(pace: Option<Self>, fresh: Latency, now: Timestamp) -> Self {
        let Some(pace) = pace else { return Self { average: fresh, updated: now } };
        // Samples of one instant still move it.
        let keep = (-now.since(pace.updated).as_secs_f64() / TAU_SECS).exp().min(0.9);
        Self { average: mix(pace.average, fresh, keep), updated: now }
    }

    /// The estimate at `now`, drawn towards `median` as the last sample ages.
    pub fn at(&self, now: Timestamp, median: Latency) -> Latency {
        let keep = (-now.since(self.updated).as_secs_f64() / TAU_SECS).exp();
        mix(self.average, median, keep)
    }

    /// The plain average.
    pub const fn average(&self) -> Latency {
        self.average
    }

    /// When it took the last sample in.
    pub const fn updated(&self) -> Timestamp {
        self.updated
    }
}

/// What one reply says about the speed.
pub(crate) fn measured(sample: &LatencySample) -> Latency {
    let tokens = f64::from(sample.tokens.max(1));
    if sample.is_stream {
        let rest = f64::from(sample.tokens.saturating_sub(1).max(1));
        return Latency { first_token_ms: ms(sample.first_token), per_token_ms: ms(sample.rest) / rest, tokens };
    }
    // A whole reply does not tell when its first token was there: all is time per token.
    let whole = ms(sample.first_token) + ms(sample.rest);
    Latency { first_token_ms: 0.0, per_token_ms: whole / tokens, tokens }
}

/// The median of what is known of a group, member by member; `None` when nothing is.
pub fn median(paces: &[Option<Pace>]) -> Option<Latency> {
    let mut known: Vec<Latency> = paces.iter().flatten().map(Pace::average).collect();
    if known.is_empty() {
        return None;
    }
    known.sort_by(|a, b| a.expected_ms(a.tokens).total_cmp(&b.expected_ms(b.tokens)));
    Some(known[known.len() / 2])
}

fn mix(a: Latency, b: Latency, keep: f64) -> Latency {
    let mix = |a: f64, b: f64| a * keep + b * (1.0 - keep);
    Latency {
        first_token_ms: mix(a.first_token_ms, b.first_token_ms),
        per_token_ms: mix(a.per_token_ms, b.per_token_ms),
        tokens: mix(a.tokens, b.tokens),
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weighbridge_domain::time::Timestamp;

    use super::{Pace, median};
    use crate::LatencySample;

    fn stream(first_ms: u64) -> LatencySample {
        let first_token = Duration::from_millis(first_ms);
        LatencySample { first_token, rest: Duration::ZERO, tokens: 10, is_stream: true }
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    #[test]
    fn old_samples_fade_towards_the_median_not_to_zero() {
        let slow = Pace::sample(None, &stream(9000), at(0));
        let fast = Pace::sample(None, &stream(100), at(0));
        let middle = median(&[Some(slow), Some(fast), Some(fast)]).unwrap();
        let after = |secs| slow.at(at(secs), middle).first_token_ms;
        assert!((after(0) - 9000.0).abs() < 1.0 && after(30) < 9000.0 / 2.0);
        assert!((after(100_000) - 100.0).abs() < 1.0, "the group's median");
    }

    #[test]
    fn a_fast_failure_does_not_look_fast() {
        let pace = Pace::sample(None, &stream(200), at(0));
        let failed = Pace::penalty(Some(pace), at(30));
        assert!(failed.average().first_token_ms > 3000.0, "{failed:?}");
        assert!(Pace::penalty(None, at(0)).average().first_token_ms >= 5000.0);
    }

    #[test]
    fn length_is_not_slowness() {
        let whole = |secs, tokens| LatencySample {
            first_token: Duration::from_secs(secs),
            rest: Duration::ZERO,
            tokens,
            is_stream: false,
        };
        let short = Pace::sample(None, &whole(1, 100), at(0)).average();
        let long = Pace::sample(None, &whole(10, 1000), at(0)).average();
        assert!((short.per_token_ms - long.per_token_ms).abs() < 1e-9);
    }
}

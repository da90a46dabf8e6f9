//! How evenly a limit is spent inside its minute: the generic cell rate algorithm.
//!
//! For each limit there is a theoretical arrival time (ITU-T I.371): the instant at which everything
//! granted so far would have been used up at the limit's rate. A request may come while that lies
//! less than `burst` ahead. Times are in ms since the Unix epoch, as `f64` so that the same
//! arithmetic can be done in a Redis script.

use weighbridge_domain::limits::{Limits, Smoothing, Tokens};
use weighbridge_domain::time::{Timestamp, millis};

/// A minute in ms.
const MINUTE_MS: f64 = 60_000.0;

/// The two theoretical arrival times of a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Smoother {
    requests_ms: f64,
    tokens_ms: f64,
}

impl Smoother {
    /// When one more request of `tokens` may come; not after `now` when it may come at once.
    pub fn opens_at(&self, limits: &Limits, tokens: Tokens, now: Timestamp) -> Timestamp {
        let Some(smoothing) = limits.smoothing else { return now };
        let opens = |arrival_ms: f64, cost_ms: f64, burst_ms: f64| {
            // What is larger than the burst passes once everything before it has been used up.
            if cost_ms > burst_ms { arrival_ms } else { arrival_ms + cost_ms - burst_ms }
        };
        let burst_ms = burst_ms(smoothing);
        let requests = request_ms(limits).map(|cost| opens(self.requests_ms, cost, burst_ms.max(cost)));
        let tokens = tokens_ms(limits, tokens).map(|cost| opens(self.tokens_ms, cost, burst_ms));
        let latest = requests.into_iter().chain(tokens).fold(0.0, f64::max);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ms since the epoch, not negative")]
        now.max(Timestamp::from_millis(latest.ceil() as u64))
    }

    /// Takes one request of `tokens` into account.
    pub fn take(&mut self, limits: &Limits, tokens: Tokens, now: Timestamp) {
        if limits.smoothing.is_none() {
            return;
        }
        let now_ms = float(now.as_millis());
        if let Some(cost) = request_ms(limits) {
            self.requests_ms = self.requests_ms.max(now_ms) + cost;
        }
        if let Some(cost) = tokens_ms(limits, tokens) {
            self.tokens_ms = self.tokens_ms.max(now_ms) + cost;
        }
    }
}

fn burst_ms(smoothing: Smoothing) -> f64 {
    float(millis(smoothing.burst))
}

/// What a request takes of `rpm`, as time.
fn request_ms(limits: &Limits) -> Option<f64> {
    limits.rpm.filter(|rpm| *rpm > 0).map(|rpm| MINUTE_MS / f64::from(rpm))
}

/// What `tokens` take of `tpm`, as time.
fn tokens_ms(limits: &Limits, tokens: Tokens) -> Option<f64> {
    limits.tpm.filter(|tpm| *tpm > 0).map(|tpm| float(tokens.total()) * MINUTE_MS / f64::from(tpm))
}

#[expect(clippy::cast_precision_loss, reason = "ms and tokens are far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weighbridge_domain::limits::{Limits, Smoothing, Tokens};
    use weighbridge_domain::time::Timestamp;

    use super::Smoother;

    fn limits(rpm: u32, tpm: Option<u32>, burst_ms: u64) -> Limits {
        let burst = Duration::from_millis(burst_ms);
        Limits { rpm: Some(rpm), tpm, smoothing: Some(Smoothing { burst, patience: burst }), ..Limits::default() }
    }

    /// How many requests of `tokens` come through at once, and how long the next has to wait, in ms.
    fn burst(limits: &Limits, tokens: u32) -> (u32, u64) {
        let (now, tokens) = (Timestamp::from_millis(1_000_000), Tokens { input: tokens, output: 0 });
        let mut smoother = Smoother::default();
        let mut passed = 0;
        while smoother.opens_at(limits, tokens, now) <= now {
            smoother.take(limits, tokens, now);
            passed += 1;
        }
        (passed, smoother.opens_at(limits, tokens, now).since(now).as_millis().try_into().unwrap())
    }

    #[test]
    fn a_burst_is_its_share_of_the_rate_and_at_least_one() {
        assert_eq!(burst(&limits(600, None, 1000), 5), (10, 100));
        assert_eq!(burst(&limits(6, None, 1000), 5), (1, 10_000));
        assert_eq!(burst(&limits(100, None, 6000), 5), (10, 600));
    }

    #[test]
    fn tokens_are_spread_too_and_what_is_larger_than_a_burst_passes_alone() {
        assert_eq!(burst(&limits(60_000, Some(6000), 1000), 50), (2, 500));
        assert_eq!(burst(&limits(60_000, Some(6000), 1000), 900), (1, 9000));
    }
}

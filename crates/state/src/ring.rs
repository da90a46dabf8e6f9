//! The usage window: 61 one-second buckets, so that no 60 s interval can exceed a limit.
//!
//! A grant at time t lies in the bucket of its second. Every interval of 60 s touches at most 61
//! seconds, and all of them are still counted when the last grant of the interval is checked. So
//! what the sum admits is an upper bound for *any* 60 s; the price is 1/61 of the rate.

use std::time::Duration;

use weighbridge_domain::limits::{Feedback, Limits, Tokens};
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::WindowUsage;

use crate::Counted;

/// Buckets that count.
const LIVE: u64 = 61;
/// Buckets there are; a power of two, so that a second's place is a mask away.
const SLOTS: usize = 64;

/// What one deployment was granted, second by second.
#[derive(Debug, Clone)]
pub struct Ring {
    buckets: [WindowUsage; SLOTS],
    sum: WindowUsage,
    /// The second the ring has been rolled to.
    now: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self { buckets: [WindowUsage::default(); SLOTS], sum: WindowUsage::default(), now: 0 }
    }
}

impl Ring {
    /// Forgets what has left the window. A clock that goes back forgets nothing.
    pub fn roll(&mut self, now: Timestamp) {
        let now = now.as_secs();
        if now <= self.now {
            return;
        }
        if now - self.now >= LIVE {
            *self = Self { now, ..Self::default() };
            return;
        }
        for second in self.now + 1..=now {
            if let Some(old) = second.checked_sub(LIVE) {
                let bucket = std::mem::take(&mut self.buckets[place(old)]);
                self.sum.requests -= bucket.requests;
                self.sum.input -= bucket.input;
                self.sum.output -= bucket.output;
            }
        }
        self.now = now;
    }

    /// Moves everything ahead by `seconds`, or back: what was granted is as old as before by a clock that was put right.
    pub fn shift(&mut self, seconds: i64) {
        let moved = |second: u64| second.saturating_add_signed(seconds);
        let mut shifted = Self { sum: self.sum, now: moved(self.now), ..Self::default() };
        for second in (self.now + 1).saturating_sub(LIVE)..=self.now {
            shifted.buckets[place(moved(second))] = self.buckets[place(second)];
        }
        *self = shifted;
    }

    /// What the window holds.
    pub const fn usage(&self) -> WindowUsage {
        self.sum
    }

    /// Charges one request of `tokens` to the present second.
    pub fn charge(&mut self, tokens: Tokens) {
        self.charge_in(self.now, tokens);
    }

    /// Charges one request of `tokens` to `second`, where that counts; else to the present one.
    pub fn charge_in(&mut self, second: u64, tokens: Tokens) {
        let second = if self.is_live(second) { second } else { self.now };
        self.buckets[place(second)].add(tokens);
        self.sum.add(tokens);
    }

    /// Charges more tokens of a request that is already counted.
    pub fn top_up(&mut self, tokens: Tokens) {
        for usage in [&mut self.buckets[place(self.now)], &mut self.sum] {
            usage.input += u64::from(tokens.input);
            usage.output += u64::from(tokens.output);
        }
    }

    /// Gives tokens back to the second they were charged to, when that still counts.
    pub fn refund(&mut self, second: u64, tokens: Tokens) {
        if !self.is_live(second) {
            return;
        }
        let bucket = &mut self.buckets[place(second)];
        let input = u64::from(tokens.input).min(bucket.input);
        let output = u64::from(tokens.output).min(bucket.output);
        bucket.input -= input;
        bucket.output -= output;
        self.sum.input -= input;
        self.sum.output -= output;
    }

    /// Raises usage to what a provider had counted, when that was more than `counted` here for the same request. The
    /// difference is charged so that it leaves the window when the provider's count does.
    ///
    /// A provider's words are as old as the request they answer, so they are held against what was known then, not
    /// against what is left of it now. Requests may overtake one another on the way: what was granted until a second
    /// later may be in its count. A provider whose window is longer than ours speaks of another limit.
    pub fn observe(&mut self, limits: &Limits, feedback: Feedback, counted: Counted) {
        let second = counted.at.as_secs();
        let near = self.granted_in(second).and(self.granted_in(second + 1));
        if let (Some(rpm), Some(left)) = (limits.rpm, feedback.requests)
            && let Some(place) = self.place_that_ends(second, left.resets_in)
        {
            let told = rpm.saturating_sub(u32::try_from(left.amount).unwrap_or(u32::MAX));
            let known = (counted.usage.requests + near.requests).max(self.sum.requests);
            let more = told.saturating_sub(known);
            self.buckets[place].requests += more;
            self.sum.requests += more;
        }
        if let (Some(tpm), Some(left)) = (limits.tpm, feedback.tokens)
            && let Some(place) = self.place_that_ends(second, left.resets_in)
        {
            let told = u64::from(tpm).saturating_sub(left.amount);
            let more = told.saturating_sub((counted.usage.tokens() + near.tokens()).max(self.sum.tokens()));
            self.buckets[place].input += more;
            self.sum.input += more;
        }
    }

    const fn is_live(&self, second: u64) -> bool {
        second <= self.now && self.now - second < LIVE
    }

    /// What was granted in a second that still counts.
    fn granted_in(&self, second: u64) -> WindowUsage {
        if self.is_live(second) { self.buckets[place(second)] } else { WindowUsage::default() }
    }

    /// The place of the bucket that leaves the window `span` after `second`; `None` when it has left, or none stays
    /// so long.
    fn place_that_ends(&self, second: u64, span: Duration) -> Option<usize> {
        let whole = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        let from = (second + whole.max(1)).checked_sub(LIVE)?;
        (whole <= LIVE && self.is_live(from)).then(|| place(from))
    }

    /// Whether one more request of `tokens` keeps within `limits`. A request that alone is above
    /// a token limit fits an empty window only.
    pub fn fits(&self, limits: &Limits, tokens: Tokens) -> bool {
        fits(self.sum, limits, tokens)
    }

    /// When one more request of `tokens` will fit, if nothing else is granted meanwhile.
    pub fn fits_at(&self, limits: &Limits, tokens: Tokens) -> Option<Timestamp> {
        let mut sum = self.sum;
        for oldest in (self.now + 1).saturating_sub(LIVE)..=self.now {
            let bucket = self.buckets[place(oldest)];
            sum.requests -= bucket.requests;
            sum.input -= bucket.input;
            sum.output -= bucket.output;
            if fits(sum, limits, tokens) {
                return Some(Timestamp::from_millis((oldest + LIVE) * 1000));
            }
        }
        None
    }
}

#[expect(clippy::cast_possible_truncation, reason = "masked to SLOTS")]
const fn place(second: u64) -> usize {
    (second % SLOTS as u64) as usize
}

fn fits(sum: WindowUsage, limits: &Limits, tokens: Tokens) -> bool {
    let within = |used: u64, more: u64, limit: Option<u32>| match limit {
        None => true,
        Some(limit) => used + more <= u64::from(limit) || (limit > 0 && more > u64::from(limit) && used == 0),
    };
    limits.rpm.is_none_or(|rpm| sum.requests < rpm)
        && within(sum.tokens(), tokens.total(), limits.tpm)
        && within(sum.input, u64::from(tokens.input), limits.itpm)
        && within(sum.output, u64::from(tokens.output), limits.otpm)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use weighbridge_domain::limits::{Feedback, Left, Limits, Tokens};
    use weighbridge_domain::time::Timestamp;

    use super::Ring;
    use crate::Counted;

    #[test]
    fn a_limit_of_n_serves_n() {
        let limits = Limits { rpm: Some(3), ..Limits::default() };
        let mut ring = Ring::default();
        ring.roll(Timestamp::from_millis(500_000));
        for _ in 0..3 {
            assert!(ring.fits(&limits, Tokens::default()));
            ring.charge(Tokens::default());
        }
        assert!(!ring.fits(&limits, Tokens::default()));
        assert_eq!(ring.fits_at(&limits, Tokens::default()), Some(Timestamp::from_millis(561_000)));
        ring.roll(Timestamp::from_millis(560_999));
        assert!(!ring.fits(&limits, Tokens::default()));
        ring.roll(Timestamp::from_millis(561_000));
        assert!(ring.fits(&limits, Tokens::default()));
    }

    #[test]
    fn what_is_entered_late_is_given_back_all_the_same() {
        let mut ring = Ring::default();
        ring.roll(Timestamp::from_millis(200_000));
        let tokens = Tokens { input: 5, output: 7 };
        // By the clock, in the second before, too long ago, and not yet.
        for second in [200, 199, 139, 201] {
            ring.charge_in(second, tokens);
            ring.refund(if second == 199 { 199 } else { 200 }, tokens);
            assert_eq!(ring.usage().tokens(), 0, "{second}");
        }
        assert_eq!(ring.usage().requests, 4);
        ring.roll(Timestamp::from_millis(260_000));
        assert_eq!(ring.usage().requests, 3, "what was entered for the second before has left");
    }

    #[test]
    fn a_providers_own_count_is_believed_for_the_time_it_speaks_of() {
        let limits = Limits { rpm: Some(10), ..Limits::default() };
        let left = |amount, secs| Feedback {
            requests: Some(Left { amount, resets_in: Duration::from_secs(secs) }),
            tokens: None,
        };
        let at = |secs: u64| Timestamp::from_millis(secs * 1000);
        let mut ring = Ring::default();
        ring.roll(at(500));
        ring.charge(Tokens::default());
        let counted = Counted { at: at(500), usage: ring.usage() };
        // Others have used 4 of its 10 as well; it counts them for 20 s more. One of them may have been granted here in
        // the same second.
        ring.roll(at(510));
        ring.observe(&limits, left(5, 20), counted);
        assert_eq!(ring.usage().requests, 4);
        // Told again there is no doubt; told less nothing changes.
        ring.observe(&limits, left(5, 20), counted);
        ring.observe(&limits, left(9, 20), counted);
        assert_eq!(ring.usage().requests, 5);
        ring.roll(at(520));
        assert_eq!(ring.usage().requests, 1);
        // What it said of a minute ago is no news, and a day's limit is not ours.
        ring.roll(at(570));
        ring.observe(&limits, left(0, 60), counted);
        ring.observe(&limits, left(0, 86_400), Counted { at: at(570), usage: ring.usage() });
        assert_eq!(ring.usage().requests, 0);
    }

    #[test]
    fn an_oversized_request_fits_an_empty_window_only() {
        let limits = Limits { tpm: Some(100), ..Limits::default() };
        let big = Tokens { input: 150, output: 0 };
        let mut ring = Ring::default();
        ring.roll(Timestamp::from_millis(500_000));
        assert!(ring.fits(&limits, big));
        ring.charge(Tokens { input: 1, output: 0 });
        assert!(!ring.fits(&limits, big));
    }

    /// One request: how long after the last, what it reserves, and how much of that it gives back
    /// before the next one comes.
    #[derive(Debug, Clone)]
    struct Ask {
        wait_ms: u64,
        reserves: Tokens,
        used: Tokens,
    }

    fn asks() -> impl Strategy<Value = Vec<Ask>> {
        let ask = (0_u64..4000, 0_u32..100, 0_u32..100, 0_u32..100, 0_u32..100).prop_map(|(wait_ms, i, o, a, b)| Ask {
            wait_ms,
            reserves: Tokens { input: i, output: o },
            used: Tokens { input: a.min(i), output: b.min(o) },
        });
        proptest::collection::vec(ask, 1..250)
    }

    proptest! {
        /// Against a log of every grant: no 60 s interval holds more than the limits, whatever is
        /// refunded (a refund is real: those tokens were never used).
        #[test]
        fn no_interval_of_60_s_exceeds_a_limit(asks in asks(), rpm in 1_u32..40, tpm in 200_u32..3000, start in 0_u64..200_000) {
            let limits = Limits { rpm: Some(rpm), tpm: Some(tpm), ..Limits::default() };
            let mut ring = Ring::default();
            let mut log: Vec<(u64, u64)> = Vec::new();
            let mut now = start;
            for ask in &asks {
                now += ask.wait_ms;
                ring.roll(Timestamp::from_millis(now));
                if ring.fits(&limits, ask.reserves) {
                    ring.charge(ask.reserves);
                    let unused = Tokens {
                        input: ask.reserves.input - ask.used.input,
                        output: ask.reserves.output - ask.used.output,
                    };
                    ring.refund(now / 1000, unused);
                    log.push((now, ask.used.total()));
                }
            }
            for (i, (from, _)) in log.iter().enumerate() {
                let within = log[i..].iter().take_while(|(at, _)| *at < from + 60_000);
                let (requests, tokens) = within.fold((0_u32, 0_u64), |(r, t), (_, n)| (r + 1, t + n));
                prop_assert!(requests <= rpm, "{requests} requests");
                prop_assert!(tokens <= u64::from(tpm), "{tokens} tokens");
            }
        }

        /// Under more demand than the limit at least 97 % of it is granted.
        #[test]
        fn at_least_97_percent_is_usable(rpm in 60_u32..600, start in 0_u64..100_000) {
            let limits = Limits { rpm: Some(rpm), ..Limits::default() };
            let mut ring = Ring::default();
            let (mut granted, minutes) = (0_u32, 20);
            for tick in 0..minutes * 60 * 20 {
                ring.roll(Timestamp::from_millis(start + tick * 50));
                while ring.fits(&limits, Tokens::default()) {
                    ring.charge(Tokens::default());
                    granted += 1;
                }
            }
            let possible = f64::from(rpm) * minutes as f64;
            prop_assert!(f64::from(granted) >= 0.97 * possible, "{granted} of {possible}");
        }

        /// When it says it will fit, it does, and not a second earlier.
        #[test]
        fn the_time_to_come_back_is_exact(grants in proptest::collection::vec(0_u64..3000, 1..30), rpm in 1_u32..10) {
            let limits = Limits { rpm: Some(rpm), ..Limits::default() };
            let mut ring = Ring::default();
            let mut now = 1_000_000;
            for wait in grants {
                now += wait;
                ring.roll(Timestamp::from_millis(now));
                if ring.fits(&limits, Tokens::default()) {
                    ring.charge(Tokens::default());
                }
            }
            if !ring.fits(&limits, Tokens::default()) {
                let at = ring.fits_at(&limits, Tokens::default()).unwrap();
                ring.roll(Timestamp::from_millis(at.as_millis() - 1));
                prop_assert!(!ring.fits(&limits, Tokens::default()));
                ring.roll(at);
                prop_assert!(ring.fits(&limits, Tokens::default()));
            }
        }
    }
}

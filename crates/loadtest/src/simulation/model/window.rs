//! A window of usage as the server holds it: `window.lua`, and the sums of `reserve.lua`.

use std::time::Duration;

use weighbridge_domain::limits::{Left, Limits, Tokens};
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::WindowUsage;
use weighbridge_state::fleet::protocol::{Granted, Observed, WindowReport};
use weighbridge_state::smoother::Smoother;

use super::contribution::Contribution;

/// Seconds that count, and buckets there are.
const LIVE: u64 = 61;
const SLOTS: u64 = 64;
/// What a bucket can hold.
const MOST: i64 = 4_294_967_295;

/// Requests and tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) requests: i64,
    pub(super) input: i64,
    pub(super) output: i64,
}

impl Amount {
    pub(super) fn of(tokens: Tokens, requests: i64) -> Self {
        Self { requests, input: i64::from(tokens.input), output: i64::from(tokens.output) }
    }

    pub(super) const fn is_nothing(self) -> bool {
        self.requests == 0 && self.input == 0 && self.output == 0
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            input: self.input + other.input,
            output: self.output + other.output,
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            requests: self.requests - other.requests,
            input: self.input - other.input,
            output: self.output - other.output,
        }
    }
}

/// Whether a request fits, or when to ask again in ms; 0: nobody knows.
pub(super) enum Room {
    Now,
    NotBefore(u64),
}

/// A window.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) second: u64,
    pub(super) in_flight: i64,
    sum: Amount,
    smoother: Smoother,
    buckets: [Amount; 64],
}

impl Default for Window {
    fn default() -> Self {
        Self {
            second: 0,
            in_flight: 0,
            sum: Amount::default(),
            smoother: Smoother::default(),
            buckets: [Amount::default(); 64],
        }
    }
}

impl Window {
    /// Forgets what has left the window.
    pub(super) fn roll(&mut self, now: u64) {
        let second = now / 1000;
        if second <= self.second {
            return;
        }
        if second - self.second >= LIVE {
            self.buckets = [Amount::default(); 64];
            self.sum = Amount::default();
        } else {
            for second in self.second + 1..=second {
                let old = std::mem::take(&mut self.buckets[place(second + SLOTS - LIVE)]);
                self.sum = self.sum.minus(old);
            }
        }
        self.second = second;
    }

    /// Adds to the bucket of `second`; none goes below nothing.
    pub(super) fn add(&mut self, second: u64, more: Amount) {
        let bucket = &mut self.buckets[place(second)];
        let clamp = |more: i64, there: i64| more.min(MOST - there).max(-there);
        let more = Amount {
            requests: clamp(more.requests, bucket.requests),
            input: clamp(more.input, bucket.input),
            output: clamp(more.output, bucket.output),
        };
        *bucket = bucket.plus(more);
        self.sum = self.sum.plus(more);
    }

    /// Settles a grant of `second`.
    pub(super) fn settle(&mut self, second: u64, more: Tokens, less: Tokens) -> bool {
        let more = Amount::of(more, 0);
        let less = Amount::of(less, 0);
        let gives_back = !less.is_nothing() && second <= self.second && self.second - second < LIVE;
        if !more.is_nothing() {
            self.add(self.second, more);
        }
        if gives_back {
            self.add(second, Amount::default().minus(less));
        }
        !more.is_nothing() || gives_back
    }

    /// Takes over what a provider had counted for a request, when that was more than was known for it here.
    pub(super) fn observe(&mut self, limits: &Limits, observed: &Observed) -> bool {
        let Observed { feedback, counted, .. } = observed;
        let granted_at = counted.at.as_secs();
        // What was granted in the same second may have been counted before it.
        let near = self.granted_in(granted_at).plus(self.granted_in(granted_at + 1));
        let finite = |limit: Option<u32>| limit.filter(|limit| *limit > 0).map(i64::from);
        let place = |left: Left| self.second_that_ends(granted_at, left.resets_in).map(|at| (signed(left.amount), at));
        let requests = finite(limits.rpm).zip(feedback.requests.and_then(place));
        let tokens = finite(limits.tpm).zip(feedback.tokens.and_then(place));
        let mut changed = false;
        if let Some((limit, (left, second))) = requests {
            let known = (i64::from(counted.usage.requests) + near.requests).max(self.sum.requests);
            let more = (limit - left).max(0) - known;
            if more > 0 {
                self.add(second, Amount { requests: more, ..Amount::default() });
                changed = true;
            }
        }
        if let Some((limit, (left, second))) = tokens {
            let known = signed(counted.usage.tokens()) + near.input + near.output;
            let more = (limit - left).max(0) - known.max(self.sum.input + self.sum.output);
            if more > 0 {
                self.add(second, Amount { input: more, ..Amount::default() });
                changed = true;
            }
        }
        changed
    }

    fn granted_in(&self, second: u64) -> Amount {
        let counts = second <= self.second && self.second - second < LIVE;
        if counts { self.buckets[place(second)] } else { Amount::default() }
    }

    /// The second whose bucket leaves `span` after the second of a grant, if it is there.
    fn second_that_ends(&self, granted_at: u64, span: Duration) -> Option<u64> {
        let span = ceil_secs(span);
        let from = (granted_at + span.max(1)).checked_sub(LIVE)?;
        (span <= LIVE && from <= self.second && self.second - from < LIVE).then_some(from)
    }

    /// Whether one more request of `tokens` keeps within `limits`.
    pub(super) fn room(&self, limits: &Limits, tokens: Tokens, now: u64) -> Room {
        if limits.max_parallel_requests.is_some_and(|most| self.in_flight >= i64::from(most)) {
            return Room::NotBefore(0);
        }
        if !fits(limits, self.sum, tokens) {
            return Room::NotBefore(self.fits_at(limits, tokens));
        }
        let opens = self.smoother.opens_at(limits, tokens, Timestamp::from_millis(now)).as_millis();
        if opens > now { Room::NotBefore(opens) } else { Room::Now }
    }

    /// Takes in one request of `tokens`.
    pub(super) fn charge(&mut self, limits: &Limits, tokens: Tokens, now: u64) {
        self.add(self.second, Amount::of(tokens, 1));
        self.smoother.take(limits, tokens, Timestamp::from_millis(now));
        self.in_flight += 1;
    }

    /// What a replica reads of it at `now`, without anything being changed.
    pub(super) fn report_at(&self, now: u64) -> WindowReport {
        let second = now / 1000;
        let mut seen =
            WindowReport { in_flight: u32::try_from(self.in_flight).unwrap_or_default(), ..WindowReport::default() };
        if second < self.second + LIVE {
            let gone = (self.second + 1..=second).map(|second| self.buckets[place(second + SLOTS - LIVE)]);
            seen.usage = usage(gone.fold(self.sum, Amount::minus));
        }
        seen
    }

    /// What a replica reads of it.
    pub(super) fn report(&self, mine: Contribution) -> WindowReport {
        WindowReport {
            usage: usage(self.sum),
            in_flight: u32::try_from(self.in_flight).unwrap_or_default(),
            granted: Granted { requests: mine.requests, input: mine.input, output: mine.output },
        }
    }

    fn fits_at(&self, limits: &Limits, tokens: Tokens) -> u64 {
        let mut sum = self.sum;
        for second in (self.second + 1).saturating_sub(LIVE)..=self.second {
            sum = sum.minus(self.buckets[place(second)]);
            if fits(limits, sum, tokens) {
                return (second + LIVE) * 1000;
            }
        }
        0
    }
}

fn usage(sum: Amount) -> WindowUsage {
    WindowUsage {
        requests: u32::try_from(sum.requests).unwrap_or_default(),
        input: unsigned(sum.input),
        output: unsigned(sum.output),
    }
}

fn fits(limits: &Limits, sum: Amount, tokens: Tokens) -> bool {
    let within = |used: i64, more: i64, limit: Option<u32>| {
        limit.map(i64::from).is_none_or(|limit| used + more <= limit || (limit > 0 && more > limit && used == 0))
    };
    let ask = Amount::of(tokens, 1);
    limits.rpm.is_none_or(|rpm| sum.requests < i64::from(rpm))
        && within(sum.input + sum.output, ask.input + ask.output, limits.tpm)
        && within(sum.input, ask.input, limits.itpm)
        && within(sum.output, ask.output, limits.otpm)
}

const fn place(second: u64) -> usize {
    (second % SLOTS) as usize
}

fn ceil_secs(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

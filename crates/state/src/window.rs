//! One window of usage: what was granted in the last minute, how evenly, and what is under way.

use weighbridge_domain::limits::{ChargeBasis, Feedback, Limits, Tokens};
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::WindowUsage;

use crate::Counted;
use crate::ring::Ring;
use crate::smoother::Smoother;

/// What one window holds.
#[derive(Debug, Clone, Default)]
pub struct Window {
    ring: Ring,
    smoother: Smoother,
    in_flight: u32,
}

/// Whether a request fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Now,
    /// Not before then; `None` when that depends on a request in flight.
    NotBefore(Option<Timestamp>),
}

impl Window {
    /// Forgets what has left the window.
    pub fn roll(&mut self, now: Timestamp) {
        self.ring.roll(now);
    }

    /// What the window holds.
    pub const fn usage(&self) -> WindowUsage {
        self.ring.usage()
    }

    /// Requests under way.
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether one more request of `tokens` keeps within `limits`. The window is rolled to `now`.
    pub fn fit(&self, limits: &Limits, tokens: Tokens, now: Timestamp) -> Fit {
        if limits.max_parallel_requests.is_some_and(|max| self.in_flight >= max) {
            return Fit::NotBefore(None);
        }
        if !self.ring.fits(limits, tokens) {
            return Fit::NotBefore(self.ring.fits_at(limits, tokens));
        }
        let opens_at = self.smoother.opens_at(limits, tokens, now);
        if opens_at > now { Fit::NotBefore(Some(opens_at)) } else { Fit::Now }
    }

    /// Takes in one request of `tokens`.
    pub fn charge(&mut self, limits: &Limits, tokens: Tokens, now: Timestamp) {
        self.ring.charge(tokens);
        self.smoother.take(limits, tokens, now);
        self.in_flight += 1;
    }

    /// Takes in one request of `tokens` that somebody else let in at `at`: here a later second may have begun.
    pub fn enter(&mut self, limits: &Limits, tokens: Tokens, at: Timestamp) {
        self.ring.charge_in(at.as_secs(), tokens);
        self.smoother.take(limits, tokens, at);
        self.in_flight += 1;
    }

    /// A request is no longer under way.
    pub const fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Settles what was `reserved` in `second` with what was `used`: more is charged now, less is given
    /// back to its second where the provider does so.
    pub fn settle(&mut self, basis: ChargeBasis, second: u64, reserved: Tokens, used: Tokens) {
        self.ring.top_up(used.beyond(reserved));
        match basis {
            ChargeBasis::ReserveSettle => self.ring.refund(second, reserved.beyond(used)),
            ChargeBasis::ReserveMax => {}
        }
    }

    /// Moves everything ahead by `seconds`, or back: the clock that it goes by was put right.
    pub fn shift(&mut self, seconds: i64) {
        self.ring.shift(seconds);
    }

    /// Takes over what a provider has counted, when that is more.
    pub fn observe(&mut self, limits: &Limits, feedback: Feedback, counted: Counted) {
        self.ring.observe(limits, feedback, counted);
    }
}

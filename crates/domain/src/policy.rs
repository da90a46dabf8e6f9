//! Rules about retrying, cooling and waiting, as plain data.

use std::time::Duration;

use crate::failure::{ByClass, ErrorClass};

/// How often a stop is tried again, and after which pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Further attempts after the first.
    pub retries: u32,
    /// Retries for particular failures, instead of `retries`; a class named here is retried
    /// even where it would not be by itself.
    pub by_class: ByClass<u32>,
    /// The pause before another attempt on the same deployment.
    pub backoff: Backoff,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 2, by_class: ByClass::default(), backoff: Backoff::default() }
    }
}

/// Exponential pauses: `initial · 2ⁿ`, at least `min`, at most `max`, plus up to `jitter`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first pause.
    pub initial: Duration,
    /// The longest pause, jitter aside.
    pub max: Duration,
    /// The shortest pause (`LiteLLM`'s `retry_after`).
    pub min: Duration,
    /// The most that is added at random.
    pub jitter: Duration,
}

impl Default for Backoff {
    /// `LiteLLM`'s figures: 0.5 s doubling to 8 s, up to 0.75 s of jitter.
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(8),
            min: Duration::ZERO,
            jitter: Duration::from_millis(750),
        }
    }
}

/// When a deployment rests, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CooldownPolicy {
    /// How long it rests when the provider does not say; zero never rests it.
    pub duration: Duration,
    /// Whether `duration` is the deployment's own and so outranks the provider's Retry-After.
    pub overrides_retry_after: bool,
    /// What has to happen first.
    pub rule: CooldownRule,
}

impl Default for CooldownPolicy {
    fn default() -> Self {
        Self { duration: Duration::from_secs(60), overrides_retry_after: false, rule: CooldownRule::default() }
    }
}

/// What has to happen before a deployment rests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum CooldownRule {
    /// Never.
    Never,
    /// Rate limits, bad credentials, missing models and refused connections at once; other
    /// failures when they are at least half of the outcomes of the last minute.
    #[default]
    Standard,
    /// When more failures than allowed were counted within the cooldown time. A class without a
    /// number of its own is counted together with all others against `otherwise`; without that
    /// it falls under [`CooldownRule::Standard`].
    AllowedFails {
        /// Per class.
        by_class: ByClass<u32>,
        /// For every class without a number of its own.
        otherwise: Option<u32>,
    },
    /// When a circuit breaker opens, whatever kind of failure it was.
    Breaker(Breaker),
}

/// A circuit breaker: what of the outcomes of the last 60 s, fleet-wide, makes a deployment rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many failures.
    pub failures: Option<u32>,
    /// Such a share of failures, in percent, once there are `least` outcomes.
    pub percent: Option<u8>,
    /// How many outcomes it takes for a share to say something.
    pub least: u32,
    /// What counts as a failure; `None` is a status from 500 up, a timeout, and no answer at all.
    pub statuses: Option<StatusSet>,
}

/// A set of HTTP statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusSet([u64; 10]);

impl StatusSet {
    /// The set of `statuses`; what is no status from 100 to 639 is left out.
    pub fn of(statuses: &[u16]) -> Self {
        let mut set = Self::default();
        for at in statuses.iter().filter_map(|status| status.checked_sub(100)) {
            if let Some(word) = set.0.get_mut(usize::from(at / 64)) {
                *word |= 1 << (at % 64);
            }
        }
        set
    }

    /// Whether `status` is in it.
    pub fn contains(&self, status: u16) -> bool {
        let word = |at: u16| self.0.get(usize::from(at / 64)).is_some_and(|word| word & (1 << (at % 64)) != 0);
        status.checked_sub(100).is_some_and(word)
    }
}

/// How long a request may take, phase by phase; `None` is unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// A whole reply, from sending to the last byte.
    pub whole: Option<Duration>,
    /// A stream's first content event.
    pub first_token: Option<Duration>,
    /// The silence between two events of a stream.
    pub idle: Option<Duration>,
}

/// What a failure means for its deployment. Decided by `routing`, counted by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CooldownVerdict {
    /// Nothing: the client's own mistake, or cooldowns are off.
    Never,
    /// It rests now, for this long.
    AtOnce(Duration),
    /// It counts in the window: the deployment rests for this long when at least half of the
    /// outcomes of the last 60 s are failures, unless it is the last healthy one of its group.
    ByShare(Duration),
    /// It rests for `lasts` when more than `allowed` failures were counted within `lasts`.
    Allowed {
        /// Failures that are let pass.
        allowed: u32,
        /// The counter: one class, or `None` for all classes without one of their own.
        class: Option<ErrorClass>,
        /// How long it rests, and how long a failure counts.
        lasts: Duration,
    },
    /// It rests for `lasts` when its circuit breaker opens, even as the last healthy one of its group: when of the
    /// outcomes of the last 60 s so many, or such a share, are failures.
    Breaker {
        /// So many failures; `None` leaves it to the share.
        failures: Option<u32>,
        /// Such a share of failures, in percent; `None` leaves it to their number.
        percent: Option<u8>,
        /// How many outcomes it takes for the share to say something.
        least: u32,
        /// How long it rests.
        lasts: Duration,
    },
}

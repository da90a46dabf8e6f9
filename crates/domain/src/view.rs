//! What is known of deployments at one instant.

use std::time::Duration;

use crate::failure::FailureKind;
use crate::limits::Tokens;
use crate::time::Timestamp;

/// What is known of one deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeploymentView {
    /// Whether it may be asked.
    pub health: Health,
    /// What it was granted in the last minute.
    pub usage: WindowUsage,
    /// Requests in flight.
    pub in_flight: u32,
    /// How fast it has been.
    pub latency: Option<Latency>,
    /// The age of the oldest request in flight that has had no token yet.
    pub oldest_waiting: Duration,
}

/// Whether a deployment may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Ready,
    /// Not before `until`.
    Cooling {
        /// When it may be probed.
        until: Timestamp,
        /// Why.
        cause: FailureKind,
    },
    /// Its cooldown is over; one probe decides.
    HalfOpen {
        /// Whether a probe is under way, so that everybody else waits for its answer.
        is_probed: bool,
        /// Why it cooled.
        cause: FailureKind,
    },
    /// An operator took it out, until the given instant or until it is restored.
    Drained {
        /// When it comes back by itself.
        until: Option<Timestamp>,
    },
}

/// What was granted in the last minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowUsage {
    /// Requests.
    pub requests: u32,
    /// Tokens, reserved or settled.
    pub input: u64,
    /// Tokens, reserved or settled.
    pub output: u64,
}

impl WindowUsage {
    /// Input and output together.
    pub const fn tokens(&self) -> u64 {
        self.input + self.output
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            input: self.input + other.input,
            output: self.output + other.output,
        }
    }

    /// What there is here of each kind beyond `other`.
    #[must_use]
    pub const fn beyond(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            input: self.input.saturating_sub(other.input),
            output: self.output.saturating_sub(other.output),
        }
    }

    /// Adds one request of `tokens`.
    pub fn add(&mut self, tokens: Tokens) {
        self.requests += 1;
        self.input += u64::from(tokens.input);
        self.output += u64::from(tokens.output);
    }
}

/// How fast a deployment has been, as moving averages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// From sending to the first token (streams) or the whole reply (whole replies), in ms.
    pub first_token_ms: f64,
    /// Per completion token after the first, in ms.
    pub per_token_ms: f64,
    /// Completion tokens a reply.
    pub tokens: f64,
}

impl Latency {
    /// The time a reply of `tokens` completion tokens takes, in ms.
    pub fn expected_ms(&self, tokens: f64) -> f64 {
        self.first_token_ms + self.per_token_ms * tokens
    }
}

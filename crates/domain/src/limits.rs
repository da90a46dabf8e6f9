//! What a deployment may take per minute, and what a request takes of it.

use std::time::Duration;

/// Limits of one deployment; `None` is unlimited. All are per 60 s except the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests per minute.
    pub rpm: Option<u32>,
    /// Tokens per minute, input and output together.
    pub tpm: Option<u32>,
    /// Input tokens per minute.
    pub itpm: Option<u32>,
    /// Output tokens per minute.
    pub otpm: Option<u32>,
    /// Requests in flight at once.
    pub max_parallel_requests: Option<u32>,
    /// What is charged when the reply is there.
    pub basis: ChargeBasis,
    /// How evenly the minute's requests and tokens are spread; `None` lets them come all at once.
    pub smoothing: Option<Smoothing>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        self.rpm.is_none()
            && self.tpm.is_none()
            && self.itpm.is_none()
            && self.otpm.is_none()
            && self.max_parallel_requests.is_none()
    }
}

/// How evenly a limit is spent within its minute, for providers that measure shorter periods as well.
///
/// The generic cell rate algorithm (ITU-T I.371) over `rpm` and `tpm`, beside the window of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smoothing {
    /// How much may come at once, as time of the limit's rate: 1 s of 600 rpm is 10 requests. At
    /// least one request always may.
    pub burst: Duration,
    /// How long a request waits for its turn before another deployment or 429 is the answer.
    pub patience: Duration,
}

/// Whether a provider gives back reserved tokens that were not used.
///
/// Azure and `OpenAI` document no refund: they count the estimate made on receipt. Refunding
/// on our side what they do not refund would end in their 429s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChargeBasis {
    /// The reservation stays charged; more is charged when more was used.
    ReserveMax,
    /// The unused part of the reservation is refunded.
    #[default]
    ReserveSettle,
}

/// Tokens of one request: reserved before the call, or used after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Prompt tokens.
    pub input: u32,
    /// Completion tokens, reasoning included.
    pub output: u32,
}

impl Tokens {
    /// Input and output together.
    pub fn total(self) -> u64 {
        u64::from(self.input) + u64::from(self.output)
    }

    /// What there is here of each kind beyond `other`.
    #[must_use]
    pub const fn beyond(self, other: Self) -> Self {
        Self { input: self.input.saturating_sub(other.input), output: self.output.saturating_sub(other.output) }
    }
}

/// What a provider says is left of its own limits; `None` for what it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feedback {
    /// Requests.
    pub requests: Option<Left>,
    /// Tokens, input and output together.
    pub tokens: Option<Left>,
}

/// How much is left, and for how long that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// So much.
    pub amount: u64,
    /// Until all of it is there again.
    pub resets_in: Duration,
}

impl Feedback {
    /// Whether it says nothing.
    pub const fn is_silent(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none()
    }
}

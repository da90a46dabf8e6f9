//! One vocabulary for everything that can go wrong with a request.
//!
//! Retries, fallbacks, cooldowns, metrics and HTTP statuses read [`FailureKind`] and nothing else.

use std::time::Duration;

use bytes::Bytes;

/// What went wrong. Closed: every policy matches on it without a wildcard arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FailureKind {
    /// The provider refused the request as malformed (400, 405, 409, 413, 415, 422 and the like).
    BadRequest,
    /// The prompt does not fit the model's context window.
    ContextWindow,
    /// The provider's content policy refused the prompt or the reply.
    ContentPolicy,
    /// The provider refused the credential (401, 403).
    Authentication,
    /// The account has no money or quota left (402, `insufficient_quota`).
    Quota,
    /// The provider has no such model or deployment (404).
    NotFound,
    /// The provider's rate limit (429).
    RateLimited,
    /// The provider has no capacity (503, 529).
    Overloaded,
    /// Any other failure of the provider's own (5xx).
    ServerError,
    /// No answer in time, in whichever phase.
    Timeout,
    /// No connection: refused, reset before an answer, no such host, TLS.
    Unreachable,
    /// The reply broke off or could not be read.
    BrokenReply,
    /// Every candidate is at its own limit; nobody was called.
    AtLimit,
    /// Every candidate cools or is drained; nobody was called.
    AllCooling,
    /// No candidate is fit for this request (tags, region, left out); nobody was called.
    NoCandidate,
}

impl FailureKind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 15] = [
        Self::BadRequest,
        Self::ContextWindow,
        Self::ContentPolicy,
        Self::Authentication,
        Self::Quota,
        Self::NotFound,
        Self::RateLimited,
        Self::Overloaded,
        Self::ServerError,
        Self::Timeout,
        Self::Unreachable,
        Self::BrokenReply,
        Self::AtLimit,
        Self::AllCooling,
        Self::NoCandidate,
    ];

    /// Whether it says that the deployment is slow or gone. A rate limit does not.
    pub const fn is_slow(self) -> bool {
        matches!(self, Self::ServerError | Self::Overloaded | Self::Timeout | Self::Unreachable | Self::BrokenReply)
    }

    /// A short stable label for metrics, logs and error bodies.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::ContextWindow => "context_window",
            Self::ContentPolicy => "content_policy",
            Self::Authentication => "authentication",
            Self::Quota => "quota",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::BrokenReply => "broken_reply",
            Self::AtLimit => "at_limit",
            Self::AllCooling => "all_cooling",
            Self::NoCandidate => "no_candidate",
        }
    }

    /// The HTTP status a client gets when the provider gave none.
    pub const fn default_status(self) -> u16 {
        match self {
            Self::BadRequest | Self::ContextWindow | Self::ContentPolicy => 400,
            Self::Authentication => 401,
            Self::Quota => 402,
            Self::NotFound => 404,
            Self::RateLimited | Self::AtLimit => 429,
            Self::Timeout => 408,
            Self::ServerError => 500,
            Self::Unreachable | Self::BrokenReply => 502,
            Self::Overloaded | Self::AllCooling | Self::NoCandidate => 503,
        }
    }

    /// The `type` that an error object of `OpenAI`'s API has for it.
    pub const fn openai_type(self) -> &'static str {
        match self {
            Self::BadRequest | Self::ContextWindow | Self::ContentPolicy | Self::NotFound => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Quota => "insufficient_quota",
            Self::RateLimited | Self::AtLimit => "rate_limit_error",
            Self::Timeout => "timeout_error",
            Self::Overloaded | Self::AllCooling | Self::NoCandidate => "service_unavailable_error",
            Self::ServerError | Self::Unreachable | Self::BrokenReply => "server_error",
        }
    }

    /// Whether nobody was called: our own verdict on the candidates.
    pub const fn is_own_verdict(self) -> bool {
        matches!(self, Self::AtLimit | Self::AllCooling | Self::NoCandidate)
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailureSet(u32);

impl FailureSet {
    /// No kind.
    pub const NONE: Self = Self(0);

    /// The kinds in `kinds`.
    pub fn of(kinds: &[FailureKind]) -> Self {
        kinds.iter().fold(Self::NONE, |set, kind| set.with(*kind))
    }

    /// Every kind.
    pub fn all() -> Self {
        Self::of(&FailureKind::ALL)
    }

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: FailureKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// This set without `kind`.
    #[must_use]
    pub const fn without(self, kind: FailureKind) -> Self {
        Self(self.0 & !(1 << kind as u8))
    }

    /// Whether `kind` is in it.
    pub const fn contains(self, kind: FailureKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
}

/// A failed attempt, or the verdict that no attempt could be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// The provider's HTTP status, when it gave one.
    pub status: Option<u16>,
    /// When the provider, or our own limits, say to come back.
    pub retry_after: Option<Duration>,
    /// One sentence that a client may read. Never a secret, never our own inner text.
    pub message: String,
    /// The provider's error body as it came, when it was JSON.
    pub body: Option<Bytes>,
}

impl Failure {
    /// A failure of `kind` with nothing more known than `message`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, status: None, retry_after: None, message: message.into(), body: None }
    }

    /// The HTTP status a client should get.
    pub fn http_status(&self) -> u16 {
        self.status.unwrap_or(self.kind.default_status())
    }

    /// What policies may look at.
    pub fn facts(&self) -> FailureFacts {
        FailureFacts { kind: self.kind, status: self.http_status() }
    }
}

/// The two facts about a failure that plans choose by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureFacts {
    /// What went wrong.
    pub kind: FailureKind,
    /// The HTTP status it has for a client.
    pub status: u16,
}

/// The classes that `LiteLLM`'s `retry_policy` and `allowed_fails_policy` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ErrorClass {
    /// `BadRequestError…`
    BadRequest,
    /// `AuthenticationError…`
    Authentication,
    /// `TimeoutError…`
    Timeout,
    /// `RateLimitError…`
    RateLimit,
    /// `ContentPolicyViolationError…`
    ContentPolicy,
    /// `InternalServerError…`
    InternalServer,
    /// `ServiceUnavailableError…`
    ServiceUnavailable,
    /// `NotFoundError…`
    NotFound,
    /// `BadGatewayError…`
    BadGateway,
}

impl ErrorClass {
    /// How many classes there are.
    pub const COUNT: usize = 9;

    /// The class a failure counts under.
    pub const fn of(kind: FailureKind) -> Self {
        match kind {
            FailureKind::BadRequest | FailureKind::ContextWindow => Self::BadRequest,
            FailureKind::ContentPolicy => Self::ContentPolicy,
            FailureKind::Authentication | FailureKind::Quota => Self::Authentication,
            FailureKind::NotFound => Self::NotFound,
            FailureKind::RateLimited | FailureKind::AtLimit => Self::RateLimit,
            FailureKind::Timeout => Self::Timeout,
            FailureKind::ServerError => Self::InternalServer,
            FailureKind::Overloaded | FailureKind::AllCooling | FailureKind::NoCandidate => Self::ServiceUnavailable,
            FailureKind::Unreachable | FailureKind::BrokenReply => Self::BadGateway,
        }
    }
}

/// A value for some of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByClass<T>([Option<T>; ErrorClass::COUNT]);

impl<T: Copy> ByClass<T> {
    /// No class has a value.
    pub const NONE: Self = Self([None; ErrorClass::COUNT]);

    /// The value for `class`, when one is set.
    pub const fn get(&self, class: ErrorClass) -> Option<T> {
        self.0[class as usize]
    }

    /// Sets the value for `class`.
    pub const fn set(&mut self, class: ErrorClass, value: T) {
        self.0[class as usize] = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use super::{FailureKind, FailureSet};

    #[test]
    fn discriminants_follow_the_list() {
        for (at, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let set = FailureSet::of(&[FailureKind::Timeout, FailureKind::NoCandidate]);
        assert!(set.contains(FailureKind::Timeout) && set.contains(FailureKind::NoCandidate));
        assert!(
            !set.contains(FailureKind::BadRequest) && !set.without(FailureKind::Timeout).contains(FailureKind::Timeout)
        );
    }
}

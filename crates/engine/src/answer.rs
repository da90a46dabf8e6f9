//! What a request ends in.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::AttemptRecord;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::name::GroupName;

/// A request that was answered.
#[derive(Debug)]
pub struct Answer {
    /// Who answered, and how it came to that.
    pub head: AnswerHead,
    /// The provider's `Content-Type`.
    pub content_type: String,
    /// The provider's headers that are worth passing on (`x-ratelimit-*`, request ids), names in lower case.
    pub upstream_headers: Vec<(String, String)>,
    /// What of the request the deployment's format could not say, a line each.
    pub losses: Vec<String>,
    /// What it said.
    pub body: AnswerBody,
}

/// What a provider said.
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// Server-sent events as they arrive, byte for byte. A stream that breaks ends with an event
    /// that holds an error object, and without `[DONE]`. Dropping it cancels the upstream call
    /// and charges what was delivered.
    Stream(EventStream),
}

/// Complete server-sent events, as many as arrived together. Never fails: errors are events.
pub type EventStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A request that was not answered.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Who was asked last, and how it came to that.
    pub head: AnswerHead,
    /// What the client is told: the last attempt's failure, or our own verdict.
    pub failure: Failure,
}

/// Who answered a request or was asked last, and how it came to that. Everything response headers tell.
#[derive(Debug, Clone, Default)]
pub struct AnswerHead {
    /// The group of the stop that answered.
    pub group: Option<GroupName>,
    /// The deployment that answered.
    pub deployment: Option<Arc<Deployment>>,
    /// Every attempt so far, in order.
    pub attempts: Vec<AttemptRecord>,
    /// Retries within stops.
    pub retries: u32,
    /// Whether it failed for good where it might have been tried again: the provider wants too long a pause.
    pub gave_up: bool,
    /// Whether it went by a config object.
    pub by_config: bool,
    /// How many the policy allowed, once there was one.
    pub max_retries: Option<u32>,
    /// How long the last call might take.
    pub timeout: Option<Duration>,
    /// Stops taken after the first.
    pub fallbacks: u32,
    /// Where in the plan the answering stop stands, as in `x-portkey-last-used-option-index`.
    pub plan_path: Cow<'static, str>,
    /// The itinerary as `explain` prints it.
    pub itinerary: String,
    /// USD; `None` for streams, whose cost is known at their end, and for unknown prices.
    pub cost: Option<f64>,
}

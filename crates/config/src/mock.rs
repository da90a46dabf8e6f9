//! Canned replies.

use weighbridge_domain::deployment::{Mock, MockReply};
use weighbridge_domain::failure::FailureKind;

use crate::entry::Entry;

/// `LiteLLM`'s exceptions, and what they are here.
const FAILURES: &[(&str, FailureKind)] = &[
    ("litellm.RateLimitError", FailureKind::RateLimited),
    ("litellm.InternalServerError", FailureKind::ServerError),
    ("litellm.ContextWindowExceededError", FailureKind::ContextWindow),
    ("litellm.ContentPolicyViolationError", FailureKind::ContentPolicy),
    ("litellm.AuthenticationError", FailureKind::Authentication),
    ("litellm.BadRequestError", FailureKind::BadRequest),
    ("litellm.NotFoundError", FailureKind::NotFound),
    ("litellm.Timeout", FailureKind::Timeout),
    ("litellm.ServiceUnavailableError", FailureKind::Overloaded),
    ("litellm.APIConnectionError", FailureKind::Unreachable),
    ("litellm.APIError", FailureKind::ServerError),
    ("Exception: ", FailureKind::ServerError),
];

/// The canned reply of `entry`, when it has one.
pub(crate) fn read(entry: &Entry<'_>) -> Option<Mock> {
    let text = entry.param("mock_response")?.text()?;
    let failure = FAILURES.iter().find(|(name, _)| text.starts_with(name)).map(|(_, kind)| *kind);
    let reply = failure.map_or_else(|| MockReply::Text(text), MockReply::Failure);
    let delay = entry.param("mock_delay").and_then(|field| field.seconds()).unwrap_or_default();
    Some(Mock { reply, delay })
}

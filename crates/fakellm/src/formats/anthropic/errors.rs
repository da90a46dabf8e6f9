//! Errors as Anthropic words them.

use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};

use crate::event::Event;
use crate::fault::Fault;
use crate::meters::Allowance;
use crate::refusal::{Refusal, seconds};

/// What Anthropic says to a fault.
pub(crate) fn refusal(fault: Fault<'_>) -> Refusal {
    let invalid = |message: &str| Refusal::json(400, &error("invalid_request_error", message));
    match fault {
        Fault::Invalid { message, .. } | Fault::Unknown { message } => invalid(message),
        Fault::Unauthorised | Fault::Signature { .. } => {
            Refusal::json(401, &error("authentication_error", "invalid x-api-key"))
        }
        Fault::UnknownModel(model) => Refusal::json(404, &error("not_found_error", &format!("model: {model}"))),
        Fault::UnknownPath { .. } => Refusal::json(404, &error("not_found_error", "Not Found")),
        Fault::WrongMethod(_) => Refusal::json(405, &error("invalid_request_error", "Method Not Allowed")),
        Fault::TooLong { window, prompt, .. } if prompt > window => {
            invalid(&format!("prompt is too long: {prompt} tokens > {window} maximum"))
        }
        Fault::TooLong { window, prompt, most } => invalid(&format!(
            "input length and `max_tokens` exceed context limit: {prompt} + {most} > {window}, decrease input length \
             or `max_tokens` and try again"
        )),
        Fault::Filtered => invalid("Output blocked by content filtering policy"),
        Fault::OverLimit { unit, limit, wait, .. } => {
            let unit = if unit == "tokens" { "input tokens" } else { unit };
            let message = format!(
                "This request would exceed your organization's rate limit of {limit} {unit} per minute. For details, \
                 refer to: https://docs.claude.com/en/api/rate-limits."
            );
            limited(&message, wait)
        }
        Fault::OverParallel { .. } => {
            limited("Number of concurrent connections has exceeded your rate limit.", Duration::from_secs(1))
        }
        Fault::Status(status, _) => by_status(status),
        Fault::MidAnswer => by_status(529),
    }
}

/// An error in a stream.
pub(crate) fn error_event() -> Event {
    Event::named("error", error("overloaded_error", "Overloaded").to_string())
}

/// What is left of the limits. `now` is the time since 1970.
pub(crate) fn allowance_headers(allowance: &Allowance, now: Duration) -> [(&'static str, String); 3] {
    let names = match allowance.unit {
        "requests" => [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ],
        _ => [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ],
    };
    let reset = (now + allowance.until_full).as_secs();
    let reset = DateTime::from_secs(i64::try_from(reset).unwrap_or_default()).fmt(Format::DateTime).unwrap_or_default();
    [(names[0], allowance.limit.to_string()), (names[1], allowance.left.to_string()), (names[2], reset)]
}

fn limited(message: &str, wait: Duration) -> Refusal {
    Refusal::json(429, &error("rate_limit_error", message)).with([("retry-after", seconds(wait).to_string())])
}

fn by_status(status: u16) -> Refusal {
    let (kind, message) = match status {
        401 => ("authentication_error", "invalid x-api-key"),
        402 => ("billing_error", "Your account has a billing issue."),
        403 => ("permission_error", "Your API key does not have permission to use the specified resource."),
        404 => ("not_found_error", "Not found"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => ("rate_limit_error", "This request would exceed your organization's rate limit."),
        400..500 => ("invalid_request_error", "Invalid request"),
        504 => ("timeout_error", "Request timed out"),
        503 | 529 => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    };
    Refusal::json(status, &error(kind, message))
}

fn error(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fakellm"})
}

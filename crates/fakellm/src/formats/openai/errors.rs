//! Errors as OpenAI and Azure word them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::meters::Allowance;
use crate::refusal::{Refusal, millis, seconds};

/// What OpenAI says to a fault.
pub(crate) fn refusal(fault: Fault<'_>) -> Refusal {
    let invalid = |status, message: &str, param, code| {
        Refusal::json(status, &error(message, "invalid_request_error", param, code))
    };
    match fault {
        Fault::Invalid { message, param, code } => invalid(400, message, param, code),
        Fault::Unknown { message } => invalid(400, message, None, None),
        Fault::Unauthorised | Fault::Signature { .. } => {
            let message = "Incorrect API key provided. You can find your API key in the script.";
            invalid(401, message, None, Some("invalid_api_key"))
        }
        Fault::UnknownModel(model) => {
            let message = format!("The model `{model}` does not exist or you do not have access to it.");
            invalid(404, &message, Some("model"), Some("model_not_found"))
        }
        Fault::UnknownPath { method, path } => invalid(404, &format!("Invalid URL ({method} {path})"), None, None),
        Fault::WrongMethod(method) => {
            invalid(405, &format!("Not allowed to {method} on this path."), None, Some("method_not_supported"))
        }
        Fault::TooLong { window, prompt, most } => {
            let asked = if prompt > window {
                format!("your messages resulted in {prompt} tokens")
            } else {
                format!("you requested {} tokens ({prompt} in the messages, {most} in the completion)", prompt + most)
            };
            let message = format!("This model's maximum context length is {window} tokens. However, {asked}.");
            invalid(400, &message, Some("messages"), Some("context_length_exceeded"))
        }
        Fault::Filtered => Refusal::json(400, &filtered()),
        Fault::OverLimit { model, unit, limit, wait } => {
            let left = wait.as_secs_f64();
            let message =
                format!("Rate limit reached for {model} on {unit}: Limit {limit}. Please try again in {left:.3}s.");
            rate_limited(&message, wait)
        }
        Fault::OverParallel { model, most } => {
            let message = format!("Rate limit reached for {model} on concurrent requests: Limit {most}.");
            rate_limited(&message, Duration::from_secs(1))
        }
        Fault::Status(401, _) => refusal(Fault::Unauthorised),
        Fault::Status(status, _) => by_status(status),
        Fault::MidAnswer => Refusal::json(500, &mid_answer()),
    }
}

/// What goes wrong inside an answer that began well.
pub(crate) fn mid_answer() -> Value {
    error("The server had an error while processing your request.", "server_error", None, Some("server_error"))
}

/// What is left of the limits.
pub(crate) fn allowance_headers(allowance: &Allowance) -> [(&'static str, String); 3] {
    let names = match allowance.unit {
        "requests" => ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        _ => ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    };
    let values = [allowance.limit.to_string(), allowance.left.to_string(), short(allowance.until_full)];
    let [limit, left, reset] = values;
    [(names[0], limit), (names[1], left), (names[2], reset)]
}

/// A duration as OpenAI writes it: `1m30s`, `20s`, `120ms`.
fn short(wait: Duration) -> String {
    let (minutes, seconds, millis) = (wait.as_secs() / 60, wait.as_secs() % 60, wait.subsec_millis());
    match (minutes, seconds) {
        (0, 0) => format!("{millis}ms"),
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

fn by_status(status: u16) -> Refusal {
    let (message, kind, code) = match status {
        403 => ("You are not allowed to do this.", "invalid_request_error", Some("forbidden")),
        404 => ("The resource does not exist.", "invalid_request_error", Some("not_found")),
        408 => ("The request timed out.", "timeout", Some("timeout")),
        429 => ("Rate limit reached.", "rate_limit_exceeded", Some("rate_limit_exceeded")),
        400..500 => ("The request is not valid.", "invalid_request_error", None),
        503 => ("The engine is currently overloaded, please try again later.", "server_error", Some("overloaded")),
        _ => ("The server had an error while processing your request.", "server_error", None),
    };
    Refusal::json(status, &error(message, kind, None, code))
}

fn rate_limited(message: &str, wait: Duration) -> Refusal {
    Refusal::json(429, &error(message, "rate_limit_exceeded", None, Some("rate_limit_exceeded")))
        .with([("retry-after", seconds(wait).to_string()), ("retry-after-ms", millis(wait).to_string())])
}

/// A prompt that Azure's filter stopped.
fn filtered() -> Value {
    let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management \
                   policy. Please modify your prompt and retry.";
    let mut body = error(message, "invalid_request_error", Some("prompt"), Some("content_filter"));
    body["error"]["status"] = json!(400);
    body["error"]["innererror"] = json!({"code": "ResponsibleAIPolicyViolation", "content_filter_result": {
        "hate": {"filtered": false, "severity": "safe"},
        "violence": {"filtered": true, "severity": "medium"},
    }});
    body
}

fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

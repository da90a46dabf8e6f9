//! Errors as Cohere words them.

use serde_json::json;

use crate::event::Event;
use crate::fault::Fault;
use crate::refusal::Refusal;

const LIMITED: &str = "You are past the per minute request limit, please wait and try again later.";

/// What Cohere says to a fault.
pub(crate) fn refusal(fault: Fault<'_>) -> Refusal {
    match fault {
        Fault::Invalid { message, .. } => error(400, message),
        Fault::Unknown { message } => error(422, message),
        Fault::Unauthorised | Fault::Signature { .. } | Fault::Status(401, _) => error(401, "invalid api token"),
        Fault::UnknownModel(model) => error(
            404,
            &format!(
                "model '{model}' not found, make sure the correct model ID was used and that you have access to the model."
            ),
        ),
        Fault::UnknownPath { .. } => error(404, "not found"),
        Fault::WrongMethod(_) => error(405, "method not allowed"),
        Fault::TooLong { window, prompt, most } => {
            let above = prompt + most - window;
            error(
                400,
                &format!(
                    "too many tokens: size limit exceeded by {above} tokens. Try using shorter or fewer inputs, or \
                     setting prompt_truncation='AUTO'. The limit for this model is {window} tokens."
                ),
            )
        }
        Fault::Filtered => error(400, "blocked input: please adjust your prompt and try again"),
        Fault::OverLimit { .. } | Fault::OverParallel { .. } | Fault::Status(429, _) => error(429, LIMITED),
        Fault::Status(status, _) => error(status, by_status(status)),
        Fault::MidAnswer => error(500, by_status(500)),
    }
}

/// A stream that goes wrong ends with this.
pub(crate) fn error_event() -> Event {
    let delta = json!({"finish_reason": "ERROR", "error": by_status(500)});
    Event::typed("message-end", json!({"delta": delta}))
}

fn by_status(status: u16) -> &'static str {
    match status {
        403 => "forbidden",
        404 => "not found",
        422 => "unprocessable entity",
        499 => "request cancelled",
        400..500 => "invalid request",
        503 => "service unavailable",
        504 => "gateway timeout",
        _ => "internal server error, this has been reported to our developers.",
    }
}

fn error(status: u16, message: &str) -> Refusal {
    Refusal::json(status, &json!({"id": "fake", "message": message}))
}

//! Errors as AWS words them.

use serde_json::json;

use crate::event::Event;
use crate::fault::Fault;
use crate::refusal::Refusal;

/// What AWS says to a fault.
pub(crate) fn refusal(fault: Fault<'_>) -> Refusal {
    let invalid = |message: &str| error(400, "ValidationException", message);
    match fault {
        Fault::Invalid { message, .. } | Fault::Unknown { message } => invalid(message),
        Fault::Unauthorised => {
            let message = "Authentication failed: Please make sure your API Key is valid.";
            error(403, "AccessDeniedException", message)
        }
        Fault::Signature { kind, message } => error(403, kind, message),
        Fault::UnknownModel(_) => invalid("The provided model identifier is invalid."),
        Fault::UnknownPath { .. } => {
            error(404, "UnknownOperationException", "The requested operation is not recognized.")
        }
        Fault::WrongMethod(_) => {
            error(405, "UnknownOperationException", "The method is not allowed for this operation.")
        }
        Fault::TooLong { window, prompt, .. } if prompt > window => invalid("Input is too long for requested model."),
        Fault::TooLong { window, prompt, most } => invalid(&format!(
            "The model returned the following errors: input length and `max_tokens` exceed context limit: {prompt} + \
             {most} > {window}, decrease input length or `max_tokens` and try again"
        )),
        Fault::Filtered => {
            invalid("The model returned the following errors: Output blocked by content filtering policy")
        }
        Fault::OverLimit { unit, .. } => {
            error(429, "ThrottlingException", &format!("Too many {unit}, please wait before trying again."))
        }
        Fault::OverParallel { .. } => {
            error(429, "ThrottlingException", "Too many concurrent requests, please wait before trying again.")
        }
        Fault::Status(status, _) => by_status(status),
        Fault::MidAnswer => by_status(500),
    }
}

/// An exception in a stream.
pub(crate) fn error_event() -> Event {
    Event::exception("internalServerException", by_status(500).into_body())
}

fn by_status(status: u16) -> Refusal {
    let (kind, message) = match status {
        403 => ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
        404 => {
            ("ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier.")
        }
        408 => ("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
        424 => (
            "ModelErrorException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        429 => ("ThrottlingException", "Too many requests, please wait before trying again."),
        400..500 => ("ValidationException", "The request is not valid."),
        503 => ("ServiceUnavailableException", "Bedrock is unable to process your request."),
        _ => (
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
    };
    error(status, kind, message)
}

fn error(status: u16, kind: &str, message: &str) -> Refusal {
    let kind = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    Refusal::json(status, &json!({"message": message})).with([("x-amzn-errortype", kind)])
}

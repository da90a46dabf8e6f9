//! Errors as Google words them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::event::Event;
use crate::fault::Fault;
use crate::format::Format;
use crate::refusal::{Refusal, millis};

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const QUOTA_FAILURE: &str = "type.googleapis.com/google.rpc.QuotaFailure";
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// What Google says to a fault.
pub(crate) fn refusal(format: Format, fault: Fault<'_>) -> Refusal {
    let invalid = |message: &str| error(400, message, &[]);
    match fault {
        Fault::Invalid { message, .. } => invalid(message),
        Fault::Unknown { message } => {
            let kind = "type.googleapis.com/google.rpc.BadRequest";
            error(400, message, &[json!({"@type": kind, "fieldViolations": [{"description": message}]})])
        }
        Fault::Unauthorised | Fault::Signature { .. } => unauthorised(format),
        Fault::UnknownModel(model) if format == Format::Gemini => {
            let message = format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
                 ListModels to see the list of available models and their supported methods."
            );
            error(404, &message, &[])
        }
        Fault::UnknownModel(model) => {
            let message = format!(
                "Publisher Model `projects/p/locations/l/publishers/google/models/{model}` was not found or your \
                 project does not have access to it."
            );
            error(404, &message, &[])
        }
        Fault::UnknownPath { .. } | Fault::WrongMethod(_) => error(404, "Requested entity was not found.", &[]),
        Fault::TooLong { window, prompt, .. } => invalid(&format!(
            "The input token count ({prompt}) exceeds the maximum number of tokens allowed ({window})."
        )),
        Fault::Filtered => Refusal::json(200, &filtered()),
        Fault::OverLimit { model, unit, limit, wait } => {
            let (metric, id) = match unit {
                "requests" => ("generate_content_requests", "GenerateRequestsPerMinutePerProjectPerModel"),
                _ => ("generate_content_input_token_count", "GenerateContentInputTokensPerModelPerMinute"),
            };
            let metric = format!("generativelanguage.googleapis.com/{metric}");
            let message = format!(
                "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for \
                 metric: {metric}, limit: {limit}\nPlease retry in {:.3}s.",
                wait.as_secs_f64()
            );
            let violation = json!({
                "quotaMetric": metric,
                "quotaId": id,
                "quotaDimensions": {"model": model, "location": "global"},
                "quotaValue": limit.to_string(),
            });
            error(429, &message, &[json!({"@type": QUOTA_FAILURE, "violations": [violation]}), retry_info(wait)])
        }
        Fault::OverParallel { .. } => {
            let message = "Resource has been exhausted (e.g. check quota).";
            error(429, message, &[retry_info(Duration::from_secs(1))])
        }
        Fault::Status(401, _) if format != Format::Gemini => unauthorised(format),
        Fault::Status(status, wait) => {
            error(status, by_status(status).1, &wait.map(retry_info).into_iter().collect::<Vec<_>>())
        }
        Fault::MidAnswer => error(503, by_status(503).1, &[]),
    }
}

/// An error in a stream.
pub(crate) fn error_event(format: Format) -> Event {
    Event::data(refusal(format, Fault::MidAnswer).into_body())
}

fn unauthorised(format: Format) -> Refusal {
    if format == Format::Gemini {
        let details = json!({"@type": ERROR_INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"}});
        return error(400, "API key not valid. Please pass a valid API key.", &[details]);
    }
    let details = json!({"@type": ERROR_INFO, "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "metadata": {"service": "aiplatform.googleapis.com"}});
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                   other valid authentication credential.";
    error(401, message, &[details])
}

fn by_status(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("UNAUTHENTICATED", "Request is missing required authentication credential."),
        403 => ("PERMISSION_DENIED", "The caller does not have permission"),
        404 => ("NOT_FOUND", "Requested entity was not found."),
        409 => ("ABORTED", "The operation was aborted."),
        429 => ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        499 => ("CANCELLED", "The operation was cancelled."),
        400..=499 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
        501 => ("UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."),
        503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
        _ => (
            "INTERNAL",
            "An internal error has occurred. Please retry or report in \
                           https://developers.generativeai.google/guide/troubleshooting",
        ),
    }
}

fn error(status: u16, message: &str, details: &[Value]) -> Refusal {
    let mut error = json!({"code": status, "message": message, "status": by_status(status).0});
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    Refusal::json(status, &json!({"error": error}))
}

fn retry_info(wait: Duration) -> Value {
    let millis = millis(wait);
    let delay = match millis % 1000 {
        0 => format!("{}s", millis / 1000),
        rest => format!("{}.{rest:03}s", millis / 1000),
    };
    json!({"@type": RETRY_INFO, "retryDelay": delay})
}

/// A prompt that is stopped is no error to Google.
fn filtered() -> Value {
    json!({
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 0, "totalTokenCount": 0},
        "modelVersion": "fake",
    })
}

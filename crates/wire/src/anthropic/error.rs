//! Errors in Anthropic's words.

use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::time::Timestamp;

use crate::failure::{classify, in_band};

/// What tells a client of a failure.
pub(super) fn error_body(kind: FailureKind, message: &str, request_id: &str) -> Bytes {
    let error = ErrorJson { kind: word(kind), message };
    // Printing texts as JSON cannot fail.
    serde_json::to_vec(&EnvelopeJson { kind: "error", error, request_id }).unwrap_or_default().into()
}

/// The failure that an error object is which came with status 200: its type stands for a status.
pub(super) fn failure(body: &[u8]) -> Failure {
    let body = Bytes::copy_from_slice(body);
    match serde_json::from_slice::<TypeJson>(&body).ok().and_then(|json| status(&json.error.kind)) {
        Some(status) => classify(status, &HeaderMap::new(), &body, Timestamp::default()),
        None => in_band(std::str::from_utf8(&body).unwrap_or_default(), body.clone()),
    }
}

#[derive(Serialize)]
struct EnvelopeJson<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    error: ErrorJson<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}

#[derive(Deserialize)]
struct TypeJson {
    error: InnerJson,
}

#[derive(Deserialize)]
struct InnerJson {
    #[serde(rename = "type")]
    kind: String,
}

fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::BadRequest | FailureKind::ContextWindow | FailureKind::ContentPolicy => "invalid_request_error",
        FailureKind::Authentication => "authentication_error",
        FailureKind::Quota => "billing_error",
        FailureKind::NotFound => "not_found_error",
        FailureKind::RateLimited | FailureKind::AtLimit => "rate_limit_error",
        FailureKind::Overloaded | FailureKind::AllCooling => "overloaded_error",
        FailureKind::Timeout => "timeout_error",
        FailureKind::ServerError | FailureKind::Unreachable | FailureKind::BrokenReply | FailureKind::NoCandidate => {
            "api_error"
        }
    }
}

fn status(word: &str) -> Option<u16> {
    Some(match word {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::failure::FailureKind;

    use super::{error_body, failure, word};

    #[test]
    fn the_envelope_is_anthropics() {
        let body = error_body(FailureKind::RateLimited, "slow \"down\"", "req_1");
        let expected =
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow \"down\""},"request_id":"req_1"}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn a_type_stands_for_a_status() {
        let rows = [
            ("overloaded_error", "Overloaded", "overloaded 529"),
            ("rate_limit_error", "slow down", "rate_limited 429"),
            ("invalid_request_error", "messages: bad", "bad_request 400"),
            ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", "context_window 400"),
            ("invalid_request_error", "Output blocked by content filtering policy", "content_policy 400"),
            ("authentication_error", "invalid x-api-key sk-ant-1", "authentication 401"),
            ("permission_error", "no", "authentication 403"),
            ("billing_error", "no money", "quota 402"),
            ("not_found_error", "model: x", "not_found 404"),
            ("request_too_large", "big", "bad_request 413"),
            ("timeout_error", "late", "timeout 504"),
            ("api_error", "Internal server error", "server_error 500"),
            ("new_error", "odd", "server_error 500"),
        ];
        for (kind, message, expected) in rows {
            let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
            let failure = failure(body.as_bytes());
            assert_eq!(format!("{} {}", failure.kind.label(), failure.http_status()), expected, "{body}");
            assert!(!failure.message.contains("sk-ant"));
        }
    }

    #[test]
    fn every_kind_has_a_word_that_reads_back() {
        for kind in FailureKind::ALL {
            assert!(super::status(word(kind)).is_some(), "{kind:?}");
        }
    }
}

//! What a provider's error means: its status, its headers and its words as one of the kinds of failure.

use bytes::Bytes;
use http::HeaderMap;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::time::Timestamp;

use crate::retry_after::retry_after;

/// The longest message passed on, in characters.
const LONGEST_MESSAGE: usize = 2000;

/// The failure that an error response of `status` is.
pub fn classify(status: u16, headers: &HeaderMap, body: &Bytes, now: Timestamp) -> Failure {
    let words = Words::of(body);
    let kind = match kind(status, &words) {
        // Google says "in 30 s" of a quota that is for the day.
        FailureKind::RateLimited if memmem::find(body, b"PerDay").is_some() => FailureKind::Quota,
        kind => aws_kind(headers, &words).unwrap_or(kind),
    };
    if kind == FailureKind::Authentication {
        // Some providers repeat the key they were shown.
        let message = "the provider refused the credential of this deployment";
        return Failure { status: Some(status), ..Failure::new(kind, message) };
    }
    if status < 400 {
        let message = format!("the provider answered with status {status}; redirects are not followed");
        return Failure::new(FailureKind::BrokenReply, message);
    }
    let message = match &words.message {
        Some(message) => message.chars().take(LONGEST_MESSAGE).collect(),
        None => format!("the provider answered with status {status}"),
    };
    let is_json = serde_json::from_slice::<&RawValue>(body).is_ok();
    Failure {
        kind,
        status: Some(status),
        retry_after: retry_after(headers, body, words.message.as_deref().unwrap_or_default(), now),
        message,
        body: is_json.then(|| body.clone()),
    }
}

/// The failure that an error object is which came with status 200, in a stream or a whole reply.
pub(crate) fn in_band(error: &str, body: Bytes) -> Failure {
    let words = Words::of(error.as_bytes());
    let status = words.status.filter(|status| (400..600).contains(status)).unwrap_or(500);
    let kind = match kind(status, &words) {
        // No status of its own: the words decide, and without any it is the provider's fault.
        FailureKind::ServerError if words.has(&["rate_limit", "too many requests"]) => FailureKind::RateLimited,
        FailureKind::ServerError if words.has(&["overloaded", "no capacity"]) => FailureKind::Overloaded,
        kind => kind,
    };
    let status = if status == 500 { kind.default_status() } else { status };
    if kind == FailureKind::Authentication {
        return Failure {
            status: Some(status),
            ..Failure::new(kind, "the provider refused the credential of this deployment")
        };
    }
    let message = words.message.unwrap_or_else(|| "the provider sent an error in place of a reply".to_owned());
    Failure { kind, status: Some(status), retry_after: None, message, body: Some(body) }
}

fn kind(status: u16, words: &Words) -> FailureKind {
    match status {
        400 | 413 | 422 if words.has(CONTEXT_WINDOW) => FailureKind::ContextWindow,
        // A request above a limit per minute by itself: no waiting helps, somebody with more room does.
        413 if words.has(LARGER_THAN_LIMIT) => FailureKind::ContextWindow,
        400 | 403 | 422 | 451 if words.has(CONTENT_POLICY) => FailureKind::ContentPolicy,
        400 | 403 | 429 if words.has(QUOTA) => FailureKind::Quota,
        400 | 403 if words.has(NOT_FOUND) => FailureKind::NotFound,
        400 if words.has(BAD_KEY) => FailureKind::Authentication,
        // Cohere's word for a token that is none, and for what it will not read; at Groq it is a lack of capacity.
        498 if words.has(BLOCKED) => FailureKind::ContentPolicy,
        498 if words.has(BAD_TOKEN) => FailureKind::Authentication,
        401 | 403 => FailureKind::Authentication,
        402 => FailureKind::Quota,
        404 => FailureKind::NotFound,
        408 | 504 | 524 => FailureKind::Timeout,
        429 => FailureKind::RateLimited,
        498 | 503 | 529 => FailureKind::Overloaded,
        500 if words.has(CONTEXT_WINDOW) => FailureKind::ContextWindow,
        // Of a model that broke (Bedrock), or whose call was given up there (Cohere, Groq, Google): nobody here did.
        424 | 499 => FailureKind::ServerError,
        500.. => FailureKind::ServerError,
        _ => FailureKind::BadRequest,
    }
}

/// What AWS means, which names its errors in a header: a status may stand for several.
fn aws_kind(headers: &HeaderMap, words: &Words) -> Option<FailureKind> {
    let name = headers.get("x-amzn-errortype")?.to_str().ok()?;
    // Some services put the place of a description behind it.
    let name = name.split(':').next().unwrap_or(name).trim();
    Some(match name {
        "ThrottlingException" if words.has(USED_UP_FOR_THE_DAY) => FailureKind::Quota,
        "ThrottlingException" | "TooManyRequestsException" => FailureKind::RateLimited,
        "ServiceQuotaExceededException" => FailureKind::Quota,
        "AccessDeniedException"
        | "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "UnrecognizedClientException" => FailureKind::Authentication,
        "ResourceNotFoundException" => FailureKind::NotFound,
        "ModelNotReadyException" | "ServiceUnavailableException" => FailureKind::Overloaded,
        "ModelTimeoutException" => FailureKind::Timeout,
        "InternalServerException" | "ModelErrorException" | "ModelStreamErrorException" => FailureKind::ServerError,
        "ValidationException" if words.has(CONTEXT_WINDOW) => FailureKind::ContextWindow,
        "ValidationException" if words.has(NO_SUCH_MODEL_AT_AWS) => FailureKind::NotFound,
        "ValidationException" => FailureKind::BadRequest,
        _ => return None,
    })
}

const CONTEXT_WINDOW: &[&str] = &[
    "context_length_exceeded",
    "maximum context length",
    "context window",
    "context length",
    "prompt is too long",
    "input is too long",
    "input length and `max_tokens` exceed",
    "exceeds the maximum number of tokens",
    "exceed the maximum number of input tokens",
    "too many input tokens",
    // Cohere
    "too many tokens: total number of tokens",
    // Together, and text-generation-inference below it
    "`inputs` tokens + `max_new_tokens` must be",
    // llama.cpp, and Ollama over it
    "exceeds the available context size",
    "string too long. expected a string with maximum length",
];
const CONTENT_POLICY: &[&str] = &[
    "content_filter",
    "content_policy",
    "content management policy",
    "responsibleaipolicyviolation",
    "violates our usage policies",
    "violating our usage policy",
    "safety system",
    "output blocked by content filtering",
    // OpenRouter
    "requires moderation",
    "your input was flagged",
    FLAGGED,
];
/// `OpenRouter`'s name for what a moderator would not read: by it such a 403 is told from one about a key.
const FLAGGED: &str = "flagged_input";
/// Groq's and others', for one request above a limit per minute.
const LARGER_THAN_LIMIT: &[&str] = &["request too large", "tokens per minute"];
/// Cohere's.
const BLOCKED: &[&str] = &["blocked"];
const BAD_TOKEN: &[&str] = &["token"];
const USED_UP_FOR_THE_DAY: &[&str] = &["tokens per day"];
const NO_SUCH_MODEL_AT_AWS: &[&str] = &["model identifier is invalid"];
const QUOTA: &[&str] = &["insufficient_quota", "billing_hard_limit", "credit balance is too low"];
const NOT_FOUND: &[&str] = &["model_not_found", "deploymentnotfound", "not_found_error"];
/// `Gemini` says this with status 400.
const BAD_KEY: &[&str] = &["api key not valid", "api_key_invalid", "api key expired"];

/// What stands behind the message of `error`: Azure's inner error, or what `OpenRouter` was told by the provider it asked.
fn detail(error: &serde_json::Map<String, serde_json::Value>) -> Option<serde_json::Value> {
    let told = |name: &str| error.get("metadata")?.get(name);
    let flagged = told(FLAGGED).map(|_| FLAGGED.into());
    flagged.or_else(|| error.get("innererror").or_else(|| told("raw")).cloned())
}

/// What an error body says, in one shape.
#[derive(Debug, Default)]
struct Words {
    message: Option<String>,
    /// Message, type and code in lower case, to be searched.
    all: String,
    /// A status within the body.
    status: Option<u16>,
}

/// The many shapes of error bodies.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorJson {
    error: Option<serde_json::Value>,
    message: Option<serde_json::Value>,
    detail: Option<serde_json::Value>,
    code: Option<serde_json::Value>,
    r#type: Option<serde_json::Value>,
    status: Option<serde_json::Value>,
}

impl Words {
    /// The words of an error body, or of an error object by itself.
    fn of(body: &[u8]) -> Self {
        // Gemini wraps its error in an array. Tried first: an array also reads as a struct.
        let json = serde_json::from_slice::<Vec<ErrorJson>>(body)
            .map(|mut all| all.pop().unwrap_or_default())
            .or_else(|_| serde_json::from_slice(body));
        let Ok(json) = json else { return Self::default() };
        let inner = match &json.error {
            Some(serde_json::Value::Object(error)) => ErrorJson {
                error: None,
                message: error.get("message").cloned(),
                detail: detail(error),
                code: error.get("code").cloned(),
                r#type: error.get("type").cloned(),
                status: error.get("status").cloned(),
            },
            Some(text @ serde_json::Value::String(_)) => ErrorJson { message: Some(text.clone()), ..json },
            _ => json,
        };
        let plain = |value: &Option<serde_json::Value>| match value {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let status = [&inner.code, &inner.status].into_iter().find_map(|value| plain(value).parse().ok());
        let fields = [&inner.message, &inner.detail, &inner.code, &inner.r#type, &inner.status];
        let all = fields.map(plain).join("\n").to_lowercase();
        let message = [&inner.message, &inner.detail].into_iter().map(plain).find(|text| !text.is_empty());
        Self { message, all, status }
    }

    fn has(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| self.all.contains(pattern))
    }
}

#[cfg(test)]
mod tests;

//! Errors as clients read them: the one place where a failure becomes a status and a body.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize, Serializer};
use weighbridge_domain::event::AttemptRecord;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::request::Operation;
use weighbridge_domain::time::millis;
use weighbridge_engine::{AnswerHead, Failed};

use crate::headers::Stamp;

/// What clients are told when nobody knows better: slots free up whenever a request ends, so soon.
const RETRY_AFTER_UNKNOWN: Duration = Duration::from_secs(1);

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// `OpenAI`'s envelope, and beside it what Portkey's clients look for.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    errors: &'a [String],
    error: Fields<'a>,
}

/// Whose clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Everybody's.
    OpenAi,
    /// Those of Portkey's gateway as well.
    Portkey,
    /// Anthropic's, in their own words.
    Anthropic,
}

impl Shape {
    /// The shape that clients of `operation` read.
    pub(crate) const fn of(operation: Operation) -> Self {
        match operation {
            Operation::Messages | Operation::CountTokens => Self::Anthropic,
            Operation::Chat
            | Operation::Responses
            | Operation::Completions
            | Operation::Embeddings
            | Operation::Moderations
            | Operation::Rerank
            | Operation::ImageGenerations
            | Operation::ImageEdits
            | Operation::ImageVariations
            | Operation::Speech
            | Operation::Transcriptions
            | Operation::Translations => Self::OpenAi,
        }
    }
}

/// Anthropic's envelope.
#[derive(Serialize)]
struct AnthropicEnvelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicFields<'a>,
}

#[derive(Serialize)]
struct AnthropicFields<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    #[serde(serialize_with = "attempts")]
    attempts: &'a [AttemptRecord],
}

#[derive(Serialize)]
struct Fields<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
    #[serde(serialize_with = "attempts")]
    attempts: &'a [AttemptRecord],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    problems: &'a [String],
}

/// One attempt in an error's `attempts`.
#[derive(Serialize)]
struct Attempt<'a> {
    deployment: Option<&'a str>,
    status: u16,
    kind: Option<&'static str>,
    ms: u64,
}

/// What an error's body says.
pub(crate) struct Detail<'a> {
    pub(crate) message: &'a str,
    pub(crate) kind: Cow<'a, str>,
    pub(crate) param: Option<Cow<'a, str>>,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) attempts: &'a [AttemptRecord],
    pub(crate) problems: &'a [String],
    pub(crate) shape: Shape,
}

/// The response for a request that the engine could not get answered, in the `shape` that its client reads.
pub(crate) fn failed(failed: &Failed, stamp: &Stamp, shape: Shape) -> Response {
    let Failed { head, failure } = failed;
    let status = status(failure);
    let upstream = failure.body.as_ref().filter(|_| may_quote(failure.kind)).and_then(UpstreamError::read);
    let mut detail = Detail {
        message: &failure.message,
        kind: failure.kind.openai_type().into(),
        param: own_param(failure).map(Cow::Borrowed),
        code: own_code(head, failure, status.as_str()).map(|code| code.to_owned().into()),
        attempts: &head.attempts,
        problems: &[],
        shape: match shape {
            Shape::OpenAi if head.by_config && failure.kind == FailureKind::NoCandidate => Shape::Portkey,
            shape => shape,
        },
    };
    if let Some(upstream) = &upstream {
        detail.message = &upstream.message;
        detail.param = upstream.param.as_deref().map(Cow::Borrowed).or(detail.param);
        detail.code = upstream.code.as_ref().map(Code::text).or(detail.code);
        if let Some(kind) = &upstream.kind {
            detail.kind = kind.as_str().into();
        }
    }
    let mut response = respond(status, failure.retry_after, &detail);
    // Our own retries are spent: an SDK's on top of them would only multiply the load.
    response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    stamp.failed(head, response.headers_mut());
    response
}

/// A response with `status` that tells `detail`, with Retry-After where clients expect one.
pub(crate) fn respond(status: StatusCode, retry_after: Option<Duration>, detail: &Detail<'_>) -> Response {
    // Text and numbers only, which always print.
    let body = body(status, detail).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED && detail.attempts.is_empty() {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let always = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    if let Some(pause) = retry_after.or(always.then_some(RETRY_AFTER_UNKNOWN)) {
        let ms = millis(pause).max(1);
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
    }
    response
}

/// The body that tells `detail`.
fn body(status: StatusCode, detail: &Detail<'_>) -> serde_json::Result<Vec<u8>> {
    let (failure, errors) = match detail.shape {
        Shape::Anthropic => {
            let error =
                AnthropicFields { kind: anthropic_type(status), message: detail.message, attempts: detail.attempts };
            return serde_json::to_vec(&AnthropicEnvelope { kind: "error", error });
        }
        Shape::OpenAi => (None, &[][..]),
        Shape::Portkey => (Some("failure"), detail.problems),
    };
    let error = Fields {
        message: detail.message,
        kind: &detail.kind,
        param: detail.param.as_deref(),
        code: detail.code.as_deref(),
        attempts: detail.attempts,
        problems: detail.problems,
    };
    serde_json::to_vec(&Envelope { status: failure, message: failure.map(|_| detail.message), errors, error })
}

/// The `type` that Anthropic's API has for errors of `status`.
fn anthropic_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// The provider's status, unless it is none that an error can have.
fn status(failure: &Failure) -> StatusCode {
    let of = |code| StatusCode::from_u16(code).ok().filter(|status| (400..600).contains(&status.as_u16()));
    of(failure.http_status()).or_else(|| of(failure.kind.default_status())).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The `code` of an error whose provider named none; the status where nobody knows better. Portkey has none for the
/// timeout of a config object.
fn own_code<'a>(head: &AnswerHead, failure: &Failure, status: &'a str) -> Option<&'a str> {
    let is_portkeys = head.by_config && failure.kind == FailureKind::Timeout && failure.body.is_none();
    error_code(failure.kind).or((!is_portkeys).then_some(status))
}

/// The `code` of an error whose provider named none, where `OpenAI` has one that SDKs look for.
const fn error_code(kind: FailureKind) -> Option<&'static str> {
    match kind {
        FailureKind::NotFound => Some("model_not_found"),
        FailureKind::ContextWindow => Some("context_length_exceeded"),
        FailureKind::ContentPolicy => Some("content_policy_violation"),
        FailureKind::BadRequest
        | FailureKind::Authentication
        | FailureKind::Quota
        | FailureKind::RateLimited
        | FailureKind::Overloaded
        | FailureKind::ServerError
        | FailureKind::Timeout
        | FailureKind::Unreachable
        | FailureKind::BrokenReply
        | FailureKind::AtLimit
        | FailureKind::AllCooling
        | FailureKind::NoCandidate => None,
    }
}

/// Whether a provider's own words may reach a client. About credentials they may not: they are
/// the operator's, and providers quote them.
const fn may_quote(kind: FailureKind) -> bool {
    !matches!(kind, FailureKind::Authentication)
}

/// The field our own verdict is about.
fn own_param(failure: &Failure) -> Option<&'static str> {
    (failure.kind == FailureKind::NotFound && failure.body.is_none()).then_some("model")
}

/// A provider's error in `OpenAI`'s shape.
#[derive(Deserialize)]
struct UpstreamError {
    message: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    param: Option<String>,
    #[serde(default)]
    code: Option<Code>,
}

/// A code is text, but some providers send a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    Number(i64),
}

impl UpstreamError {
    fn read(body: &Bytes) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body {
            error: UpstreamError,
        }
        serde_json::from_slice::<Body>(body).ok().map(|body| body.error)
    }
}

impl Code {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => number.to_string().into(),
        }
    }
}

fn attempts<S: Serializer>(attempts: &[AttemptRecord], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(attempts.iter().map(|attempt| Attempt {
        deployment: attempt.deployment.as_ref().map(DeploymentId::as_str),
        status: attempt.status,
        kind: attempt.kind.map(FailureKind::label),
        ms: attempt.ms,
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use expect_test::{Expect, expect};
    use http::HeaderMap;
    use http_body_util::BodyExt;
    use weighbridge_domain::event::AttemptRecord;
    use weighbridge_domain::failure::{Failure, FailureKind};
    use weighbridge_domain::settings::HeaderFamilies;
    use weighbridge_engine::{AnswerHead, Failed};

    use super::{Shape, failed};
    use crate::headers::Stamp;

    /// Status, the headers that clients act on, and the body.
    async fn check(failure: Failure, attempts: Vec<AttemptRecord>, expected: Expect) {
        let head = AnswerHead { attempts, ..AnswerHead::default() };
        let families = HeaderFamilies { weighbridge: false, litellm: false, portkey: false };
        let stamp = Stamp::new(families, "req-1", &HeaderMap::new(), Shape::OpenAi);
        let response = failed(&Failed { head, failure }, &stamp, Shape::OpenAi);
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        let (after, after_ms, should) = (header("retry-after"), header("retry-after-ms"), header("x-should-retry"));
        assert_eq!((should.as_str(), header("x-request-id").as_str()), ("false", "req-1"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = std::str::from_utf8(&body).unwrap();
        expected.assert_eq(&format!("{status} retry-after: {after} ({after_ms} ms)\n{body}"));
    }

    fn attempt(deployment: Option<&str>, status: u16, kind: FailureKind) -> AttemptRecord {
        AttemptRecord { deployment: deployment.map(Into::into), status, kind: Some(kind), ms: 12 }
    }

    #[tokio::test]
    async fn our_own_verdicts() {
        let at_limit = Failure {
            retry_after: Some(Duration::from_millis(1200)),
            ..Failure::new(FailureKind::AtLimit, "Every deployment of gpt-4o is at its limit.")
        };
        check(at_limit, vec![attempt(None, 429, FailureKind::AtLimit)], expect![[r#"
            429 retry-after: 2 (1200 ms)
            {"error":{"message":"Every deployment of gpt-4o is at its limit.","type":"rate_limit_error","param":null,"code":"429","attempts":[{"deployment":null,"status":429,"kind":"at_limit","ms":12}]}}"#]]).await;
        check(Failure::new(FailureKind::AllCooling, "All rest."), Vec::new(), expect![[r#"
            503 retry-after: 1 (1000 ms)
            {"error":{"message":"All rest.","type":"service_unavailable_error","param":null,"code":"503","attempts":[]}}"#]]).await;
        check(Failure::new(FailureKind::NotFound, "No such model."), Vec::new(), expect![[r#"
            404 retry-after: - (- ms)
            {"error":{"message":"No such model.","type":"invalid_request_error","param":"model","code":"model_not_found","attempts":[]}}"#]]).await;
    }

    #[tokio::test]
    async fn a_providers_own_words_are_kept() {
        let body = r#"{"error":{"message":"Too long: 9 > 8","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
        let failure = Failure {
            status: Some(400),
            body: Some(Bytes::from(body)),
            ..Failure::new(FailureKind::ContextWindow, "the prompt is too long")
        };
        check(failure, vec![attempt(Some("a"), 400, FailureKind::ContextWindow)], expect![[r#"
            400 retry-after: - (- ms)
            {"error":{"message":"Too long: 9 > 8","type":"invalid_request_error","param":"messages","code":"context_length_exceeded","attempts":[{"deployment":"a","status":400,"kind":"context_window","ms":12}]}}"#]]).await;

        let failure = Failure {
            status: Some(429),
            body: Some(Bytes::from(r#"{"error":{"message":"Slow down","type":null,"code":1302}}"#)),
            ..Failure::new(FailureKind::RateLimited, "limited")
        };
        check(
            failure,
            Vec::new(),
            expect![[r#"
            429 retry-after: 1 (1000 ms)
            {"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"1302","attempts":[]}}"#]],
        )
        .await;
    }

    #[tokio::test]
    async fn other_shapes_and_credentials_are_told_in_our_words() {
        let failure = Failure {
            status: Some(500),
            body: Some(Bytes::from(r#"{"detail":"stack trace"}"#)),
            ..Failure::new(FailureKind::ServerError, "The provider failed.")
        };
        check(failure, Vec::new(), expect![[r#"
            500 retry-after: - (- ms)
            {"error":{"message":"The provider failed.","type":"server_error","param":null,"code":"500","attempts":[]}}"#]]).await;
        let failure = Failure {
            status: Some(401),
            body: Some(Bytes::from(r#"{"error":{"message":"Incorrect API key: sk-abc","code":"invalid_api_key"}}"#)),
            ..Failure::new(FailureKind::Authentication, "The provider refused the router's credential.")
        };
        check(failure, vec![attempt(Some("a"), 401, FailureKind::Authentication)], expect![[r#"
            401 retry-after: - (- ms)
            {"error":{"message":"The provider refused the router's credential.","type":"authentication_error","param":null,"code":"401","attempts":[{"deployment":"a","status":401,"kind":"authentication","ms":12}]}}"#]]).await;
    }

    #[tokio::test]
    async fn a_status_that_is_no_error_becomes_one() {
        for status in [200, 302, 999] {
            let failure = Failure { status: Some(status), ..Failure::new(FailureKind::BrokenReply, "Odd.") };
            check(
                failure,
                Vec::new(),
                expect![[r#"
                502 retry-after: - (- ms)
                {"error":{"message":"Odd.","type":"server_error","param":null,"code":"502","attempts":[]}}"#]],
            )
            .await;
        }
    }

    #[test]
    fn every_kind_has_a_type() {
        let types: Vec<String> =
            FailureKind::ALL.iter().map(|kind| format!("{} {}", kind.default_status(), kind.openai_type())).collect();
        expect![[r#"
            400 invalid_request_error
            400 invalid_request_error
            400 invalid_request_error
            401 authentication_error
            402 insufficient_quota
            404 invalid_request_error
            429 rate_limit_error
            503 service_unavailable_error
            500 server_error
            408 timeout_error
            502 server_error
            502 server_error
            429 rate_limit_error
            503 service_unavailable_error
            503 service_unavailable_error"#]]
        .assert_eq(&types.join("\n"));
    }
}

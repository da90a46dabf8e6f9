//! Errors as OpenAI and Azure word them.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::meters::Exceeded;
use crate::scripted::{ScriptedStatus, header as parsed};

/// An answer that is not a reply.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    body: String,
    json: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A bad request, with OpenAI's type for it.
    pub(crate) fn invalid(message: &str, param: Option<&str>, code: Option<&str>) -> Self {
        Self::new(400, &error(message, "invalid_request_error", param, code))
    }

    /// The wrong credential, or none.
    pub(crate) fn unauthorised() -> Self {
        let message = "Incorrect API key provided. You can find your API key in the script.";
        Self::new(401, &error(message, "invalid_request_error", None, Some("invalid_api_key")))
    }

    /// A model there is not.
    pub(crate) fn unknown_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(404, &error(&message, "invalid_request_error", Some("model"), Some("model_not_found")))
    }

    /// A path there is not.
    pub(crate) fn unknown_path(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self::new(404, &error(&message, "invalid_request_error", None, None))
    }

    /// The wrong method.
    pub(crate) fn wrong_method(method: &str) -> Self {
        let message = format!("Not allowed to {method} on this path.");
        Self::new(405, &error(&message, "invalid_request_error", None, Some("method_not_supported")))
    }

    /// A request that is too long: `asked` says how long and why.
    pub(crate) fn too_long(window: u64, asked: &str) -> Self {
        let message = format!("This model's maximum context length is {window} tokens. However, {asked}.");
        Self::invalid(&message, Some("messages"), Some("context_length_exceeded"))
    }

    /// A prompt that Azure's filter stopped.
    pub(crate) fn filtered() -> Self {
        let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management \
                       policy. Please modify your prompt and retry.";
        let mut body = error(message, "invalid_request_error", Some("prompt"), Some("content_filter"));
        body["error"]["status"] = json!(400);
        body["error"]["innererror"] = json!({"code": "ResponsibleAIPolicyViolation", "content_filter_result": {
            "hate": {"filtered": false, "severity": "safe"},
            "violence": {"filtered": true, "severity": "medium"},
        }});
        Self::new(400, &body)
    }

    /// A request above a limit.
    pub(crate) fn over_limit(model: &str, exceeded: &Exceeded) -> Self {
        let Exceeded { unit, limit, wait } = exceeded;
        let message = format!(
            "Rate limit reached for {model} on {unit}: Limit {limit}. Please try again in {:.3}s.",
            wait.as_secs_f64()
        );
        Self::rate_limited(&message, *wait)
    }

    /// One request too many at the same time.
    pub(crate) fn over_parallel(model: &str, most: u64) -> Self {
        let message = format!("Rate limit reached for {model} on concurrent requests: Limit {most}.");
        Self::rate_limited(&message, Duration::from_secs(1))
    }

    /// What the script dictates.
    pub(crate) fn scripted(scripted: &ScriptedStatus) -> Self {
        let mut refusal = match &scripted.body {
            Some(Value::String(text)) => Self { json: false, body: text.clone(), ..Self::by_status(scripted.status) },
            Some(body) => Self::new(scripted.status, body),
            None => Self::by_status(scripted.status),
        };
        refusal.headers.extend(scripted.headers());
        refusal
    }

    /// Adds headers, unless they are there already.
    pub(crate) fn with(mut self, headers: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.headers.extend(headers.into_iter().filter_map(|(name, value)| parsed(name, &value)));
        self
    }

    /// As an HTTP response.
    pub(crate) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = if self.json { "application/json" } else { "text/plain; charset=utf-8" };
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().extend(self.headers);
        response
    }

    fn new(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string(), json: true, headers: Vec::new() }
    }

    fn rate_limited(message: &str, wait: Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000).max(1);
        Self::new(429, &error(message, "rate_limit_exceeded", None, Some("rate_limit_exceeded")))
            .with([("retry-after", millis.div_ceil(1000).to_string()), ("retry-after-ms", millis.to_string())])
    }

    fn by_status(status: u16) -> Self {
        let (message, kind, code) = match status {
            401 => return Self::unauthorised(),
            403 => ("You are not allowed to do this.", "invalid_request_error", Some("forbidden")),
            404 => ("The resource does not exist.", "invalid_request_error", Some("not_found")),
            408 => ("The request timed out.", "timeout", Some("timeout")),
            429 => ("Rate limit reached.", "rate_limit_exceeded", Some("rate_limit_exceeded")),
            400..500 => ("The request is not valid.", "invalid_request_error", None),
            503 => ("The engine is currently overloaded, please try again later.", "server_error", Some("overloaded")),
            _ => ("The server had an error while processing your request.", "server_error", None),
        };
        Self::new(status, &error(message, kind, None, code))
    }
}

/// OpenAI's error object.
pub(crate) fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// What goes wrong inside an answer that began well.
pub(crate) fn mid_answer_error() -> Value {
    error("The server had an error while processing your request.", "server_error", None, Some("server_error"))
}

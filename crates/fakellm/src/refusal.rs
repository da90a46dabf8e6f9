//! An answer that is not a reply.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use crate::fault::Fault;
use crate::format::Format;
use crate::formats;
use crate::scripted::{ScriptedStatus, header as parsed};

/// An answer that is not a reply.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    body: String,
    content_type: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// What a provider says to `fault`.
    pub(crate) fn of(format: Format, fault: Fault<'_>) -> Self {
        formats::refusal(format, fault)
    }

    /// A bad request.
    pub(crate) fn invalid(format: Format, message: &str) -> Self {
        Self::of(format, Fault::invalid(message))
    }

    /// A status with JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string(), content_type: "application/json", headers: Vec::new() }
    }

    /// The same, as a stream of events with this one in it.
    pub(crate) fn streamed(mut self) -> Self {
        self.body = format!("data: {}\r\n\r\n", self.body);
        self.content_type = "text/event-stream";
        self
    }

    /// What the script dictates.
    pub(crate) fn scripted(format: Format, scripted: &ScriptedStatus) -> Self {
        let worded = || Self::of(format, Fault::Status(scripted.status, scripted.wait()));
        let mut refusal = match &scripted.body {
            Some(Value::String(text)) => {
                Self { body: text.clone(), content_type: "text/plain; charset=utf-8", ..worded() }
            }
            Some(body) => Self::json(scripted.status, body),
            None => worded(),
        };
        // Google says in the body when to come back, unless it is a date.
        let told = format.is_at_google() && scripted.wait().is_some();
        refusal.headers.extend(scripted.headers().filter(|(name, _)| !told || !name.as_str().starts_with("retry-")));
        refusal
    }

    /// Adds headers.
    pub(crate) fn with(mut self, headers: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.headers.extend(headers.into_iter().filter_map(|(name, value)| parsed(name, &value)));
        self
    }

    /// The body alone.
    pub(crate) fn into_body(self) -> String {
        self.body
    }

    /// As an HTTP response.
    pub(crate) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response.headers_mut().extend(self.headers);
        response
    }
}

/// A wait in whole seconds, rounded up.
pub(crate) fn seconds(wait: Duration) -> u64 {
    millis(wait).div_ceil(1000)
}

/// A wait in whole milliseconds, rounded up and at least 1.
pub(crate) fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).max(1)
}

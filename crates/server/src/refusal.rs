//! A request that was turned away here, before the engine saw it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use weighbridge_config::objects::Invalid;

use crate::error::{Detail, Shape, respond};

/// Why a request was turned away, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Reason>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    status: StatusCode,
    kind: &'static str,
    message: Cow<'static, str>,
    param: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    problems: Vec<String>,
    /// Whether Portkey's clients are told in their own shape as well.
    is_about_config: bool,
}

impl Refusal {
    /// A refusal with `status` and the error type `kind` that tells `message`.
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(Reason {
            status,
            kind,
            message,
            param: None,
            retry_after: None,
            problems: Vec::new(),
            is_about_config: false,
        }))
    }

    /// 400: what is in `param` cannot be used.
    pub(crate) fn bad(param: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message).about(param)
    }

    /// 400: a config object cannot be used.
    pub(crate) fn config(invalid: Invalid) -> Self {
        let mut refusal = Self::bad("x-portkey-config", invalid.message).problems(invalid.errors);
        refusal.0.is_about_config = true;
        refusal
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
    }

    /// 500: our own fault, whose inner text is for the log.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The router failed. Its log says why.")
    }

    /// Names the field it is about.
    pub(crate) fn about(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// Says when to ask again.
    pub(crate) fn retry_after(mut self, pause: Duration) -> Self {
        self.0.retry_after = Some(pause);
        self
    }

    /// Adds what is wrong in detail, a line each.
    pub(crate) fn problems(mut self, problems: Vec<String>) -> Self {
        self.0.problems = problems;
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is wrong, for the client.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field it is about.
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        self.0.problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for Refusal {}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.told_as(Shape::OpenAi)
    }
}

impl Refusal {
    /// The response, in the `shape` that the client reads.
    pub(crate) fn told_as(&self, shape: Shape) -> Response {
        let detail = Detail {
            message: &self.0.message,
            kind: self.0.kind.into(),
            param: self.param().map(Cow::Borrowed),
            code: Some(self.0.status.as_str().into()),
            attempts: &[],
            problems: &self.0.problems,
            shape: if self.0.is_about_config && shape == Shape::OpenAi { Shape::Portkey } else { shape },
        };
        respond(self.0.status, self.0.retry_after, &detail)
    }
}

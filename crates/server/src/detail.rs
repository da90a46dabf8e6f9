//! Errors as Not Diamond's API words them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::refusal::Refusal;

/// Why a question was turned away.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    status: StatusCode,
    text: String,
}

impl Detail {
    /// 400.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// 404.
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }
}

impl From<Refusal> for Detail {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status(), text: refusal.message().to_owned() }
    }
}

impl IntoResponse for Detail {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "detail": self.text }))).into_response()
    }
}

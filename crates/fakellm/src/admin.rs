//! What a test asks and changes over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;

use crate::books::{Recorded, Report};
use crate::fake::FakeLlm;
use crate::script::ProviderScript;

/// `GET /admin/{name}/report`
pub(crate) async fn report(State(fake): State<FakeLlm>, Path(name): Path<String>) -> Json<Report> {
    Json(fake.report(&name))
}

/// `GET /admin/{name}/requests`
pub(crate) async fn requests(State(fake): State<FakeLlm>, Path(name): Path<String>) -> Json<Vec<Recorded>> {
    Json(fake.requests(&name))
}

/// `PUT /admin/{name}`: a provider's script, as YAML or JSON.
pub(crate) async fn put(
    State(fake): State<FakeLlm>,
    Path(name): Path<String>,
    body: String,
) -> Result<StatusCode, (StatusCode, String)> {
    let script = ProviderScript::from_yaml(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    fake.put(&name, script);
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /admin/reset`
pub(crate) async fn reset(State(fake): State<FakeLlm>) -> StatusCode {
    fake.reset();
    StatusCode::NO_CONTENT
}

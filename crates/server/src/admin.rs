//! What operators see and do, and which deployment would serve a request.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::request::Operation;
use weighbridge_domain::time::millis;
use weighbridge_engine::Engine;

use crate::app::App;
use crate::controls::span;
use crate::deployments::{guest_rows, rows};
use crate::refusal::Refusal;
use crate::request::{self, Arrival, Setting};
use crate::snapshot::Snapshot;

/// `GET /router/deployments`: every deployment, as it is now.
pub(crate) async fn deployments(State(app): State<Arc<App>>) -> Json<Value> {
    let snapshot = Snapshot::take(&app.engine).await;
    let rows = rows(&snapshot.table, &snapshot.views, snapshot.now);
    let status = snapshot.status;
    let state = app.engine.state();
    let guests = state.guests();
    let guest_views = state.view(&guests, snapshot.now);
    Json(json!({
        "mode": status.mode.label(),
        "replicas": status.replicas,
        "deployments": rows,
        // Brought along by config objects; one is here for its breaker.
        "guests": guest_rows(&guests, &guest_views, snapshot.now),
    }))
}

/// `POST /router/deployments/{id}/cooldown`: takes a deployment out, for a while or until restored.
pub(crate) async fn cool(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let id = known(&app.engine, &id)?;
    let lasts = cooldown_time(body)?;
    app.engine.state().drain(&id, lasts, app.engine.now()).await;
    tracing::info!(deployment.id = %id, lasts_ms = lasts.map(millis), "an operator drained a deployment");
    let cooldown = json!({ "remaining_ms": lasts.map(millis), "reason": "drained" });
    Ok(Json(json!({ "id": id.as_str(), "state": "drained", "cooldown": cooldown })))
}

/// `DELETE /router/deployments/{id}/cooldown`: ends whatever keeps it out.
pub(crate) async fn restore(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let id = known(&app.engine, &id)?;
    app.engine.state().restore(&id, app.engine.now()).await;
    tracing::info!(deployment.id = %id, "an operator restored a deployment");
    Ok(Json(json!({ "id": id.as_str(), "state": "ready", "cooldown": null })))
}

/// `POST /router/reload`: loads the configuration anew; a bad one changes nothing.
pub(crate) async fn reload(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    match app.reload.reload().await {
        Ok(reloaded) => Ok(Json(json!({ "generation": reloaded.generation, "warnings": reloaded.warnings }))),
        Err(problems) => {
            let message = "The configuration cannot be used; the one in force stays.";
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, "invalid_request_error", message);
            Err(refusal.problems(problems))
        }
    }
}

/// `POST /v1/route`: who would serve this request, best first. Calls nobody.
pub(crate) async fn rank(State(app): State<Arc<App>>, request: Request) -> Result<Json<Value>, Refusal> {
    let table = app.engine.table();
    let (parts, body) = request.into_parts();
    let arrival = Arrival {
        id: app.ids.of(&parts.headers),
        operation: Operation::Chat,
        path: parts.uri.path(),
        path_model: None,
        headers: &parts.headers,
        body: request::collect(body, table.server.max_body_bytes).await?,
    };
    let setting = Setting { table: &table, engine: &app.engine, configs: &app.configs };
    let request = request::outline(arrival, setting)?;
    if request.controls.config.is_none() && table.find(&request.model).is_none() {
        let message = format!("The model `{}` does not exist here.", request.model);
        return Err(Refusal::not_found(message).about("model"));
    }
    let ranked = app.engine.rank(&table, &request);
    let ranked: Vec<Value> = ranked
        .iter()
        .map(|ranked| json!({ "deployment": ranked.deployment.as_str(), "score": ranked.score }))
        .collect();
    let itinerary = app.engine.explain(&table, &request).unwrap_or_else(|why| vec![why]);
    Ok(Json(json!({ "ranked": ranked, "itinerary": itinerary })))
}

/// The deployment `id`, when it can be called.
fn known(engine: &Engine, id: &str) -> Result<DeploymentId, Refusal> {
    let unknown = || Refusal::not_found(format!("There is no deployment `{id}` that can be called.")).about("id");
    let table = engine.table();
    let guest = || engine.state().guests().into_iter().find(|guest| guest.id.as_str() == id);
    table.deployment(id).cloned().or_else(guest).map(|deployment| deployment.id.clone()).ok_or_else(unknown)
}

/// The time an operator gives, if any.
fn cooldown_time(body: Bytes) -> Result<Option<Duration>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let wrong = |_| Refusal::bad("request_body", "The body must be empty or `{\"cooldown_time\": <seconds>}`.");
    span(&JsonObject::parse(body).map_err(wrong)?, "cooldown_time")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::cooldown_time;

    #[test]
    fn an_operator_may_give_a_time() {
        let check = |body: &'static str| cooldown_time(body.into()).map_err(|refusal| refusal.status().as_u16());
        assert_eq!(check(""), Ok(None));
        assert_eq!(check(" \n"), Ok(None));
        assert_eq!(check("{}"), Ok(None));
        assert_eq!(check(r#"{"cooldown_time":null}"#), Ok(None));
        assert_eq!(check(r#"{"cooldown_time":1.5}"#), Ok(Some(Duration::from_millis(1500))));
        for bad in ["[]", "30", r#"{"cooldown_time":0}"#, r#"{"cooldown_time":-1}"#, r#"{"cooldown_time":"soon"}"#] {
            assert_eq!(check(bad), Err(400), "{bad}");
        }
    }
}

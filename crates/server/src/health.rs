//! Whether this replica lives, may be sent requests, and how its deployments are; and what it counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use weighbridge_domain::settings::Access;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::DeploymentView;

use crate::app::App;
use crate::auth;
use crate::deployments::{Row, rows};
use crate::refusal::Refusal;

/// The process runs. True while draining too: it must not be killed then.
pub(crate) async fn live() -> Json<&'static str> {
    Json("I'm alive!")
}

/// Requests may be sent here: 503 from the moment the end begins, and while nobody is let in.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.drain.is_draining() {
        let body = Json(json!({ "status": "draining" }));
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return response;
    }
    if app.engine.table().server.access == Access::Locked {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "locked" }))).into_response();
    }
    Json(json!({ "status": "healthy" })).into_response()
}

/// `GET /health`: where the truth is, and who can be asked.
pub(crate) async fn fleet(State(app): State<Arc<App>>) -> Json<Value> {
    let table = app.engine.table();
    let views = app.engine.views(&table);
    let status = if app.drain.is_draining() { "draining" } else { "healthy" };
    let mut page = summary(&table, &views, app.engine.now());
    page["status"] = status.into();
    page["mode"] = app.engine.state().status().mode.label().into();
    page["in_flight"] = app.in_flight().into();
    page["version"] = env!("CARGO_PKG_VERSION").into();
    page["fingerprint"] = table.fingerprint.as_str().into();
    Json(page)
}

/// `GET /metrics`: the page that Prometheus reads.
pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let table = app.engine.table();
    if table.server.metrics_need_key {
        auth::client(&headers, &table.server)?;
    }
    let views = app.engine.views(&table);
    match app.metrics.render(&table, &views, app.engine.state().status().mode.label(), app.engine.now()) {
        Ok(page) => {
            let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            Ok(([(CONTENT_TYPE, content_type)], page).into_response())
        }
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be printed");
            Err(Refusal::internal())
        }
    }
}

fn summary(table: &RoutingTable, views: &[DeploymentView], now: Timestamp) -> Value {
    let rows = rows(table, views, now);
    let healthy = rows.iter().filter(|row| row.state.is_healthy()).count();
    let brief = |row: &Row<'_>| json!({ "id": row.id, "group": row.group, "state": row.state });
    json!({
        "healthy_count": healthy,
        "unhealthy_count": rows.len() - healthy,
        "deployments": rows.iter().map(brief).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use weighbridge_domain::time::Timestamp;
    use weighbridge_domain::view::{DeploymentView, Health};

    use super::summary;
    use crate::testkit::{idle, table};

    #[test]
    fn deployments_are_counted_by_whether_they_are_asked() {
        let drained = DeploymentView { health: Health::Drained { until: None }, ..idle() };
        let shown = summary(&table(), &[idle(), drained], Timestamp::from_millis(1));
        expect![[r#"{"deployments":[{"group":"gpt-4o","id":"dep-1","state":"ready"},{"group":"gpt-4o","id":"dep/2","state":"drained"},{"group":"gpt-4o","id":"dep-3","state":"left_out"}],"healthy_count":1,"unhealthy_count":2}"#]]
            .assert_eq(&shown.to_string());
    }
}

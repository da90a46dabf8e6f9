//! Whether this replica lives, may be sent requests, and how its deployments are; and what it counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use weighbridge_domain::settings::Access;
use weighbridge_state::Exposure;

use crate::app::App;
use crate::auth;
use crate::deployments::{Row, rows};
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

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
    let snapshot = Snapshot::take(&app.engine).await;
    let mut page = summary(&snapshot);
    if app.drain.is_draining() {
        page["status"] = "draining".into();
    }
    page["in_flight"] = app.in_flight().into();
    page["version"] = env!("CARGO_PKG_VERSION").into();
    Json(page)
}

/// `GET /metrics`: the page that Prometheus reads.
pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let table = app.engine.table();
    if table.server.metrics_need_key {
        auth::client(&headers, &table.server)?;
    }
    match app.metrics.render(&Snapshot::take(&app.engine).await) {
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

/// Where the truth is and who can be asked. Readiness does not hang on it: a replica that is cut
/// off serves its share.
fn summary(snapshot: &Snapshot) -> Value {
    let rows = rows(&snapshot.table, &snapshot.views, snapshot.now);
    let healthy = rows.iter().filter(|row| row.state.is_healthy()).count();
    let brief = |row: &Row<'_>| json!({ "id": row.id, "group": row.group, "state": row.state });
    let mode = snapshot.status.mode;
    let mut page = json!({
        "status": if mode.is_exact() { "healthy" } else { "degraded" },
        "mode": mode.label(),
        "replicas": snapshot.status.replicas,
        "healthy_count": healthy,
        "unhealthy_count": rows.len() - healthy,
        "deployments": rows.iter().map(brief).collect::<Vec<_>>(),
        "fingerprint": snapshot.table.fingerprint,
    });
    if !mode.is_exact() {
        page["worst_case_overshoot"] = overshoot(snapshot);
    }
    page
}

/// How far beyond their limits deployments might be used; JSON has no infinity, so that is null.
fn overshoot(snapshot: &Snapshot) -> Value {
    let deployments = snapshot.table.deployments().zip(&snapshot.exposure);
    let exposed = deployments.filter(|(_, exposure)| **exposure != Exposure::default());
    let of = |exposure: &Exposure| json!({ "requests": exposure.requests, "tokens": exposure.tokens });
    exposed.map(|(deployment, exposure)| (deployment.id.to_string(), of(exposure))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::expect;
    use weighbridge_domain::time::Timestamp;
    use weighbridge_domain::view::{DeploymentView, Health};
    use weighbridge_state::{Exposure, Mode, Status};

    use super::summary;
    use crate::snapshot::Snapshot;
    use crate::testkit::{idle, table};

    fn snapshot(mode: Mode, exposure: [Exposure; 2]) -> Snapshot {
        Snapshot {
            table: Arc::new(table()),
            views: vec![idle(), DeploymentView { health: Health::Drained { until: None }, ..idle() }],
            exposure: exposure.into(),
            status: Status { mode, replicas: 3 },
            now: Timestamp::from_millis(1),
        }
    }

    #[test]
    fn deployments_are_counted_by_whether_they_are_asked() {
        let shown = summary(&snapshot(Mode::Shared, [Exposure::default(); 2]));
        expect![[r#"{"deployments":[{"group":"gpt-4o","id":"dep-1","state":"ready"},{"group":"gpt-4o","id":"dep/2","state":"drained"},{"group":"gpt-4o","id":"dep-3","state":"left_out"}],"fingerprint":"f00d","healthy_count":1,"mode":"shared","replicas":3,"status":"healthy","unhealthy_count":2}"#]].assert_eq(&shown.to_string());
    }

    #[test]
    fn limits_that_are_not_exact_are_told_with_their_worst_case() {
        let some = Exposure { requests: 2.5, tokens: 0.0 };
        let endless = Exposure { requests: f64::INFINITY, tokens: 10.0 };
        let check = |mode, exposure, expected: &str| {
            let page = summary(&snapshot(mode, exposure));
            let shown = format!("{} {}", page["status"].as_str().unwrap(), page["worst_case_overshoot"]);
            assert_eq!(shown, expected, "{mode:?}");
        };
        let none = Exposure::default();
        check(Mode::Embedded, [none, none], "healthy null");
        check(Mode::Shared, [some, none], "healthy null");
        check(Mode::Recovering, [none, none], "degraded {}");
        check(Mode::Local, [some, none], r#"degraded {"dep-1":{"requests":2.5,"tokens":0.0}}"#);
        check(Mode::Local, [none, endless], r#"degraded {"dep/2":{"requests":null,"tokens":10.0}}"#);
    }
}

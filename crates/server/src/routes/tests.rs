//! Every path, asked over an engine that can call nobody.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use weighbridge_domain::request::Operation;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::settings::Access;
use weighbridge_domain::table::RoutingTable;

use super::router;
use crate::drain::Drain;
use crate::testkit::{app, table};

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn param(&self) -> String {
        self.json()["error"]["param"].as_str().unwrap_or("null").to_owned()
    }
}

/// What is asked, from where, with which key.
struct Ask<'a> {
    table: RoutingTable,
    drain: Drain,
    peer: &'a str,
    key: Option<&'a str>,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self { table: table(), drain: Drain::new(), peer: "127.0.0.1:9", key: None }
    }
}

impl Ask<'_> {
    /// Sends `line`, such as `GET /health`, with `body`.
    async fn send(self, line: &str, body: &str) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let peer: SocketAddr = self.peer.parse().unwrap();
        let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(peer));
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = router(app(self.table, self.drain)).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }
}

async fn ask(line: &str, body: &str) -> Answer {
    Ask::default().send(line, body).await
}

fn with_key() -> RoutingTable {
    let mut table = table();
    table.server.access = Access::Key(Secret::new("sk-master"));
    table
}

#[tokio::test]
async fn every_operation_has_its_paths() {
    // What cannot be read is refused by the handler, which proves that the route leads there.
    let mut paths = vec!["/router/completions".to_owned(), "/v2/rerank".to_owned()];
    for operation in Operation::ALL {
        let path = operation.path();
        paths.extend([path.to_owned(), format!("/v1{path}"), format!("/openai/deployments/m%2Fx{path}")]);
    }
    paths.extend(["/chat/completions", "/completions", "/embeddings"].map(|path| format!("/engines/m{path}")));
    for path in paths {
        let answer = ask(&format!("POST {path}?api-version=1"), "not JSON").await;
        // Anthropic's errors name no field.
        let param = if path.contains("/messages") { "null" } else { "request_body" };
        assert_eq!((answer.status, answer.param().as_str()), (400, param), "{path}");
        assert_eq!(answer.headers["x-request-id"], answer.headers["x-litellm-call-id"], "{path}");
        assert_eq!(answer.headers["x-request-id"], answer.headers["x-portkey-trace-id"], "{path}");
    }
}

#[tokio::test]
async fn what_a_chat_lacks_is_named() {
    for (line, body, expected) in [
        ("POST /v1/chat/completions", "{}", "model"),
        ("POST /v1/chat/completions", r#"{"model":"gpt-4o"}"#, "messages"),
        ("POST /openai/deployments/gpt-4o/chat/completions", "{}", "messages"),
        ("POST /engines/gpt-4o/chat/completions", r#"{"messages":[]}"#, "messages"),
        ("POST /v1/chat/completions", r#"{"model":"gpt-4o","messages":[1],"timeout":"x"}"#, "timeout"),
        ("POST /v1/route", "{}", "model"),
    ] {
        let answer = ask(line, body).await;
        assert_eq!((answer.status, answer.param().as_str()), (400, expected), "{line} {body}");
        assert_eq!(answer.json()["error"]["code"], "400");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_get_the_envelope() {
    for (line, status) in [
        ("GET /nowhere", 404),
        ("POST /v1/nowhere", 404),
        ("GET /router/elsewhere", 404),
        ("GET /v1/chat/completions", 405),
        ("POST /health", 405),
        ("PUT /router/reload", 405),
    ] {
        let answer = ask(line, "").await;
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{line}");
        assert!(answer.headers.contains_key("x-request-id"), "{line}");
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{line}");
    }
}

#[tokio::test]
async fn the_master_key_guards_all_but_health() {
    let guarded = [
        "POST /v1/chat/completions",
        "POST /router/completions",
        "GET /v1/models",
        "GET /model/info",
        "POST /v1/route",
        "GET /router/deployments",
        "POST /router/reload",
    ];
    for line in guarded {
        for (key, shut) in [(None, true), (Some("sk-other"), true), (Some("sk-master"), false)] {
            let answer = Ask { table: with_key(), key, ..Ask::default() }.send(line, "").await;
            assert_eq!(answer.status == 401, shut, "{line} {key:?}");
            if shut {
                assert_eq!(answer.json()["error"]["type"], "authentication_error");
                assert!(answer.headers.contains_key("x-request-id"), "{line}");
            }
        }
    }
    for line in ["GET /health", "GET /health/ready", "GET /health/live", "GET /metrics"] {
        assert_eq!(Ask { table: with_key(), ..Ask::default() }.send(line, "").await.status, 200, "{line}");
    }
    let mut table = with_key();
    table.server.metrics_need_key = true;
    assert_eq!(Ask { table, ..Ask::default() }.send("GET /metrics", "").await.status, 401);
}

#[tokio::test]
async fn without_a_key_admin_routes_answer_on_loopback_only() {
    let far = "10.1.2.3:9";
    for line in ["GET /router/deployments", "POST /router/reload", "DELETE /router/deployments/dep-1/cooldown"] {
        let answer = Ask { peer: far, ..Ask::default() }.send(line, "").await;
        assert_eq!(answer.status, 403, "{line}");
        assert!(answer.text.contains("master_key"), "the way out is told: {}", answer.text);
        assert_ne!(ask(line, "").await.status, 403, "{line}");
    }
    for line in ["GET /v1/models", "GET /health", "GET /metrics"] {
        assert_eq!(Ask { peer: far, ..Ask::default() }.send(line, "").await.status, 200, "{line}");
    }
    assert_eq!(Ask { peer: far, ..Ask::default() }.send("POST /router/completions", "").await.status, 400);
}

#[tokio::test]
async fn limits_of_the_server_are_kept() {
    let mut full = table();
    full.server.max_concurrent_requests = 0;
    let answer = Ask { table: full, ..Ask::default() }.send("POST /v1/chat/completions", "{}").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(answer.headers.contains_key("x-litellm-call-id"));

    let mut small = table();
    small.server.max_body_bytes = 10;
    let answer = Ask { table: small, ..Ask::default() }.send("POST /v1/chat/completions", "{\"model\": 1}").await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_long_body_is_read_up_to_the_configured_length() {
    let body = format!(r#"{{"model":"gpt-4o","prompt":"{}"}}"#, "x".repeat(5 << 20));
    let answer = ask("POST /v1/chat/completions", &body).await;
    assert_eq!((answer.status, answer.param().as_str()), (400, "messages"), "no other limit holds");
}

#[tokio::test]
async fn models_are_listed_and_found() {
    for line in ["GET /v1/models", "GET /models"] {
        let answer = ask(line, "").await;
        assert_eq!(answer.json()["data"][0]["id"], "gpt-4o", "{line}");
    }
    assert_eq!(ask("GET /v1/models/gpt-4o", "").await.json()["owned_by"], "openai");
    let unknown = ask("GET /v1/models/open/ai/nope", "").await;
    assert_eq!((unknown.status, unknown.param().as_str()), (404, "model"));

    for line in ["GET /model/info", "GET /v1/model/info"] {
        let rows = ask(line, "").await.json();
        assert_eq!(rows["data"].as_array().unwrap().len(), 3, "{line}");
    }
    let one = ask("GET /model/info?litellm_model_id=dep%2F2", "").await.json();
    assert_eq!(one["data"][0]["model_info"]["id"], "dep/2");
    assert_eq!(ask("GET /model/info?litellm_model_id=nope", "").await.status, 400);
    assert_eq!(ask("GET /model_group/info", "").await.json()["data"][0]["model_group"], "gpt-4o");
    assert_eq!(ask("GET /model_group/info?model_group=nope", "").await.json()["data"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn operators_ask_about_deployments() {
    let answer = ask("GET /router/deployments", "").await.json();
    assert_eq!((&answer["mode"], &answer["replicas"]), (&"embedded".into(), &1.into()));
    let rows = answer["deployments"].as_array().unwrap();
    assert_eq!(rows.last().unwrap()["state"], "left_out");

    let unknown = "/router/deployments/nope/cooldown";
    assert_eq!(ask(&format!("POST {unknown}"), "").await.status, 404);
    assert_eq!(ask(&format!("DELETE {unknown}"), "").await.status, 404);

    let known = "/router/deployments/dep%2F2/cooldown";
    let answer = ask(&format!("POST {known}"), "").await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &Value::from("drained")));
    let answer = ask(&format!("POST {known}"), r#"{"cooldown_time":30}"#).await;
    assert_eq!(answer.json()["cooldown"]["remaining_ms"], 30_000);
    assert_eq!(ask(&format!("POST {known}"), r#"{"cooldown_time":"x"}"#).await.status, 400);
    assert_eq!(ask(&format!("DELETE {known}"), "").await.json()["state"], "ready");
}

#[tokio::test]
async fn a_refused_reload_tells_every_problem() {
    let answer = ask("POST /router/reload", "").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST.as_u16());
    assert_eq!(answer.json()["error"]["problems"][0], "error: router_config.yaml:3: model_list: missing");
}

#[tokio::test]
async fn routes_can_be_asked_about() {
    let answer = ask("POST /v1/route", r#"{"model":"gpt-4o"}"#).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["ranked"].is_array());
    assert_eq!(ask("POST /v1/route", r#"{"model":"nope"}"#).await.status, 404);
}

#[tokio::test]
async fn health_and_metrics() {
    for line in ["GET /health/live", "GET /health/liveness", "GET /health/liveliness"] {
        assert_eq!(ask(line, "").await.text, r#""I'm alive!""#, "{line}");
    }
    for line in ["GET /health/ready", "GET /health/readiness"] {
        assert_eq!(ask(line, "").await.status, 200, "{line}");
        let drain = Drain::new();
        drain.begin();
        let draining = Ask { drain, ..Ask::default() }.send(line, "").await;
        assert_eq!((draining.status, &draining.headers["retry-after"]), (503, &"1".parse().unwrap()), "{line}");
    }
    let health = ask("GET /health", "").await.json();
    assert_eq!((&health["status"], &health["mode"]), (&"healthy".into(), &"embedded".into()));
    assert_eq!((&health["replicas"], health.get("worst_case_overshoot")), (&1.into(), None));
    let drain = Drain::new();
    drain.begin();
    assert_eq!(Ask { drain, ..Ask::default() }.send("GET /health", "").await.json()["status"], "draining");
    assert_eq!(health["fingerprint"], "f00d");

    let metrics = ask("GET /metrics", "").await;
    assert_eq!(metrics.text, "weighbridge_store_mode{mode=\"embedded\"} 1\n");
    assert_eq!(metrics.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test]
async fn a_draining_replica_still_serves() {
    let drain = Drain::new();
    drain.begin();
    let answer = Ask { drain, ..Ask::default() }.send("POST /v1/chat/completions", "{}").await;
    assert_eq!(answer.status, 400, "it is read like any other");
}

#[test]
fn a_deployments_name_may_hold_slashes() {
    use weighbridge_domain::request::Operation;

    let check = |rest: &str| super::deployment_path(rest).map(|(model, operation)| (model.to_owned(), operation));
    let found = |model: &str, operation| Some((model.to_owned(), operation));
    assert_eq!(check("gpt/chat/completions"), found("gpt", Operation::Chat));
    assert_eq!(check("azure/gpt/chat/completions"), found("azure/gpt", Operation::Chat));
    assert_eq!(check("gpt/completions"), found("gpt", Operation::Completions));
    assert_eq!(check("a/b/audio/speech"), found("a/b", Operation::Speech));
    assert_eq!(check("gpt/nothing"), None);
    assert_eq!(check("chat/completions"), found("chat", Operation::Completions));
    assert_eq!(check("/chat/completions"), None);
}

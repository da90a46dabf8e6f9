//! What a test can ask and change, in code and over HTTP.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use tower::ServiceExt;
use weighbridge_fakellm::{FakeLlm, ProviderScript, Script};

use crate::support::{Answer, CHAT, chat, fake, finish, post};

async fn call(fake: &FakeLlm, method: &str, path: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    finish(fake.router().oneshot(request).await.unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn requests_are_recorded() {
    let fake = fake("");
    tokio::time::advance(Duration::from_millis(1500)).await;
    let request = Request::post("/p/openai/deployments/d/chat/completions?api-version=1").header("Api-Key", "sk-1");
    fake.router().oneshot(request.body(Body::from(r#"{"a":[1]}"#)).unwrap()).await.unwrap();
    post(&fake, "/p/v1/audio/transcriptions", "").await;
    let [azure, empty] = &fake.requests("p")[..] else { panic!("two requests") };
    assert_eq!((&*azure.method, &*azure.path), ("POST", "/p/openai/deployments/d/chat/completions"));
    assert_eq!((&*azure.query, &*azure.headers["api-key"]), ("api-version=1", "sk-1"));
    assert_eq!((&azure.body, azure.at_ms, azure.status), (&serde_json::json!({"a": [1]}), 1500, 200));
    assert_eq!(empty.body, "");
}

#[tokio::test]
async fn only_the_latest_requests_are_kept() {
    let fake = fake("record: 2");
    for model in ["a", "b", "c"] {
        chat(&fake, &format!(r#"{{"model":"{model}"}}"#)).await;
    }
    let models: Vec<_> = fake.requests("p").into_iter().map(|request| request.body["model"].clone()).collect();
    assert_eq!(models, ["b", "c"]);
    assert_eq!(fake.report("p").requests, 3);
}

#[tokio::test]
async fn behaviour_changes_and_counts_stay() {
    let limited = "{limits: [{discipline: sliding_log, requests: 2}]}";
    let fake = fake(limited);
    chat(&fake, CHAT).await;
    fake.put("p", ProviderScript { status: Some(503.into()), ..ProviderScript::from_yaml(limited).unwrap() });
    assert_eq!(chat(&fake, CHAT).await.status, 503);
    assert_eq!(chat(&fake, CHAT).await.status, 429, "what was taken of the limit stays taken");
    assert_eq!(fake.report("p").requests, 3);
    fake.put("p", ProviderScript::default());
    assert_eq!(chat(&fake, CHAT).await.status, 200);
}

#[tokio::test]
async fn a_reset_forgets_everything_but_the_script() {
    let fake = fake("{statuses: [500], limits: [{discipline: sliding_log, requests: 1}]}");
    for _ in 0..2 {
        assert_eq!([chat(&fake, CHAT).await.status, chat(&fake, CHAT).await.status], [500, 429]);
        assert_eq!(fake.report("p").requests, 2);
        fake.reset();
        assert_eq!((fake.report("p"), fake.requests("p").len()), Default::default());
    }
}

#[tokio::test]
async fn providers_that_nobody_named_serve_by_default() {
    let fake = FakeLlm::new(Script::default());
    assert_eq!(post(&fake, "/v1/chat/completions", CHAT).await.status, 200);
    assert_eq!(post(&fake, "/other/v1/chat/completions", CHAT).await.status, 200);
    assert_eq!((fake.report("default").served, fake.report("other").served, fake.report("none").served), (1, 1, 0));
}

#[tokio::test]
async fn the_same_over_http() {
    let fake = fake("");
    assert_eq!(call(&fake, "GET", "/health", "").await.status, 200);
    assert_eq!(call(&fake, "PUT", "/admin/p", "status: 500\n").await.status, 204);
    assert_eq!(chat(&fake, CHAT).await.status, 500);
    assert_eq!(call(&fake, "PUT", "/admin/p", r#"{"status": {"status": 503}}"#).await.status, 204);
    assert_eq!(chat(&fake, CHAT).await.status, 503);
    let bad = call(&fake, "PUT", "/admin/p", "latency: 1\nlatncy: 1\n").await;
    assert_eq!(bad.status, 400);
    assert!(bad.text().contains("line 2"), "{}", bad.text());

    let report = call(&fake, "GET", "/admin/p/report", "").await;
    assert_eq!(serde_json::from_value::<weighbridge_fakellm::Report>(report.json()).unwrap(), fake.report("p"));
    assert_eq!(report.json()["by_status"]["503"], 1);
    let requests = call(&fake, "GET", "/admin/p/requests", "").await.json();
    assert_eq!(requests[1]["body"]["model"], "m");
    assert_eq!(call(&fake, "POST", "/admin/reset", "").await.status, 204);
    assert_eq!(fake.report("p").requests, 0);
}

#[tokio::test]
async fn models_are_those_of_the_script() {
    let ids = |answer: Answer| answer.json()["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    let listed: Vec<_> = ids(call(&fake("models: [a, b]"), "GET", "/p/v1/models", "").await);
    assert_eq!(listed, ["a", "b"]);
    let listed: Vec<_> = ids(call(&fake(""), "GET", "/p/v1/models", "").await);
    assert_eq!(listed, ["fake-model"]);
    assert_eq!(call(&fake(""), "GET", "/p/v1/models/x", "").await.json()["id"], "x");
}

#[test]
fn the_shipped_script_is_understood() {
    let script = Script::from_yaml(include_str!("../../../../deploy/fakellm.yaml")).unwrap();
    assert_eq!(script.providers.len(), 3);
    assert!(script.providers.values().all(|provider| !provider.limits.is_empty() && provider.error_rate > 0.0));
}

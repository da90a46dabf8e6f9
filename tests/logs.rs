//! `GET /router/logs`: what became of past requests.

use std::time::Duration;

use serde_json::{Value, json};
use weighbridge_loadtest::wait::eventually;

use crate::support::http::{chat, chat_stream};
use crate::support::live::Live;

const SCRIPT: &str = "providers: { first: { status: 503 }, second: { tokens: 3 } }";
const A_SECOND: Duration = Duration::from_secs(1);

/// The records that `query` finds.
async fn found(live: &Live, query: &str) -> Vec<Value> {
    let reply = live.router.get(&format!("/router/logs?{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["logs"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_tells_what_became_of_a_request() {
    let live = Live::start(SCRIPT, &["first", "second"]).await;
    let traced = live.router.clone().with_header("x-portkey-trace-id", "trace-7");
    let mut body = chat("g");
    body["metadata"] = json!({ "user": "u1" });
    let whole = traced.chat(&body).await;
    assert_eq!((whole.status, whole.header("x-portkey-trace-id")), (200, "trace-7"));
    let stream = live.router.chat(&chat_stream("g")).await;
    assert!(stream.is_whole_stream());
    assert_eq!(live.router.chat(&chat("unknown")).await.status, 404);
    eventually("all are written", A_SECOND, async || found(&live, "").await.len() == 3).await;

    let models: Vec<_> = found(&live, "").await.iter().map(|row| row["model"].clone()).collect();
    assert_eq!(models, ["unknown", "g", "g"], "the newest first");
    let [row] = &found(&live, "trace_id=trace-7").await[..] else { panic!("one of that trace") };
    assert_eq!(row["request_id"], whole.header("x-request-id"));
    assert_eq!((&row["group"], &row["deployment"], &row["status"]), (&json!("g"), &json!("second"), &json!(200)));
    assert_eq!(row["plan_path"], whole.header("x-portkey-last-used-option-index"));
    assert_eq!(row["metadata"], json!({ "user": "u1" }));
    let attempts: Vec<_> =
        row["attempts"].as_array().expect("a list").iter().map(|one| (&one["deployment"], &one["kind"])).collect();
    assert_eq!(attempts, [(&json!("first"), &json!("overloaded")), (&json!("second"), &Value::Null)]);
    assert!(row["usage"]["total_tokens"].as_u64() > Some(0), "{row}");

    let [streamed] = &found(&live, "deployment=second&limit=1").await[..] else { panic!("one") };
    assert_eq!(streamed["stream"], true);
    assert!(streamed["first_token_ms"].is_u64(), "{streamed}");
    assert_eq!(streamed["trace_id"], streamed["request_id"], "its own id, as nobody gave another");
    assert_eq!(found(&live, "status=4xx").await.len(), 1);
    assert!(found(&live, "until=2020-01-01T00:00:00Z").await.is_empty());
    let refused = live.router.get("/router/logs?tracy=1").await;
    assert_eq!((refused.status, refused.body.contains("tracy")), (400, true), "{}", refused.body);
}

//! Ollama's words.

use serde_json::{Value, json};

use crate::support::{check_refused, fake, finish, post_with};

const PATH: &str = "/p/api/chat";
const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;

fn request(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hello"}}],{fields}}}"#)
}

async fn whole(script: &str, path: &str, body: &str) -> Value {
    let answer = post_with(&fake(script), path, &[], body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn whole_replies() {
    let reply = whole("tokens: 2", PATH, &request(r#""stream":false"#)).await;
    assert_eq!(reply["message"], json!({"role": "assistant", "content": "Every load"}));
    assert_eq!(
        (&reply["done"], &reply["done_reason"], &reply["created_at"]),
        (&json!(true), &json!("stop"), &json!("2026-01-01T00:00:00Z"))
    );
    assert_eq!((&reply["prompt_eval_count"], &reply["eval_count"]), (&json!(5), &json!(2)));
    let calls =
        whole("{parallel_tool_calls: 2, thinking: true}", PATH, &request(&format!(r#""stream":false,{TOOLS}"#))).await;
    assert_eq!(calls["message"]["thinking"], "First the load is weighed.");
    assert_eq!(
        calls["message"]["tool_calls"][1],
        json!({"function": {"index": 1, "name": "f", "arguments": {"load": 1}}})
    );
    let schema = request(r#""stream":false,"format":{"type":"array","items":{"type":"null"},"minItems":1}"#);
    assert_eq!(whole("", PATH, &schema).await["message"]["content"], "[null]");
    let short = whole("", PATH, &request(r#""stream":false,"options":{"num_predict":1}"#)).await;
    assert_eq!(short["done_reason"], "length");
}

#[tokio::test]
async fn other_operations() {
    let embedded = whole("", "/p/api/embed", r#"{"model":"e","input":["a","b"],"dimensions":1}"#).await;
    assert_eq!(embedded["embeddings"], json!([[0.0], [0.125]]));
    let tags = http::Request::get("/p/api/tags").body(axum::body::Body::empty()).unwrap();
    let tags = finish(tower::ServiceExt::oneshot(fake("models: [a, b]").router(), tags).await.unwrap()).await;
    assert_eq!(tags.json()["models"][1]["name"], "b");
}

#[tokio::test]
async fn streams_are_what_it_does_unless_told_otherwise() {
    let answer = post_with(&fake("{thinking: true, tokens: 1, tool_calls: true}"), PATH, &[], &request(TOOLS)).await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let text = answer.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["message"]["thinking"]), (7, &json!("First ")));
    assert_eq!(lines[5]["message"]["tool_calls"][0]["function"]["name"], "f");
    assert_eq!(
        (&lines[5]["done"], &lines[6]["done"], &lines[6]["eval_count"]),
        (&json!(false), &json!(true), &json!(8))
    );
    let broken = post_with(&fake("error_frame_after: 1"), PATH, &[], &request(r#""stream":true"#)).await;
    assert!(broken.text().lines().last().unwrap().starts_with(r#"{"error":""#));
}

#[tokio::test]
async fn what_is_refused_in_ollamas_words() {
    let rows = [
        ("strict: true", r#""unknown":1"#, "200"),
        ("", r#""options":{"temperature":"1"}"#, "400 option \"temperature\" must be of type float32"),
        ("", r#""options":{"stop":"a"}"#, "400 option \"stop\" must be of type array"),
        ("key: k", r#""x":1"#, "401 unauthorized"),
        ("models: [n]", r#""x":1"#, "404 model 'm' not found"),
        ("context_window: 1", r#""x":1"#, "400 the input length exceeds"),
        ("status: 503", r#""x":1"#, "503 server busy"),
        ("max_in_flight: 0", r#""x":1"#, "503 server busy"),
    ];
    for (script, fields, expected) in rows {
        let fields = format!(r#""stream":false,{fields}"#);
        check_refused(script, PATH, &[], (&request(&fields), "/error"), expected).await;
    }
    let rows = [
        (
            r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#,
            "400 json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls",
        ),
        (r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]}"#, "200"),
        (
            r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#,
            "400 json: cannot unmarshal array into Go struct field ChatRequest.messages.content",
        ),
        (r#"{"role":"user","content":"a","images":["AA=="]}"#, "200"),
        (
            r#"{"role":"user","content":"a","images":["data:image/png;base64,AA=="]}"#,
            "400 illegal base64 data at input byte 4",
        ),
        (r#"{"role":"user","content":"a","images":["https://a"]}"#, "400 illegal base64 data at input byte 5"),
    ];
    for (message, expected) in rows {
        let body = format!(r#"{{"model":"m","stream":false,"messages":[{message}]}}"#);
        check_refused("", PATH, &[], (&body, "/error"), expected).await;
    }
    check_refused("", PATH, &[], (r#"{"stream":false}"#, "/error"), "400 model is required").await;
}

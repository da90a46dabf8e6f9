//! What is turned away, and in which words.

use axum::body::Body;
use http::Request;
use tower::ServiceExt;

use crate::support::{CHAT, fake, finish, post};

const PATH: &str = "/p/v1/chat/completions";
const AZURE: &str = "/p/openai/deployments/d/chat/completions";
const AZURE_VERSION: &str = "/p/openai/deployments/d/chat/completions?api-version=2024-10-21";

/// `expected` is the status, the code if there is one, and how the message begins.
async fn check(script: &str, path: &str, body: &str, expected: &str) {
    let fake = fake(script);
    let answer = post(&fake, path, body).await;
    let error = &answer.json()["error"];
    let texts = [error["code"].as_str(), error["message"].as_str()].into_iter().flatten();
    let actual = texts.fold(answer.status.to_string(), |all, text| all + " " + text);
    assert!(actual.starts_with(expected), "{script} {body}: {actual}");
    assert_eq!(fake.report("p").by_status.get(&answer.status), Some(&1), "refusals are counted too");
}

/// A chat request with some fields more.
fn with(fields: &str) -> String {
    CHAT.replacen('{', &format!("{{{fields},"), 1)
}

#[tokio::test]
async fn fields_that_a_provider_does_not_know() {
    let rows = [
        (r#""temperature":1"#, "200"),
        (r#""num_retries":3"#, "400 Unrecognized request argument supplied: num_retries"),
        (r#""tags":[],"models":[]"#, "400 Unrecognized request arguments supplied: tags, models"),
        (r#""metadata":{"tags":["a"]}"#, "400 Invalid 'metadata': expected a map of strings"),
        (r#""metadata":{"user":"a"},"store":true"#, "200"),
        (r#""metadata":null"#, "200"),
        (r#""stream_options":{}"#, "400 The 'stream_options' parameter is only allowed when 'stream' is enabled."),
        (r#""model":"n""#, "400 We could not parse the JSON body of your request: duplicate field `model`"),
    ];
    for (fields, expected) in rows {
        check("strict: true", PATH, &with(fields), expected).await;
    }
    check("", PATH, &with(r#""num_retries":3"#), "200").await;
}

#[tokio::test]
async fn forms_that_a_provider_does_not_take() {
    let missing = "400 missing_required_parameter Missing required parameter: ";
    let rows = [
        (PATH, CHAT, "200"),
        (PATH, r#"{"model":"m"}"#, &format!("{missing}'messages'")),
        (PATH, r#"{"messages":[{"content":"a"}]}"#, &format!("{missing}'model'")),
        ("/p/v1/completions", r#"{"model":"m","tags":[]}"#, "400 Unrecognized request argument supplied: tags"),
        ("/p/v1/embeddings", r#"{"model":"m","timeout":3}"#, "400 Unrecognized request argument supplied: timeout"),
        ("/p/v1/embeddings", r#"{"model":"m"}"#, &format!("{missing}'input'")),
        ("/p/v1/rerank", r#"{"model":"m","return_documents":true}"#, "200"),
        ("/p/v1/rerank", r#"{"model":"m","backoff":1}"#, "400 Unrecognized request argument supplied: backoff"),
        (AZURE, r#"{"messages":[{"content":"a"}]}"#, "400 Missing required query parameter: api-version"),
        (AZURE_VERSION, r#"{"messages":[{"content":"a"}]}"#, "200"),
    ];
    for (path, body, expected) in rows {
        check("strict: true", path, body, expected).await;
    }
}

#[tokio::test]
async fn calls_and_their_results_go_together() {
    let call = |id: &str| format!(r#"{{"role":"assistant","tool_calls":[{{"id":"{id}"}}]}}"#);
    let result = |id: &str| format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"1"}}"#);
    let (a, long) = ("a", "a".repeat(41));
    let unanswered = "400 An assistant message with 'tool_calls' must be followed by tool messages";
    let rows = [
        (format!("{},{}", call(a), result(a)), "200"),
        (call(a), unanswered),
        (format!("{},{}", call(a), r#"{"role":"user","content":"so?"}"#), unanswered),
        (result(a), "400 Invalid parameter: messages with role 'tool' must be a response"),
        (format!("{},{}", call(a), result("b")), "400 Invalid parameter: messages with role 'tool'"),
        (
            format!("{},{}", call(&long), result(&long)),
            "400 string_above_max_length Invalid 'messages[0].tool_calls[0].id'",
        ),
    ];
    for (messages, expected) in rows {
        check("strict: true", PATH, &format!(r#"{{"model":"m","messages":[{messages}]}}"#), expected).await;
    }
}

#[tokio::test]
async fn what_no_provider_takes() {
    check("", PATH, "{", "400 We could not parse the JSON body of your request: EOF").await;
    check("", "/p/v1/nothing", "{}", "404 Invalid URL (POST /p/v1/nothing)").await;
    check("", "/p/v1/models", "{}", "405 method_not_supported").await;
    check("models: [a, b]", PATH, CHAT, "404 model_not_found The model `m` does not exist").await;
    check("models: [a, m]", PATH, CHAT, "200").await;
    check("content_filter: hell", PATH, CHAT, "400 content_filter The response was filtered").await;
    check("content_filter: heaven", PATH, CHAT, "200").await;
}

#[tokio::test]
async fn what_is_too_long() {
    let exceeded = |window, rest| {
        format!("400 context_length_exceeded This model's maximum context length is {window} tokens. However, {rest}.")
    };
    check("context_window: 5", PATH, CHAT, "200").await;
    check("context_window: 4", PATH, CHAT, &exceeded(4, "your messages resulted in 5 tokens")).await;
    let both = "you requested 10 tokens (5 in the messages, 5 in the completion)";
    check("context_window: 9", PATH, &with(r#""max_tokens":5"#), &exceeded(9, both)).await;
    check("context_window: 10", PATH, &with(r#""max_tokens":5"#), "200").await;
}

#[tokio::test]
async fn keys_and_headers() {
    let rows = [
        ("authorization", "Bearer sk-1", 200),
        ("authorization", "Bearer sk-2", 401),
        ("authorization", "sk-1", 401),
        ("api-key", "sk-1", 200),
        ("api-key", "sk-12", 401),
        ("x-other", "sk-1", 401),
    ];
    for (name, value, expected) in rows {
        let request = Request::post(PATH).header(name, value).body(Body::from(CHAT)).unwrap();
        let response = fake("{key: sk-1, strict: true}").router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), expected, "{name}: {value}");
    }
    let request = Request::post(PATH).header("X-Portkey-Config", "{}").body(Body::from(CHAT));
    let answer = finish(fake("strict: true").router().oneshot(request.unwrap()).await.unwrap()).await;
    assert_eq!(answer.json()["error"]["message"], "A router's header was passed on: x-portkey-config");
}

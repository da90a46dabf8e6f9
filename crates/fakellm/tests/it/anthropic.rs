//! Anthropic's words: what is said, what is refused, and how it fails.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::{check_refused, fake, post_with, told};

const PATH: &str = "/p/v1/messages";
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
const TOOLS: &str = r#"[{"name":"f","input_schema":{"type":"object"}},{"name":"g","input_schema":{"type":"object"}}]"#;

fn request(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    format!(r#"{{"model":"c","max_tokens":2000,"messages":[{{"role":"user","content":"hello"}}]{comma}{fields}}}"#)
}

fn conversation(messages: &str) -> String {
    format!(r#"{{"model":"c","max_tokens":9,"tools":{TOOLS},"messages":[{messages}]}}"#)
}

async fn whole(script: &str, body: &str) -> Value {
    let answer = post_with(&fake(script), PATH, &[VERSION], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn whole_replies() {
    let expected = json!({
        "id": "msg_000000000001",
        "type": "message",
        "role": "assistant",
        "model": "c",
        "content": [{"type": "text", "text": "Every load"}],
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": {"input_tokens": 2, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 2},
    });
    assert_eq!(whole("{tokens: 2, cached_tokens: 3}", &request("")).await, expected);
    let calls = whole("{parallel_tool_calls: 3, thinking: true}", &request(&format!(r#""tools":{TOOLS}"#))).await;
    let said: Vec<_> = calls["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(said, ["thinking", "tool_use", "tool_use", "tool_use"]);
    assert_eq!(
        calls["content"][2],
        json!({"type": "tool_use", "id": "call_000000000001_1", "name": "g", "input": {"load": 1}})
    );
    assert_eq!(calls["stop_reason"], "tool_use");
    let schema = r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}}}"#;
    assert_eq!(whole("strict: true", &request(schema)).await["content"][0]["text"], r#"{"a":1}"#);
    let count = r#"{"model":"c","messages":[{"role":"user","content":"hello"}]}"#;
    let counted = post_with(&fake("strict: true"), "/p/v1/messages/count_tokens", &[VERSION], count).await;
    assert_eq!(counted.json(), json!({"input_tokens": 5}));
}

#[tokio::test]
async fn streams() {
    let script = "{thinking: true, tokens: 1, cached_tokens: 1}";
    let answer = post_with(&fake(script), PATH, &[VERSION], &request(r#""stream":true"#)).await;
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    expect![[r#"
        message_start {"message":{"content":[],"id":"msg_000000000001","model":"c","role":"assistant","stop_reason":null,"stop_sequence":null,"type":"message","usage":{"cache_creation_input_tokens":0,"cache_read_input_tokens":1,"input_tokens":4,"output_tokens":1}},"type":"message_start"}
        ping {"type":"ping"}
        content_block_start {"content_block":{"signature":"","thinking":"","type":"thinking"},"index":0,"type":"content_block_start"}
        content_block_delta {"delta":{"thinking":"First ","type":"thinking_delta"},"index":0,"type":"content_block_delta"}
        content_block_delta {"delta":{"thinking":"the ","type":"thinking_delta"},"index":0,"type":"content_block_delta"}
        content_block_delta {"delta":{"thinking":"load ","type":"thinking_delta"},"index":0,"type":"content_block_delta"}
        content_block_delta {"delta":{"thinking":"is ","type":"thinking_delta"},"index":0,"type":"content_block_delta"}
        content_block_delta {"delta":{"thinking":"weighed.","type":"thinking_delta"},"index":0,"type":"content_block_delta"}
        content_block_delta {"delta":{"signature":"RmFrZUxMTSBzaWducyBpdHMgdGhvdWdodHMu","type":"signature_delta"},"index":0,"type":"content_block_delta"}
        content_block_stop {"index":0,"type":"content_block_stop"}
        content_block_start {"content_block":{"text":"","type":"text"},"index":1,"type":"content_block_start"}
        content_block_delta {"delta":{"text":"Every","type":"text_delta"},"index":1,"type":"content_block_delta"}
        content_block_stop {"index":1,"type":"content_block_stop"}
        message_delta {"delta":{"stop_reason":"end_turn","stop_sequence":null},"type":"message_delta","usage":{"cache_creation_input_tokens":0,"cache_read_input_tokens":1,"input_tokens":4,"output_tokens":6}}
        message_stop {"type":"message_stop"}
    "#]].assert_eq(&told(&answer.text()));
}

#[tokio::test]
async fn streams_go_wrong() {
    let stream = request(r#""stream":true"#);
    let cut = post_with(&fake("cut_after_chunks: 1"), PATH, &[VERSION], &stream).await;
    assert!(cut.broke && !told(&cut.text()).contains("content_block_stop"), "{}", cut.text());
    for script in ["error_frame_after: 1", "error_in_200: true"] {
        let answer = post_with(&fake(script), PATH, &[VERSION], &stream).await;
        let told = told(&answer.text());
        assert!(
            told.lines()
                .last()
                .unwrap()
                .starts_with(r#"error {"error":{"message":"Overloaded","type":"overloaded_error"}"#),
            "{told}"
        );
    }
    let whole = post_with(&fake("error_in_200: true"), PATH, &[VERSION], &request("")).await;
    assert_eq!((whole.status, &whole.json()["error"]["type"]), (200, &json!("overloaded_error")));
}

#[tokio::test]
async fn what_is_refused_in_anthropics_words() {
    let rows = [
        ("", r#""temperature":1"#, "200"),
        ("", r#""temperature":1.5"#, "400 temperature: Input should be less than or equal to 1"),
        ("", r#""seed":1"#, "200"),
        ("strict: true", r#""seed":1"#, "400 seed: Extra inputs are not permitted"),
        ("strict: true", r#""metadata":{"a":"b"}"#, "400 metadata.a: Extra inputs are not permitted"),
        ("strict: true", r#""top_k":"1""#, "400 top_k: Input should be a valid number"),
        (
            "",
            r#""thinking":{"type":"enabled","budget_tokens":1000}"#,
            "400 thinking.enabled.budget_tokens: Input should be greater",
        ),
        (
            "",
            r#""thinking":{"type":"enabled","budget_tokens":2000}"#,
            "400 `max_tokens` must be greater than `thinking",
        ),
        ("", r#""thinking":{"type":"enabled","budget_tokens":1024}"#, "200"),
        (
            "",
            r#""thinking":{"type":"enabled","budget_tokens":1024},"temperature":0"#,
            "400 `temperature` may only be set to 1",
        ),
        ("", r#""tool_choice":{"type":"any"}"#, "400 tool_choice: tool_choice may only be"),
        ("", r#""tools":[{"name":"a b","input_schema":{}}]"#, "400 tools.0.custom.name: String should match"),
        ("", r#""tools":[{"name":"a"}]"#, "400 tools.0.custom.input_schema: Field required"),
        ("", r#""system":[{"type":"text","text":""}]"#, "400 system: text content blocks must be non-empty"),
        ("", r#""stop_sequences":[" "]"#, "400 stop_sequences: each stop sequence"),
        ("content_filter: hell", "", "400 Output blocked by content filtering policy"),
        ("models: [d]", "", "404 model: c"),
        ("key: k", "", "401 invalid x-api-key"),
        ("context_window: 4", "", "400 prompt is too long: 5 tokens > 4 maximum"),
        ("context_window: 9", "", "400 input length and `max_tokens` exceed context limit: 5 + 2000 > 9"),
        ("status: 529", "", "529 Overloaded"),
        ("status: 500", "", "500 Internal server error"),
    ];
    for (script, fields, expected) in rows {
        check_refused(script, PATH, &[VERSION], (&request(fields), "/error/message"), expected).await;
    }
    let body = request("");
    check_refused("", PATH, &[], (&body, "/error/message"), "400 anthropic-version: header is required").await;
    check_refused("", PATH, &[VERSION], ("{}", "/error/message"), "400 messages: Field required").await;
    let bound = r#"{"model":"c","messages":[]}"#;
    check_refused("", PATH, &[VERSION], (bound, "/error/message"), "400 max_tokens: Field required").await;
    check_refused("", "/p/v1/messages", &[VERSION], ("[", "/error/type"), "400 invalid_request_error").await;
    for name in ["x-api-key", "authorization"] {
        let value = if name == "x-api-key" { "k" } else { "Bearer k" };
        check_refused("key: k", PATH, &[VERSION, (name, value)], (&body, ""), "200").await;
    }
}

#[tokio::test]
async fn conversations_are_held_to_the_rules() {
    const ASK: &str = r#"{"role":"user","content":"hi"}"#;
    const CALL: &str = r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}"#;
    const RESULT: &str = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}"#;
    let rows = [
        (format!("{ASK},{CALL},{RESULT}"), "200"),
        (format!("{ASK},{CALL},{RESULT},{ASK}"), "200"),
        (format!("{ASK},{CALL}"), "400 messages.1: `tool_use` ids were found without"),
        (format!("{ASK},{CALL},{ASK},{RESULT}"), "400 messages.1: `tool_use` ids were found without"),
        (format!("{ASK},{RESULT}"), "400 messages.1.content.0: unexpected `tool_use_id` found"),
        (format!("{ASK},{CALL},{RESULT},{CALL},{RESULT}"), "400 messages: `tool_use` ids must be unique"),
        (CALL.to_owned(), "400 messages: first message must use the \"user\" role"),
        (r#"{"role":"system","content":"hi"}"#.into(), "400 messages: Unexpected role \"system\""),
        (r#"{"role":"tool","content":"hi"}"#.into(), "400 messages.0.role: Input should be"),
        (r#"{"role":"user","content":""}"#.into(), "400 messages.0: all messages must have non-empty content"),
        (r#"{"role":"user","content":[{"type":"text","text":""}]}"#.into(), "400 messages: text content blocks must be non-empty"),
        (r#"{"role":"user","content":[{"type":"text","text":" "}]}"#.into(), "400 messages: text content blocks must contain"),
        (format!("{ASK},{}", CALL.replace("\"a\"", "\"a:1\"")), "400 messages.1.content.0.tool_use.id: String should match"),
        (format!("{ASK},{}", CALL.replace("{}", "\"{}\"")), "400 messages.1.content.0.tool_use.input: Input should be"),
        (format!("{ASK},{}", r#"{"role":"assistant","content":"so "}"#), "400 messages: final assistant content cannot"),
        (r#"{"role":"user","content":[{"type":"input_text","text":"a"}]}"#.into(), "400 messages.0.content.0: Input tag 'input_text' found"),
        (r#"{"role":"user","content":[{"type":"text","text":"a","x":1}]}"#.into(), "400 messages.0.content.0.text.x: Extra inputs"),
        (r#"{"role":"user","content":"a","name":"n"}"#.into(), "400 messages.0.name: Extra inputs"),
        (format!("{ASK},{},{ASK}", r#"{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"b"}]}"#), "400 messages.1.content.0: Invalid `signature`"),
        (r#"{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AA=="}}]}"#.into(), "400 messages.0.content.0.image.source.base64.media_type"),
    ];
    for (messages, expected) in rows {
        check_refused("strict: true", PATH, &[VERSION], (&conversation(&messages), "/error/message"), expected).await;
    }
    let thinking = format!(
        r#"{{"model":"c","max_tokens":2000,"thinking":{{"type":"enabled","budget_tokens":1024}},"tools":{TOOLS},"messages":[{ASK},{CALL},{RESULT}]}}"#
    );
    check_refused(
        "",
        PATH,
        &[VERSION],
        (&thinking, "/error/message"),
        "400 messages.1.content.0.type: Expected `thinking`",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn limits_are_told() {
    let fake = fake("limits: [{discipline: sliding_log, requests: 1}]");
    let first = post_with(&fake, PATH, &[VERSION], &request("")).await;
    assert_eq!(first.header("anthropic-ratelimit-requests-remaining"), "0");
    assert!(first.header("anthropic-ratelimit-requests-reset").ends_with('Z'));
    assert_eq!(first.header("request-id"), "req_000000000001");
    let second = post_with(&fake, PATH, &[VERSION], &request("")).await;
    assert_eq!((second.status, second.header("retry-after")), (429, "60"));
    assert_eq!(second.json()["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn at_google_the_path_names_the_model() {
    let path = |verb: &str| format!("/p/v1/projects/q/locations/l/publishers/anthropic/models/c@1:{verb}");
    let body = |fields: &str| format!(r#"{{{fields}"max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]}}"#);
    let versioned = body(r#""anthropic_version":"vertex-2023-10-16","#);
    let whole = post_with(&fake("{strict: true, tokens: 1}"), &path("rawPredict"), &[], &versioned).await.json();
    assert_eq!((&whole["model"], &whole["content"][0]["text"]), (&json!("c@1"), &json!("Every")));
    let stream = post_with(&fake("{strict: true, tokens: 1}"), &path("streamRawPredict"), &[], &versioned).await;
    assert!(told(&stream.text()).ends_with("message_stop {\"type\":\"message_stop\"}\n"), "{}", stream.text());
    let rows = [
        ("", body(""), "400 anthropic_version: Field required"),
        (
            "",
            body(r#""anthropic_version":"2023-06-01","#),
            "400 anthropic_version: Input should be 'vertex-2023-10-16'",
        ),
        (
            "strict: true",
            body(r#""anthropic_version":"vertex-2023-10-16","model":"c","#),
            "400 model: Extra inputs are not permitted",
        ),
        ("key: k", versioned.clone(), "401 Request had invalid authentication credentials."),
        ("status: 429", versioned.clone(), "429 Resource has been exhausted"),
        ("status: 529", versioned, "529 Overloaded"),
    ];
    for (script, body, expected) in rows {
        check_refused(script, &path("rawPredict"), &[], (&body, "/error/message"), expected).await;
    }
}

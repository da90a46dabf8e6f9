//! Cohere's words.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::{check_refused, fake, post_with, told};

const PATH: &str = "/p/v2/chat";
const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f","parameters":{}}}]"#;

fn request(fields: &str) -> String {
    format!(r#"{{"model":"m",{fields},"messages":[{{"role":"user","content":"hello"}}]}}"#)
}

async fn whole(script: &str, path: &str, body: &str) -> Value {
    let answer = post_with(&fake(script), path, &[], body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn whole_replies() {
    let counts = json!({"input_tokens": 5, "output_tokens": 2});
    let expected = json!({
        "id": "chat-000000000001",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Every load"}]},
        "usage": {"billed_units": counts, "tokens": counts, "cached_tokens": 1},
    });
    assert_eq!(whole("{tokens: 2, cached_tokens: 1, strict: true}", PATH, &request(r#""k":1"#)).await, expected);
    let calls = whole("{parallel_tool_calls: 2, thinking: true, strict: true}", PATH, &request(TOOLS)).await;
    assert_eq!(calls["message"]["tool_plan"], "First the load is weighed.");
    let function = json!({"name": "f", "arguments": "{\"load\":1}"});
    assert_eq!(
        calls["message"]["tool_calls"][1],
        json!({"id": "call_000000000001_1", "type": "function", "function": function})
    );
    assert_eq!(calls["finish_reason"], "TOOL_CALL");
    let schema =
        request(r#""response_format":{"type":"json_object","json_schema":{"type":"object","required":["a"]}}"#);
    assert_eq!(whole("strict: true", PATH, &schema).await["message"]["content"][0]["text"], r#"{"a":{}}"#);
}

#[tokio::test]
async fn other_operations() {
    let embed = |fields: &str| format!(r#"{{"model":"e","texts":["a","b"],"output_dimension":1,{fields}}}"#);
    let floats =
        whole("strict: true", "/p/v2/embed", &embed(r#""input_type":"search_query","embedding_types":["float"]"#))
            .await;
    assert_eq!(
        (&floats["embeddings"], &floats["meta"]["billed_units"]),
        (&json!({"float": [[0.0], [0.125]]}), &json!({"input_tokens": 7}))
    );
    let encoded = whole("", "/p/v2/embed", &embed(r#""input_type":"search_query","embedding_types":["base64"]"#)).await;
    assert_eq!(encoded["embeddings"], json!({"base64": ["AAAAAA==", "AAAAPg=="]}));
    check_refused(
        "",
        "/p/v2/embed",
        &[],
        (&embed(r#""truncate":"NONE""#), "/message"),
        "400 invalid request: input_type is required",
    )
    .await;
    let rerank = r#"{"model":"r","query":"q","documents":["a","b"],"top_n":1}"#;
    let ranked = whole("strict: true", "/p/v2/rerank", rerank).await;
    assert_eq!(ranked["results"], json!([{"index": 0, "relevance_score": 1.0}]));
    let unknown = rerank.replacen('{', r#"{"return_documents":true,"#, 1);
    check_refused(
        "strict: true",
        "/p/v2/rerank",
        &[],
        (&unknown, "/message"),
        "422 unknown field: parameter 'return_documents'",
    )
    .await;
}

#[tokio::test]
async fn streams() {
    let answer = post_with(&fake("{tokens: 1}"), PATH, &[], &request(r#""stream":true"#)).await;
    expect![[r#"
        message-start {"delta":{"message":{"citations":[],"content":[],"role":"assistant","tool_calls":[],"tool_plan":""}},"id":"chat-000000000001","type":"message-start"}
        content-start {"delta":{"message":{"content":{"text":"","type":"text"}}},"index":0,"type":"content-start"}
        content-delta {"delta":{"message":{"content":{"text":"Every"}}},"index":0,"type":"content-delta"}
        content-end {"index":0,"type":"content-end"}
        message-end {"delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":5,"output_tokens":1},"cached_tokens":0,"tokens":{"input_tokens":5,"output_tokens":1}}},"id":"chat-000000000001","type":"message-end"}
        [DONE]
    "#]].assert_eq(&told(&answer.text()));
    let calls = post_with(&fake("tool_calls: true"), PATH, &[], &request(&format!(r#""stream":true,{TOOLS}"#))).await;
    let names: Vec<_> = told(&calls.text()).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let expected = [
        "message-start",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-delta",
        "tool-call-delta",
        "tool-call-end",
        "message-end",
        "[DONE]",
    ];
    assert_eq!(names, expected);
    let broken = post_with(&fake("error_frame_after: 1"), PATH, &[], &request(r#""stream":true"#)).await;
    assert!(told(&broken.text()).lines().last().unwrap().contains(r#""finish_reason":"ERROR""#));
}

#[tokio::test]
async fn what_is_refused_in_coheres_words() {
    let rows = [
        ("", r#""n":1"#, "200"),
        ("strict: true", r#""n":1"#, "422 unknown field: parameter 'n' is not a valid field"),
        (
            "strict: true",
            r#""response_format":{"type":"json_object","strict":true}"#,
            "422 unknown field: parameter 'response_format.strict'",
        ),
        (
            "strict: true",
            r#""stop_sequences":"a""#,
            "400 invalid type: parameter 'stop_sequences' is not of type array",
        ),
        ("", r#""p":1"#, "400 invalid request: p must be between 0.01 and 0.99"),
        ("", r#""tool_choice":"auto""#, "400 invalid request: tool_choice must be one of"),
        ("", r#""tool_choice":"REQUIRED""#, "400 invalid request: tool_choice cannot be specified without tools"),
        ("key: k", r#""k":1"#, "401 invalid api token"),
        ("models: [n]", r#""k":1"#, "404 model 'm' not found"),
        ("context_window: 3", r#""k":1"#, "400 too many tokens: size limit exceeded by 2 tokens."),
        ("status: 429", r#""k":1"#, "429 You are past the per minute request limit"),
    ];
    for (script, fields, expected) in rows {
        check_refused(script, PATH, &[], (&request(fields), "/message"), expected).await;
    }
    const ASK: &str = r#"{"role":"user","content":"hi"}"#;
    const CALL: &str =
        r#"{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    const RESULT: &str = r#"{"role":"tool","tool_call_id":"a","content":"1"}"#;
    let rows = [
        (format!("{ASK},{CALL},{RESULT}"), "200"),
        (format!("{ASK},{RESULT}"), "400 invalid request: invalid tool message at messages[1]"),
        (r#"{"role":"developer","content":"a"}"#.into(), "400 invalid request: invalid role in messages[0]"),
        (
            r#"{"role":"user","content":""}"#.into(),
            "400 invalid request: message at index 0 must have non-empty content",
        ),
        (
            r#"{"role":"user","content":[{"type":"input_text","text":"a"}]}"#.into(),
            "400 invalid type: 'input_text' at 'messages[0].content[0]'",
        ),
        (r#"{"role":"user","content":"a","name":"b"}"#.into(), "422 unknown field: parameter 'messages[0].name'"),
    ];
    for (messages, expected) in rows {
        let body = format!(r#"{{"model":"m","messages":[{messages}]}}"#);
        check_refused("strict: true", PATH, &[], (&body, "/message"), expected).await;
    }
}

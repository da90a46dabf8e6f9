//! Amazon Bedrock's words, its frames, and who may ask.

use aws_smithy_eventstream::frame::read_message_from;
use expect_test::expect;
use serde_json::{Value, json};

use crate::support::{Answer, check_refused, fake, post_with};

const PATH: &str = "/p/model/anthropic.c-v1%3A0/converse";
const STREAM: &str = "/p/model/anthropic.c-v1%3A0/converse-stream";
const HELLO: &str = r#"{"messages":[{"role":"user","content":[{"text":"hello"}]}]}"#;
const TOOLS: &str = r#""toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]}"#;

fn with(fields: &str) -> String {
    HELLO.replacen('{', &format!("{{{fields},"), 1)
}

async fn whole(script: &str, path: &str, body: &str) -> Value {
    let answer = post_with(&fake(script), path, &[], body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text());
    answer.json()
}

/// The messages of a stream, a line each.
fn messages(answer: &Answer) -> String {
    let bytes = answer.frames.concat();
    let mut rest = &bytes[..];
    let mut text = String::new();
    while !rest.is_empty() {
        let message = read_message_from(&mut rest).unwrap();
        let kind = message.headers()[0].value().as_string().unwrap().as_str().to_owned();
        text += &format!("{kind} {}\n", String::from_utf8(message.payload().to_vec()).unwrap());
    }
    text.replace(",\"p\":\"abcdefghijk\"", "").replace("\"p\":\"abcdefghijk\",", "")
}

#[tokio::test]
async fn whole_replies() {
    let expected = json!({
        "metrics": {"latencyMs": 1},
        "output": {"message": {"role": "assistant", "content": [{"text": "Every load"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 7, "cacheReadInputTokens": 2, "cacheWriteInputTokens": 0},
    });
    assert_eq!(whole("{tokens: 2, cached_tokens: 2, strict: true}", PATH, HELLO).await, expected);
    let calls = whole("{tool_calls: true, thinking: true, strict: true}", PATH, &with(TOOLS)).await;
    let content = &calls["output"]["message"]["content"];
    assert_eq!(content[0]["reasoningContent"]["reasoningText"]["text"], "First the load is weighed.");
    assert_eq!(content[1], json!({"toolUse": {"toolUseId": "call_000000000001", "name": "f", "input": {"load": 1}}}));
    assert_eq!(calls["stopReason"], "tool_use");
    let short = whole("", PATH, &with(r#""inferenceConfig":{"maxTokens":1}"#)).await;
    assert_eq!(short["stopReason"], "max_tokens");
}

#[tokio::test]
async fn embeddings() {
    let titan = whole(
        "strict: true",
        "/p/model/amazon.titan-embed-text-v2:0/invoke",
        r#"{"inputText":"hello","dimensions":2}"#,
    )
    .await;
    assert_eq!((&titan["embedding"], &titan["inputTextTokenCount"]), (&json!([0.0, 0.125]), &json!(5)));
    let path = "/p/model/cohere.embed-v4:0/invoke";
    let plain =
        whole("strict: true", path, r#"{"texts":["a","b"],"input_type":"search_query","output_dimension":1}"#).await;
    assert_eq!(plain["embeddings"], json!([[0.0], [0.125]]));
    let typed = r#"{"texts":["a"],"input_type":"search_query","output_dimension":1,"embedding_types":["float"]}"#;
    assert_eq!(whole("strict: true", path, typed).await["embeddings"], json!({"float": [[0.0]]}));
    let missing = r#"{"texts":["a"]}"#;
    check_refused("", path, &[], (missing, "/message"), "400 Malformed input request: #: required key [input_type]")
        .await;
}

#[tokio::test]
async fn streams() {
    let answer = post_with(&fake("{tool_calls: true}"), STREAM, &[], &with(TOOLS)).await;
    assert_eq!(answer.header("content-type"), "application/vnd.amazon.eventstream");
    expect![[r#"
        messageStart {"role":"assistant"}
        contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"name":"f","toolUseId":"call_000000000001"}}}
        contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\""}}}
        contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"load\":"}}}
        contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"1}"}}}
        contentBlockStop {"contentBlockIndex":0}
        messageStop {"stopReason":"tool_use"}
        metadata {"metrics":{"latencyMs":1},"usage":{"inputTokens":5,"outputTokens":3,"totalTokens":8}}
    "#]]
    .assert_eq(&messages(&answer));
    let broken = post_with(&fake("error_frame_after: 1"), STREAM, &[], HELLO).await;
    let told = messages(&broken);
    assert!(told.lines().last().unwrap().starts_with(r#"internalServerException {"message":"#), "{told}");
    let cut = post_with(&fake("{cut_after_chunks: 1, split_bytes: 7}"), STREAM, &[], HELLO).await;
    assert!(cut.broke && cut.frames.iter().all(|frame| frame.len() <= 7));
}

#[tokio::test]
async fn what_is_refused_in_amazons_words() {
    let rows = [
        ("", r#""x":1"#, "200"),
        ("strict: true", r#""x":1"#, "400 The model returned the following errors: #: extraneous key [x]"),
        (
            "strict: true",
            r#""inferenceConfig":{"topK":1}"#,
            "400 The model returned the following errors: #: extraneous key [inferenceConfig.topK]",
        ),
        ("strict: true", r#""additionalModelRequestFields":{"top_k":1}"#, "200"),
        (
            "",
            r#""inferenceConfig":{"temperature":1.5}"#,
            "400 1 validation error detected: Value '1.5' at 'inferenceConfig.temperature'",
        ),
        ("", r#""system":[{"text":" "}]"#, "400 The text field in the SystemContentBlock"),
        ("", r#""toolConfig":{"tools":[]}"#, "400 1 validation error detected: Value at 'toolConfig.tools'"),
        ("models: [c]", r#""system":null"#, "400 The provided model identifier is invalid."),
        ("models: ['anthropic.c-v1:0']", r#""system":null"#, "200"),
        ("key: k", r#""system":null"#, "403 Authentication failed"),
        ("context_window: 4", r#""system":null"#, "400 Input is too long for requested model."),
        ("status: 429", r#""system":null"#, "429 Too many requests, please wait"),
    ];
    for (script, fields, expected) in rows {
        check_refused(script, PATH, &[], (&with(fields), "/message"), expected).await;
    }
    let limited = post_with(&fake("status: 429"), PATH, &[], HELLO).await;
    assert!(limited.header("x-amzn-errortype").starts_with("ThrottlingException:"));
    check_refused("key: k", PATH, &[("authorization", "Bearer k")], (HELLO, "/message"), "200").await;
}

#[tokio::test]
async fn conversations_are_held_to_the_rules() {
    const ASK: &str = r#"{"role":"user","content":[{"text":"hi"}]}"#;
    const SAY: &str = r#"{"role":"assistant","content":[{"text":"so"}]}"#;
    const CALL: &str = r#"{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":{}}}]}"#;
    const RESULT: &str = r#"{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"1"}]}}]}"#;
    let rows = [
        (format!("{ASK},{CALL},{RESULT}"), "200"),
        (
            format!("{ASK},{CALL},{ASK}"),
            "400 Expected toolResult blocks at messages.2.content for the following Ids: a",
        ),
        (format!("{ASK},{CALL}"), "400 Expected toolResult blocks at messages.2.content"),
        (format!("{ASK},{SAY},{RESULT}"), "400 The number of toolResult blocks at messages.2.content exceeds"),
        (format!("{ASK},{ASK}"), "400 A conversation must alternate"),
        (SAY.to_owned(), "400 A conversation must start with a user message."),
        (
            r#"{"role":"user","content":[{"text":" "}]}"#.into(),
            "400 The text field in the ContentBlock object at messages.0.content.0 is blank.",
        ),
        (
            r#"{"role":"user","content":[{"text":"a","cachePoint":{"type":"default"}}]}"#.into(),
            "400 The ContentBlock object at messages.0.content.0 must set one",
        ),
        (
            r#"{"role":"user","content":[]}"#.into(),
            "400 The content field in the Message object at messages.0 is empty.",
        ),
        (
            r#"{"role":"system","content":[{"text":"a"}]}"#.into(),
            "400 1 validation error detected: Value 'system' at 'messages.1.member.role'",
        ),
        (
            format!("{ASK},{}", CALL.replace("\"a\"", "\"a b\"")),
            "400 1 validation error detected: Value \"a b\" at 'messages.1.content.0.toolUse.toolUseId'",
        ),
        (
            format!("{ASK},{}", CALL.replace("{}", "\"{}\"")),
            "400 The format of the value at messages.1.content.0.toolUse.input is invalid.",
        ),
    ];
    for (messages, expected) in rows {
        let body = format!(r#"{{{TOOLS},"messages":[{messages}]}}"#);
        check_refused("strict: true", PATH, &[], (&body, "/message"), expected).await;
    }
    let without = format!(r#"{{"messages":[{ASK},{CALL},{RESULT}]}}"#);
    check_refused("", PATH, &[], (&without, "/message"), "400 The toolConfig field must be defined").await;
}

#[tokio::test]
async fn what_is_not_signed_is_refused() {
    let script = "{aws: {access_key_id: AK, secret_access_key: SK}, key: k}";
    let signed =
        "AWS4-HMAC-SHA256 Credential=NO/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0";
    let rows = [
        (&[][..], "403", "MissingAuthenticationTokenException"),
        (&[("authorization", "Bearer k")][..], "200", ""),
        (&[("authorization", "Bearer l")][..], "403", "AccessDeniedException"),
        (&[("authorization", "Basic k")][..], "403", "IncompleteSignatureException"),
        (&[("authorization", signed)][..], "403", "UnrecognizedClientException"),
    ];
    for (headers, status, kind) in rows {
        let answer = post_with(&fake(script), PATH, headers, HELLO).await;
        assert_eq!(answer.status.to_string(), status, "{headers:?}");
        assert!(
            answer.header("x-amzn-errortype").starts_with(kind),
            "{headers:?}: {}",
            answer.header("x-amzn-errortype")
        );
    }
}

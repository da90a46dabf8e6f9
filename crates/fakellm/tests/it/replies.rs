//! Replies without faults.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{CHAT, STREAM, chat, fake, post};

const PATH: &str = "/p/v1/chat/completions";
const TOOLS: &str = r#"{"tools":[{"type":"function","function":{"name":"f"}}]}"#;

/// The whole reply to `body`.
async fn whole(script: &str, path: &str, body: &str) -> Value {
    let answer = post(&fake(script), path, body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.json()
}

async fn check_stream(script: &str, path: &str, body: &str, expected: &str) {
    let answer = post(&fake(script), path, body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream; charset=utf-8"));
    assert_eq!(answer.events().join(" | "), expected, "{script}");
}

#[tokio::test]
async fn a_whole_reply_holds_all_that_openais_do() {
    let expected = json!({
        "id": "chatcmpl-000000000001",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": "m",
        "system_fingerprint": "fp_fakellm",
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Every load that crosses this bridge is weighed.",
                "refusal": null,
            },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13},
    });
    assert_eq!(whole("", PATH, CHAT).await, expected);
}

#[tokio::test]
async fn whole_replies_are_as_long_as_asked() {
    let bounded = r#"{"n":2,"max_tokens":3,"max_completion_tokens":2,"messages":[{"content":"12345"}]}"#;
    let reply = whole(r#"{tokens: 20, text: 'say "hi"'}"#, PATH, bounded).await;
    for choice in [&reply["choices"][0], &reply["choices"][1]] {
        assert_eq!(choice["message"]["content"], r#"say "hi" say"#);
        assert_eq!(choice["finish_reason"], "length");
    }
    assert_eq!(reply["choices"][1]["index"], 1);
    assert_eq!(reply["usage"], json!({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}));
    assert_eq!(whole("usage: false", PATH, bounded).await.get("usage"), None);
}

#[tokio::test]
async fn completions_have_text_and_tools_are_called() {
    let legacy = whole("tokens: 2", "/p/v1/completions", r#"{"model":"m","prompt":"hello"}"#).await;
    let choices = json!([{"index": 0, "text": "Every load", "logprobs": null, "finish_reason": "stop"}]);
    assert_eq!((&legacy["object"], &legacy["choices"]), (&json!("text_completion"), &choices));

    let reply = whole("tool_calls: true", PATH, TOOLS).await;
    let call = json!({
        "id": "call_000000000001",
        "type": "function",
        "function": {"name": "f", "arguments": "{\"load\":1}"},
    });
    let message = json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [call]});
    assert_eq!(reply["choices"][0]["message"], message);
    assert_eq!(reply["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole("", PATH, TOOLS).await["choices"][0]["finish_reason"], "stop", "only where the script says so");
}

#[tokio::test]
async fn several_tools_are_called_after_a_thought() {
    let script = "{parallel_tool_calls: 2, thinking: true, cached_tokens: 1}";
    let two = r#"{"messages":[{"content":"hello"}],"tools":[{"function":{"name":"f"}},{"function":{"name":"g"}}]"#;
    let reply = whole(script, PATH, &format!("{two}}}")).await;
    let message = &reply["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "First the load is weighed.");
    let call =
        |at: usize| (message["tool_calls"][at]["id"].clone(), message["tool_calls"][at]["function"]["name"].clone());
    assert_eq!(call(0), (json!("call_000000000001"), json!("f")));
    assert_eq!(call(1), (json!("call_000000000001_1"), json!("g")));
    let usage = json!({
        "prompt_tokens": 5, "completion_tokens": 11, "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 5},
    });
    assert_eq!(reply["usage"], usage);
    for choice in [r#""parallel_tool_calls":false"#, r#""tool_choice":"none""#] {
        let calls =
            whole(script, PATH, &format!("{two},{choice}}}")).await["choices"][0]["message"]["tool_calls"].clone();
        assert_eq!(calls.as_array().map_or(0, Vec::len), usize::from(choice.contains("parallel")), "{choice}");
    }
}

#[tokio::test]
async fn json_is_of_the_schema_that_is_asked_for() {
    let format = r#"{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","required":["a"],"properties":{"a":{"type":"boolean"}}}}},"stream":"#;
    let reply = whole("", PATH, &format!("{format}false}}")).await;
    assert_eq!(reply["choices"][0]["message"]["content"], r#"{"a":true}"#);
    let clean = r#"role assistant "" | "{\"a\":tru" | "e}" | finish stop | [DONE]"#;
    check_stream("", PATH, &format!("{format}true}}"), clean).await;
}

#[tokio::test]
async fn a_chunk_holds_all_that_openais_do() {
    let answer = chat(&fake("tokens: 1"), STREAM).await;
    let text = answer.text().replace(",\"choices\"", ",\n\"choices\"");
    expect![[r#"
        data: {"id":"chatcmpl-000000000001","object":"chat.completion.chunk","created":1767225600,"model":"m","system_fingerprint":"fp_fakellm",
        "choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}

        data: {"id":"chatcmpl-000000000001","object":"chat.completion.chunk","created":1767225600,"model":"m","system_fingerprint":"fp_fakellm",
        "choices":[{"index":0,"delta":{"content":"Every"},"logprobs":null,"finish_reason":null}]}

        data: {"id":"chatcmpl-000000000001","object":"chat.completion.chunk","created":1767225600,"model":"m","system_fingerprint":"fp_fakellm",
        "choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}

        data: [DONE]

    "#]].assert_eq(&text);
}

#[tokio::test]
async fn streams_hold_what_was_asked_for() {
    let clean = r#"role assistant "" | "Every" | " load" | finish stop | [DONE]"#;
    check_stream("tokens: 2", PATH, STREAM, clean).await;
    let usage = r#"{"stream":true,"stream_options":{"include_usage":true},"max_tokens":1}"#;
    let with = r#"role assistant "" | "Every" | finish length | usage 1 | [DONE]"#;
    check_stream("", PATH, usage, with).await;
    let without = r#"role assistant "" | "Every" | finish length | [DONE]"#;
    check_stream("usage: false", PATH, usage, without).await;
    let running = r#"role assistant "" | "Every" usage 6 | " load" usage 7 | finish stop | [DONE]"#;
    check_stream("{usage_in_every_chunk: true, tokens: 2}", PATH, STREAM, running).await;
    let text = r#""Every" | " load" | "" finish stop | [DONE]"#;
    check_stream("tokens: 2", "/p/v1/completions", STREAM, text).await;
    let two = r#"role assistant "" | role assistant "" | "Every" | "Every" | finish stop | finish stop | [DONE]"#;
    check_stream("tokens: 1", PATH, r#"{"stream":true,"n":2}"#, two).await;
}

#[tokio::test]
async fn tool_calls_are_streamed_in_pieces() {
    let body = TOOLS.replacen('{', r#"{"stream":true,"#, 1);
    let answer = post(&fake("tool_calls: true"), PATH, &body).await;
    let events = answer.events();
    let calls: Vec<Value> = events[1..4].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let first = json!({"name": "f", "arguments": "{\""});
    assert_eq!(calls[0], json!([{"index": 0, "id": "call_000000000001", "type": "function", "function": first}]));
    assert_eq!(calls[1], json!([{"index": 0, "function": {"arguments": "load\":"}}]));
    assert_eq!(calls[2], json!([{"index": 0, "function": {"arguments": "1}"}}]));
    assert_eq!((&*events[0], &events[4..]), ("role assistant", &["finish tool_calls".into(), "[DONE]".into()][..]));
}

#[tokio::test]
async fn other_operations() {
    let rows = [
        ("embeddings", r#"{"input":["a","b"],"dimensions":2}"#, "/data/1/embedding", json!([0.125, 0.25])),
        (
            "embeddings",
            r#"{"input":"a","encoding_format":"base64","dimensions":2}"#,
            "/data/0/embedding",
            json!("AAAAAAAAAD4="),
        ),
        ("embeddings", r#"{"input":["a","b"]}"#, "/usage/total_tokens", json!(7)),
        ("moderations", r#"{"input":["a","b"]}"#, "/results/1/flagged", json!(false)),
        ("rerank", r#"{"query":"a","documents":["b","c"]}"#, "/results/1/relevance_score", json!(0.5)),
        ("images/generations", r#"{"prompt":"a","n":2}"#, "/data/1/url", json!("https://images.invalid/1.png")),
        ("images/edits", "", "/data/0/url", json!("https://images.invalid/0.png")),
        ("audio/transcriptions", "", "/text", json!("Every load that crosses this bridge is weighed.")),
    ];
    for (path, body, pointer, expected) in rows {
        let reply = whole("", &format!("/p/v1/{path}"), body).await;
        assert_eq!(reply.pointer(pointer), Some(&expected), "{path} {body}");
    }
}

#[tokio::test]
async fn speech_is_not_text() {
    let answer = post(&fake(""), "/p/v1/audio/speech", r#"{"model":"m","input":"a"}"#).await;
    assert_eq!(answer.header("content-type"), "audio/mpeg");
    assert!(String::from_utf8(answer.frames.concat()).is_err());
}

#[tokio::test]
async fn tokens_in_the_books_are_those_of_the_reply() {
    let fake = fake("{}");
    let usage = chat(&fake, CHAT).await.json()["usage"].clone();
    assert_eq!(json!(fake.report("p").tokens), json!({"prompt": usage["prompt_tokens"], "completion": 8}));
    chat(&fake, STREAM).await;
    assert_eq!(fake.report("p").tokens.completion, 16);
}

#[tokio::test(start_paused = true)]
async fn answers_take_their_time() {
    let cases = [
        ("latency: 250", CHAT, 250),
        ("{latency: 250, statuses: [500]}", CHAT, 250),
        ("{latency: 100, first_token_ms: 50, token_ms: 10, tokens: 4}", STREAM, 100 + 50 + 3 * 10),
        ("{latency: 100, first_token_ms: 50, token_ms: 10, tokens: 4}", CHAT, 100),
        ("{latency: {min: 7, max: 7}}", CHAT, 7),
    ];
    for (script, body, expected) in cases {
        let fake = fake(script);
        let start = Instant::now();
        chat(&fake, body).await;
        assert_eq!(start.elapsed(), Duration::from_millis(expected), "{script}");
    }
}

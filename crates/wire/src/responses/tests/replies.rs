//! Whole replies, read and written.

use expect_test::{Expect, expect};
use weighbridge_domain::usage::Usage;

use super::labels;
use crate::chat::{Block, Content, ToolCall};
use crate::json::Json;
use crate::reply::{Choice, Finish, FinishReason, Reply};
use crate::responses::{Echo, read_reply, write_reply};

fn call(id: &str, arguments: &str, signature: Option<&str>) -> Content {
    Content::ToolCall(ToolCall {
        id: id.into(),
        name: "get".into(),
        arguments: arguments.into(),
        signature: signature.map(str::to_owned),
    })
}

fn reply(contents: Vec<Content>, reason: FinishReason) -> Reply {
    let blocks = contents.into_iter().map(Block::new).collect();
    Reply { choices: vec![Choice { blocks, finish: Finish::of(reason), logprobs: None }], ..Reply::default() }
}

/// What differs from reply to reply.
#[expect(clippy::needless_pass_by_value, reason = "reads better")]
fn check(reply: Reply, expected: Expect) {
    let body = write_reply(&reply, &labels(), &Echo::default());
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let mut lines: Vec<String> = ["id", "status", "incomplete_details", "model", "usage"]
        .iter()
        .map(|name| format!("{name}: {}", json[name]))
        .collect();
    lines.extend(json["output"].as_array().unwrap().iter().map(ToString::to_string));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_response_is_whole() {
    let usage = Usage {
        prompt_tokens: 10,
        completion_tokens: 5,
        cache_read_tokens: 4,
        cache_write_tokens: 1,
        reasoning_tokens: 2,
    };
    let reply = Reply {
        id: Some("chatcmpl-1".into()),
        model: Some("claude".into()),
        usage: Some(usage),
        ..reply(vec![Content::Text("hi".into())], FinishReason::Stop)
    };
    let echo = Echo::of(br#"{"model":"m","input":"x","instructions":"be nice","temperature":0.20,"tools":[{"type":"function","name":"f","parameters":{"z":1.0,"a":2}}],"tool_choice":null,"store":true,"metadata":{"k":"v"}}"#);
    expect![[r#"{"id":"resp_req1","object":"response","created_at":1760000000,"status":"completed","error":null,"incomplete_details":null,"model":"claude","output":[{"type":"message","id":"msg_req10","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[],"logprobs":[]}]}],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15},"instructions":"be nice","max_output_tokens":null,"max_tool_calls":null,"metadata":{"k":"v"},"parallel_tool_calls":true,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","temperature":0.20,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[{"type":"function","name":"f","parameters":{"z":1.0,"a":2}}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","user":null,"background":false,"previous_response_id":null,"store":false}"#]].assert_eq(std::str::from_utf8(&write_reply(&reply, &labels(), &echo)).unwrap());
    expect![[r#"{"id":"resp_req1","object":"response","created_at":1760000000,"status":"completed","error":null,"incomplete_details":null,"model":"gpt-5","output":[],"usage":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","user":null,"background":false,"previous_response_id":null,"store":false}"#]].assert_eq(std::str::from_utf8(&write_reply(&Reply::default(), &labels(), &Echo::default())).unwrap());
}

#[test]
fn blocks_become_items() {
    let thought = |text: &str, signature: Option<&str>| Content::Thinking {
        text: text.into(),
        signature: signature.map(str::to_owned),
    };
    check(
        reply(
            vec![
                thought("hm", Some("sig")),
                thought("", Some("sig2")),
                Content::RedactedThinking { data: "dark".into() },
                Content::Text("a".into()),
                Content::Text("b".into()),
                Content::Refusal("c".into()),
                call("call_1", r#"{"a": 1}"#, Some("gem")),
                call("call_2", "", None),
            ],
            FinishReason::ToolCalls,
        ),
        expect![[r#"
            id: "resp_req1"
            status: "completed"
            incomplete_details: null
            model: "gpt-5"
            usage: null
            {"encrypted_content":"sig","id":"rs_req10","summary":[{"text":"hm","type":"summary_text"}],"type":"reasoning"}
            {"encrypted_content":"sig2","id":"rs_req11","summary":[{"text":"","type":"summary_text"}],"type":"reasoning"}
            {"encrypted_content":"dark","id":"rs_req12","summary":[],"type":"reasoning"}
            {"content":[{"annotations":[],"logprobs":[],"text":"a","type":"output_text"},{"annotations":[],"logprobs":[],"text":"b","type":"output_text"},{"refusal":"c","type":"refusal"}],"id":"msg_req13","role":"assistant","status":"completed","type":"message"}
            {"arguments":"{\"a\": 1}","call_id":"call_1","extra_content":{"google":{"thought_signature":"gem"}},"id":"fc_req14","name":"get","status":"completed","type":"function_call"}
            {"arguments":"{}","call_id":"call_2","id":"fc_req15","name":"get","status":"completed","type":"function_call"}"#]],
    );
    check(
        reply(vec![call("c", "{}", None), Content::Text("cut".into())], FinishReason::Length),
        expect![[r#"
        id: "resp_req1"
        status: "incomplete"
        incomplete_details: {"reason":"max_output_tokens"}
        model: "gpt-5"
        usage: null
        {"arguments":"{}","call_id":"c","id":"fc_req10","name":"get","status":"completed","type":"function_call"}
        {"content":[{"annotations":[],"logprobs":[],"text":"cut","type":"output_text"}],"id":"msg_req11","role":"assistant","status":"incomplete","type":"message"}"#]],
    );
    check(
        reply(vec![Content::Text("x".into())], FinishReason::ContentFilter),
        expect![[r#"
        id: "resp_req1"
        status: "incomplete"
        incomplete_details: {"reason":"content_filter"}
        model: "gpt-5"
        usage: null
        {"content":[{"annotations":[],"logprobs":[],"text":"x","type":"output_text"}],"id":"msg_req10","role":"assistant","status":"incomplete","type":"message"}"#]],
    );
    let mut with_logprobs = reply(vec![Content::Text("x".into())], FinishReason::Stop);
    with_logprobs.choices[0].logprobs =
        Json::parse(r#"{"content":[{"token":"x","logprob":-0.10,"bytes":[120],"top_logprobs":[]}]}"#);
    with_logprobs.id = Some("resp_abc".into());
    check(
        with_logprobs,
        expect![[r#"
        id: "resp_abc"
        status: "completed"
        incomplete_details: null
        model: "gpt-5"
        usage: null
        {"content":[{"annotations":[],"logprobs":[{"bytes":[120],"logprob":-0.1,"token":"x","top_logprobs":[]}],"text":"x","type":"output_text"}],"id":"msg_req10","role":"assistant","status":"completed","type":"message"}"#]],
    );
}

#[expect(clippy::needless_pass_by_value, reason = "reads better")]
fn check_read(body: &str, expected: Expect) {
    expected.assert_eq(&match read_reply(body.as_bytes(), &labels()) {
        Ok(reply) => format!("{reply:?}"),
        Err(failure) => format!("{} {} {}", failure.kind.label(), failure.http_status(), failure.message),
    });
}

#[test]
fn responses_are_read() {
    check_read(
        r#"{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"model":"gpt-5-2025-08-07","output":[
        {"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAAAx"},
        {"id":"ws_1","type":"web_search_call","status":"completed"},
        {"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[],"logprobs":[{"token":"hi","logprob":-0.10}]}]},
        {"id":"fc_1","type":"function_call","call_id":"call_1","name":"get","arguments":"{}"},
        {"type":"function_call","name":"get","arguments":"{}"}],
        "usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14},"store":false}"#,
        expect![[
            r#"Reply { id: Some("resp_1"), model: Some("gpt-5-2025-08-07"), choices: [Choice { blocks: [Block { content: RedactedThinking { data: "gAAAAx" }, cache: None }, Block { content: Text("hi"), cache: None }, Block { content: ToolCall(ToolCall { id: "call_1", name: "get", arguments: "{}", signature: None }), cache: None }, Block { content: ToolCall(ToolCall { id: "call_req11", name: "get", arguments: "{}", signature: None }), cache: None }], finish: Finish { reason: ToolCalls, native: Some("completed"), stop_sequence: None }, logprobs: Some({"content":[{"token":"hi","logprob":-0.10}]}) }], usage: Some(Usage { prompt_tokens: 9, completion_tokens: 5, cache_read_tokens: 4, cache_write_tokens: 0, reasoning_tokens: 2 }) }"#
        ]],
    );
    check_read(
        r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":null}"#,
        expect![[
            r#"Reply { id: None, model: None, choices: [Choice { blocks: [], finish: Finish { reason: Length, native: Some("max_output_tokens"), stop_sequence: None }, logprobs: None }], usage: None }"#
        ]],
    );
    check_read(
        r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[],"usage":"odd"}"#,
        expect![[
            r#"Reply { id: None, model: None, choices: [Choice { blocks: [], finish: Finish { reason: ContentFilter, native: Some("content_filter"), stop_sequence: None }, logprobs: None }], usage: None }"#
        ]],
    );
    check_read(
        r#"{"status":"incomplete","incomplete_details":null,"output":[]}"#,
        expect![[
            r#"Reply { id: None, model: None, choices: [Choice { blocks: [], finish: Finish { reason: Length, native: Some("incomplete"), stop_sequence: None }, logprobs: None }], usage: None }"#
        ]],
    );
    check_read(
        r#"{"output":[7,{"type":"message"},{"type":"message","content":"x"}]}"#,
        expect![[
            r#"Reply { id: None, model: None, choices: [Choice { blocks: [], finish: Finish { reason: Stop, native: Some("completed"), stop_sequence: None }, logprobs: None }], usage: None }"#
        ]],
    );
}

#[test]
fn what_is_no_response_is_a_failure() {
    check_read("<html>", expect!["broken_reply 502 the provider's reply is not a response"]);
    check_read("{}", expect!["broken_reply 502 the provider's response has no output"]);
    check_read(
        r#"{"status":"in_progress","output":[]}"#,
        expect!["broken_reply 502 the provider's response is in_progress, not completed"],
    );
    check_read(
        r#"{"status":"failed","error":{"code":"server_error","message":"boom"},"output":[]}"#,
        expect!["server_error 500 boom"],
    );
    check_read(
        r#"{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"output":[]}"#,
        expect!["rate_limited 429 slow"],
    );
    check_read(
        r#"{"status":"failed","error":null,"output":[]}"#,
        expect!["server_error 500 the provider failed to make a response"],
    );
    check_read(
        r#"{"error":{"message":"no such model","code":"model_not_found","status":404}}"#,
        expect!["not_found 404 no such model"],
    );
}

//! Providers' streams.

use expect_test::{Expect, expect};

use super::{labels, summary};
use crate::format::Frame;
use crate::responses::Reader;

/// What the events of `datas` (a line each) say.
#[expect(clippy::needless_pass_by_value, reason = "reads better")]
fn check(datas: &str, expected: Expect) {
    let mut reader = Reader::new(&labels());
    let mut events = Vec::new();
    for data in datas.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(!reader.is_complete());
        reader.read(Frame { kind: None, data: data.as_bytes() }, &mut events);
    }
    let mut lines: Vec<String> = events.iter().map(summary).collect();
    lines.push(format!("complete: {}", reader.is_complete()));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn thoughts_text_and_calls_are_told() {
    check(
        r#"
        {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"gpt-5","status":"in_progress","output":[]}}
        {"type":"response.in_progress","response":{"id":"resp_1","model":"gpt-5"}}
        {"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}
        {"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}
        {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"a"}
        {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"b"}
        {"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","encrypted_content":"gAAAAx","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}]}}
        {"type":"response.output_item.added","output_index":1,"item":{"id":"rs_2","type":"reasoning","summary":[]}}
        {"type":"response.output_item.done","output_index":1,"item":{"id":"rs_2","type":"reasoning","encrypted_content":"gAAAAy","summary":[]}}
        {"type":"response.output_item.added","output_index":2,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}
        {"type":"response.output_text.delta","output_index":2,"content_index":0,"delta":"hi","logprobs":[{"token":"hi","logprob":-0.10}]}
        {"type":"response.refusal.delta","output_index":2,"content_index":1,"delta":"no"}
        {"type":"response.output_text.done","output_index":2,"content_index":0,"text":"hi"}
        {"type":"response.output_item.done","output_index":2,"item":{"type":"message","content":[{"type":"output_text","text":"hi"}]}}
        {"type":"response.output_item.added","output_index":3,"item":{"type":"function_call","call_id":"call_1","name":"get","arguments":""}}
        {"type":"response.output_item.added","output_index":4,"item":{"type":"function_call","call_id":"call_2","name":"put","arguments":""}}
        {"type":"response.function_call_arguments.delta","output_index":4,"delta":"{}"}
        {"type":"response.function_call_arguments.delta","output_index":3,"delta":"{\"a\":"}
        {"type":"response.function_call_arguments.delta","output_index":3,"delta":"1}"}
        {"type":"response.function_call_arguments.done","output_index":3,"arguments":"{\"a\":1}"}
        {"type":"response.output_item.done","output_index":3,"item":{"type":"function_call","call_id":"call_1","name":"get","arguments":"{\"a\":1}"}}
        {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":3,"output_tokens":4,"output_tokens_details":{"reasoning_tokens":1}}}}
        "#,
        expect![[r#"
            start resp_1 gpt-5
            Thinking("a")
            Thinking("\n\n")
            Thinking("b")
            Signature("gAAAAx")
            RedactedThinking("gAAAAy")
            Text("hi")
            Logprobs({"content":[{"token":"hi","logprob":-0.10}]})
            Refusal("no")
            ToolCall { index: 0, id: "call_1", name: "get", signature: None }
            ToolCall { index: 1, id: "call_2", name: "put", signature: None }
            Arguments { index: 1, json: "{}" }
            Arguments { index: 0, json: "{\"a\":" }
            Arguments { index: 0, json: "1}" }
            finish ToolCalls completed
            usage 3+4 cached 0 written 0 reasoning 1
            complete: true"#]],
    );
}

#[test]
fn items_without_deltas_are_told_whole() {
    check(
        r#"
        {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"text":"hm"}],"encrypted_content":"gAAAAx"}}
        {"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"hi"}]}}
        {"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","name":"get","arguments":"{}"}}
        {"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}
        "#,
        expect![[r#"
            start - -
            Thinking("hm")
            Signature("gAAAAx")
            Text("hi")
            ToolCall { index: 0, id: "call_req10", name: "get", signature: None }
            Arguments { index: 0, json: "{}" }
            finish Length max_output_tokens
            complete: true"#]],
    );
    check(
        r#"{"type":"response.completed","response":{"id":"resp_1","model":"m","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]}}"#,
        expect![[r#"
            start resp_1 m
            Text("hi")
            finish Stop completed
            complete: true"#]],
    );
}

#[test]
fn thoughts_in_full_are_told_once_and_apart() {
    check(
        r#"
        {"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"full"}
        {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"short"}
        {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"text":"short"}],"content":[{"text":"full"}]}}
        {"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":0,"delta":"next"}
        "#,
        expect![[r#"
            start - -
            Thinking("full")
            Thinking("\n\n")
            Thinking("next")
            complete: false"#]],
    );
}

#[test]
fn errors_end_it() {
    check(
        r#"
        {"type":"response.created","response":{"id":"resp_1"}}
        {"type":"error","code":"rate_limit_exceeded","message":"slow down","param":null,"sequence_number":1}
        {"type":"response.completed","response":{}}
        "#,
        expect![[r#"
            start resp_1 -
            failure rate_limited slow down
            complete: false"#]],
    );
    check(
        r#"{"type":"error","sequence_number":1,"error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"too long","param":"input"}}"#,
        expect![[r#"
            failure context_window too long
            complete: false"#]],
    );
    check(
        r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"boom"}}}"#,
        expect![[r#"
            failure server_error boom
            complete: false"#]],
    );
    check(
        r#"{"type":"response.failed"}"#,
        expect![[r#"
        failure server_error the provider failed to make a response
        complete: false"#]],
    );
    check(
        r#"{"error":{"message":"bad gateway","code":502}}"#,
        expect![[r#"
        failure server_error bad gateway
        complete: false"#]],
    );
}

#[test]
fn garbage_says_nothing() {
    check(
        r#"
        [DONE]
        {
        []
        {"type":7}
        {"type":"response.output_text.delta"}
        {"type":"response.function_call_arguments.delta","output_index":9,"delta":"{}"}
        {"type":"response.output_item.added"}
        {"type":"response.output_item.done","item":[]}
        {"type":"response.web_search_call.searching","output_index":0}
        "#,
        expect!["complete: false"],
    );
}

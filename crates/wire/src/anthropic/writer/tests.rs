//! What is written, in tables.

use bytes::BytesMut;
use expect_test::{Expect, expect};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::Writer;
use crate::format::{Labels, StreamOptions};
use crate::reply::{Delta, Event, Finish, FinishReason};

fn check(events: &[Event], expected: Expect) {
    let labels = Labels { request_id: "req-1".to_owned(), model: "asked".to_owned(), created: 0 };
    let (mut writer, mut out) = (Writer::new(&labels, StreamOptions::default()), BytesMut::new());
    for event in events {
        writer.write(event, &mut out);
    }
    if !matches!(events.last(), Some(Event::Failure(_))) {
        writer.end(&mut out);
    }
    expected.assert_eq(std::str::from_utf8(&out).unwrap());
}

fn start() -> Event {
    Event::Start { id: Some("chatcmpl-1".to_owned()), model: Some("gpt".to_owned()) }
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn text(text: &str) -> Event {
    delta(Delta::Text(text.to_owned()))
}

fn call(index: u32) -> Event {
    delta(Delta::ToolCall { index, id: format!("call_{index}"), name: "add".to_owned(), signature: None })
}

fn arguments(index: u32, json: &str) -> Event {
    delta(Delta::Arguments { index, json: json.to_owned() })
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { choice: 0, finish: Finish::of(reason) }
}

#[test]
fn text_is_one_block() {
    let usage = Usage { prompt_tokens: 13, completion_tokens: 5, cache_read_tokens: 10, ..Usage::default() };
    let other = Event::Delta { choice: 1, delta: Delta::Text("other".to_owned()) };
    check(
        &[start(), text(""), text("Hel"), other, text("lo"), finish(FinishReason::Stop), Event::Usage(usage)],
        expect![[r#"
            event: message_start
            data: {"type":"message_start","message":{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"gpt","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

            event: content_block_start
            data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":0}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":10,"output_tokens":5}}

            event: message_stop
            data: {"type":"message_stop"}

        "#]],
    );
}

#[test]
fn thoughts_end_with_their_signature() {
    let thought = |text: &str| delta(Delta::Thinking(text.to_owned()));
    let signature = |text: &str| delta(Delta::Signature(text.to_owned()));
    let redacted = delta(Delta::RedactedThinking("Em".to_owned()));
    check(
        &[start(), thought("h"), thought("m"), signature("Eq"), thought("so"), redacted, text("Hi")],
        expect![[r#"
            event: message_start
            data: {"type":"message_start","message":{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"gpt","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

            event: content_block_start
            data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":0}

            event: content_block_start
            data: {"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":"","signature":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"so"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":1}

            event: content_block_start
            data: {"type":"content_block_start","index":2,"content_block":{"type":"redacted_thinking","data":"Em"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":2}

            event: content_block_start
            data: {"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"Hi"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":3}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}

            event: message_stop
            data: {"type":"message_stop"}

        "#]],
    );
}

#[test]
fn calls_that_interleave_stand_one_behind_the_other() {
    check(
        &[
            start(),
            text("Let me see."),
            call(0),
            arguments(0, "{\"a\":"),
            call(1),
            arguments(1, "{\"b\":"),
            arguments(0, "1}"),
            arguments(1, "2}"),
            call(2),
            text("Done."),
            finish(FinishReason::ToolCalls),
        ],
        expect![[r#"
            event: message_start
            data: {"type":"message_start","message":{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"gpt","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

            event: content_block_start
            data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Let me see."}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":0}

            event: content_block_start
            data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"call_0","name":"add","input":{}}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1}"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":1}

            event: content_block_start
            data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"call_1","name":"add","input":{}}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"b\":"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"2}"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":2}

            event: content_block_start
            data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"call_2","name":"add","input":{}}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":3}

            event: content_block_start
            data: {"type":"content_block_start","index":4,"content_block":{"type":"text","text":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"Done."}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":4}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}

            event: message_stop
            data: {"type":"message_stop"}

        "#]],
    );
}

#[test]
fn a_failure_ends_it() {
    let failure = Failure::new(FailureKind::Overloaded, "Overloaded");
    check(
        &[start(), text("Hel"), Event::Failure(Box::new(failure))],
        expect![[r#"
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"gpt","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

        event: error
        data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req-1"}

    "#]],
    );
}

#[test]
fn nothing_is_a_message_too() {
    check(
        &[],
        expect![[r#"
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_req-1","type":"message","role":"assistant","model":"asked","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}

        event: message_stop
        data: {"type":"message_stop"}

    "#]],
    );
}

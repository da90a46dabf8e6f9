//! What is read of Converse.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::bedrock::{Reader, read_reply};
use crate::format::Frame;
use crate::reply::Event;
use crate::told::{CASES, folded, golden, labels, summary};

/// The messages of a golden stream.
fn messages(case: &str) -> Vec<(String, String)> {
    let lines = String::from_utf8(golden(&format!("bedrock/{case}.stream.jsonl"))).unwrap();
    let message = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        (json["type"].as_str().unwrap().to_owned(), json["payload"].to_string())
    };
    lines.lines().map(message).collect()
}

fn read(messages: &[(String, String)]) -> (Vec<Event>, bool) {
    let mut reader = Reader::new(&labels());
    let mut events = Vec::new();
    for (kind, data) in messages {
        reader.read(Frame { kind: Some(kind), data: data.as_bytes() }, &mut events);
    }
    (events, reader.is_complete())
}

#[test]
fn streams_tell_what_whole_replies_hold() {
    for case in CASES {
        let whole = read_reply(&golden(&format!("bedrock/{case}.reply.json")), &labels()).unwrap();
        let messages = messages(case);
        let (events, is_complete) = read(&messages);
        assert!(is_complete);
        assert_eq!(folded(&events), whole, "{case}");
        // Cut before its end it is not whole; the usage comes behind the end.
        for at in 0..messages.len() - 2 {
            assert!(!read(&messages[..at]).1, "{case} cut at {at}");
        }
    }
}

#[test]
fn replies_are_read() {
    let check = |case: &str, expected: Expect| {
        let reply = read_reply(&golden(&format!("bedrock/{case}.reply.json")), &labels()).unwrap();
        expected.assert_eq(&summary(&reply));
    };
    check(
        "parallel_tools",
        expect![[r#"
            text I will look at both scales.
            call tooluse_kZJMlvQmRJ6eAyJE5GIl7Q get_weight {"scale":"north","unit":"t"}
            call tooluse_9cVx2hPWTs2m0a1bC3dE4f get_weight {"scale":"süd"}
            ToolCalls Some("tool_use") None
            431 in (0 read, 0 written), 112 out (0 reasoning)"#]],
    );
    check(
        "thinking",
        expect![[r#"
            thinking The load is what is left when the empty lorry is taken away: 31.2 - 13.8 = 17.4. Some("EqQBCkgIARABGAIiQHmJ8fY0Wm9tR0J3bGVuZGluZyBzaWduYXR1cmUgdGhhdCBpcyBtYWRlIHVwEgxk")
            text The lorry carries 17.4 tonnes.
            Stop Some("end_turn") None
            1807 in (1536 read, 220 written), 74 out (0 reasoning)"#]],
    );
    check(
        "length",
        expect![[r#"
            text The scale was first described in
            Length Some("max_tokens") None
            19 in (0 read, 0 written), 8 out (0 reasoning)"#]],
    );
}

#[test]
fn odd_replies() {
    let message = |content: &str, stop: &str| {
        format!(r#"{{"output":{{"message":{{"role":"assistant","content":{content}}}}},"stopReason":"{stop}"}}"#)
    };
    let rows = [
        (message(r#"[{"text":"x"}]"#, "guardrail_intervened"), "text x\nContentFilter Some(\"guardrail_intervened\") None"),
        (message("[]", "content_filtered"), "ContentFilter Some(\"content_filtered\") None"),
        (message("null", "odd"), "Stop Some(\"odd\") None"),
        (message("[]", "model_context_window_exceeded"), "Length Some(\"model_context_window_exceeded\") None"),
        (
            message(r#"[{"toolUse":{"name":"f","input":{"b":1.0}}}]"#, "end_turn"),
            "call call_req10 f {\"b\":1.0}\nToolCalls Some(\"end_turn\") None",
        ),
        // The tool that stands for the reply.
        (
            message(r#"[{"toolUse":{"toolUseId":"t","name":"reply_with_json","input":{"b":1.0}}}]"#, "tool_use"),
            "text {\"b\":1.0}\nStop Some(\"tool_use\") None",
        ),
        (
            message(r#"[{"reasoningContent":{"redactedContent":"RW13S0FoZ0I="}},{"reasoningContent":{"redactedContent":"AAEC"}}]"#, "end_turn"),
            "RedactedThinking { data: \"EmwKAhgB\" }\nRedactedThinking { data: \"AAEC\" }\nStop Some(\"end_turn\") None",
        ),
        (
            message(r#"[{"citationsContent":{"content":[{"text":"a"},{"text":"b"}],"citations":[]}},{"future":{}}]"#, "end_turn"),
            "text a\ntext b\nStop Some(\"end_turn\") None",
        ),
        (
            r#"{"output":{"message":{"content":[]}},"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}}"#.to_owned(),
            "Stop Some(\"stop_sequence\") Some(\"END\")",
        ),
    ];
    for (body, expected) in rows {
        let reply = read_reply(body.as_bytes(), &labels()).unwrap();
        assert_eq!(summary(&reply), format!("{expected}\n0 in (0 read, 0 written), 0 out (0 reasoning)"), "{body}");
    }
    let failures = [
        ("", "broken_reply the provider's reply is none of Converse"),
        ("[]", "broken_reply the provider's reply is none of Converse"),
        ("{}", "broken_reply the provider's reply is none of Converse"),
        (r#"{"message":"Too many tokens, please wait"}"#, "server_error Too many tokens, please wait"),
        (r#"{"Message":"Unable to reach the model"}"#, "server_error Unable to reach the model"),
    ];
    for (body, expected) in failures {
        let failure = read_reply(body.as_bytes(), &labels()).unwrap_err();
        assert_eq!(format!("{} {}", failure.kind.label(), failure.message), expected, "{body}");
    }
}

#[test]
fn exceptions_are_failures() {
    let rows = [
        ("throttlingException", r#"{"message":"Too many requests"}"#, "rate_limited 429 Too many requests"),
        ("serviceUnavailableException", r#"{"message":"busy"}"#, "overloaded 503 busy"),
        ("internalServerException", r#"{"message":"oops"}"#, "server_error 500 oops"),
        ("modelStreamErrorException", r#"{"message":"m","originalStatusCode":529}"#, "overloaded 529 m"),
        ("modelStreamErrorException", r#"{"message":"m","originalStatusCode":424}"#, "server_error 424 m"),
        ("modelStreamErrorException", r#"{"message":"m"}"#, "server_error 500 m"),
        (
            "validationException",
            r#"{"message":"Input is too long for requested model."}"#,
            "context_window 400 Input is too long for requested model.",
        ),
        ("validationException", r#"{"message":"bad"}"#, "bad_request 400 bad"),
        ("modelTimeoutException", r#"{"message":"late"}"#, "timeout 408 late"),
        ("futureException", "", "server_error 500 futureException"),
        ("InternalFailure", r#"{"message":"it broke"}"#, "server_error 500 it broke"),
    ];
    for (kind, data, expected) in rows {
        let (events, _) = read(&[(kind.to_owned(), data.to_owned()), ("messageStart".to_owned(), "{}".to_owned())]);
        let [Event::Failure(failure)] = events.as_slice() else { panic!("{events:?}") };
        let seen = format!("{} {} {}", failure.kind.label(), failure.http_status(), failure.message);
        assert_eq!(seen, expected, "{kind}");
    }
    let (events, is_complete) = read(&messages("error"));
    assert!(!is_complete && matches!(events.last(), Some(Event::Failure(_))), "{events:?}");
    // What is only new is none.
    assert_eq!(read(&[("futureEvent".to_owned(), r#"{"x":1}"#.to_owned())]).0, Vec::new());
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let start = r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"a","name":"f"}}}"#;
    let by_tool = r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"b","name":"reply_with_json"}}}"#;
    let stop = |at| ("contentBlockStop".to_owned(), format!(r#"{{"contentBlockIndex":{at}}}"#));
    let input = r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"x\":1}"}}}"#;
    let messages = [
        ("contentBlockStart".to_owned(), start.to_owned()),
        stop(0),
        ("contentBlockStart".to_owned(), by_tool.to_owned()),
        ("contentBlockDelta".to_owned(), input.to_owned()),
        stop(1),
        ("messageStop".to_owned(), r#"{"stopReason":"tool_use"}"#.to_owned()),
    ];
    let reply = folded(&read(&messages).0);
    assert!(summary(&reply).starts_with("call a f {}\ntext {\"x\":1}\nToolCalls"), "{}", summary(&reply));
    let reply = folded(&read(&messages[2..]).0);
    assert!(summary(&reply).starts_with("text {\"x\":1}\nStop"), "{}", summary(&reply));
}

proptest! {
    #[test]
    fn garbage_is_read(kind in 0..7_usize, data in "[\\[\\]{}\":,a-z0-9 ]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let kinds = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x"];
        let mut events = Vec::new();
        let mut reader = Reader::new(&labels());
        for data in [data.as_bytes(), &bytes] {
            reader.read(Frame { kind: Some(kinds[kind]), data }, &mut events);
            drop(read_reply(data, &labels()));
        }
    }
}

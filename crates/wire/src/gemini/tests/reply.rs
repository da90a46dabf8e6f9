use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::{any, prop, proptest};
use weighbridge_domain::failure::Failure;
use weighbridge_domain::usage::Usage;

use crate::chat::{Content, Source};
use crate::format::{Frame, Labels};
use crate::gemini::{Reader, read_reply};
use crate::reply::{Delta, Event, Finish, Reply};

const CASES: [&str; 7] = ["text", "tools", "parallel_tools", "image", "json_schema", "thinking", "length"];

fn labels() -> Labels {
    Labels { request_id: "req-1".into(), model: "asked".into(), created: 0 }
}

fn golden(file: &str) -> String {
    let path = format!("{}/golden/providers/gemini/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn frames(stream: &str) -> Vec<&str> {
    stream.split("\r\n\r\n").filter_map(|frame| frame.strip_prefix("data: ")).collect()
}

fn read_stream(frames: &[&str]) -> (Vec<Event>, bool) {
    let (mut reader, mut events) = (Reader::new(&labels()), Vec::new());
    for data in frames {
        reader.read(Frame { kind: None, data: data.as_bytes() }, &mut events);
    }
    (events, reader.is_complete())
}

fn usage(usage: &Usage) -> String {
    let Usage { prompt_tokens, completion_tokens, cache_read_tokens, reasoning_tokens, .. } = usage;
    format!("used {prompt_tokens} ({cache_read_tokens} cached) + {completion_tokens} ({reasoning_tokens} thinking)")
}

fn finish(finish: &Finish) -> String {
    format!("{:?} ({})", finish.reason, finish.native.as_deref().unwrap_or("-"))
}

fn failure(failure: &Failure) -> String {
    format!("failed: {} {}: {}", failure.kind.label(), failure.http_status(), failure.message)
}

/// What a reply says, a line for each thing.
fn told(reply: &Result<Reply, Failure>) -> String {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return failure(error) + "\n",
    };
    let mut out = format!("{:?} of {:?}\n", reply.id.as_deref(), reply.model.as_deref());
    for choice in &reply.choices {
        for block in &choice.blocks {
            let line = match &block.content {
                Content::Text(text) => format!("text {text:?}"),
                Content::Thinking { text, signature } => format!("thought {text:?} {signature:?}"),
                Content::ToolCall(call) => {
                    format!("call {} {} {} {:?}", call.id, call.name, call.arguments, call.signature.as_deref())
                }
                Content::Image { source: Source::Base64 { media_type, data }, .. } => {
                    format!("image {media_type} {data}")
                }
                other => format!("{other:?}"),
            };
            writeln!(out, "{line}").unwrap();
        }
        if let Some(logprobs) = &choice.logprobs {
            writeln!(out, "logprobs {logprobs:?}").unwrap();
        }
        writeln!(out, "{}", finish(&choice.finish)).unwrap();
    }
    out + &reply.usage.as_ref().map_or("used nothing".to_owned(), usage) + "\n"
}

/// What events say, a line for each.
fn narrated(events: &[Event]) -> String {
    let lines = events.iter().map(|event| match event {
        Event::Start { id, model } => format!("{:?} of {:?}", id.as_deref(), model.as_deref()),
        Event::Delta { choice, delta } => format!("{choice} {}", line(delta)),
        Event::Finish { choice, finish: end } => format!("{choice} {}", finish(end)),
        Event::Usage(counts) => usage(counts),
        Event::Failure(error) => failure(error),
    });
    lines.map(|line| line + "\n").collect()
}

fn line(delta: &Delta) -> String {
    match delta {
        Delta::Text(text) => format!("text {text:?}"),
        Delta::Thinking(text) => format!("thought {text:?}"),
        Delta::ToolCall { index, id, name, signature } => {
            format!("call {index} {id} {name} {:?}", signature.as_deref())
        }
        Delta::Arguments { index, json } => format!("arguments {index} {json}"),
        Delta::Logprobs(logprobs) => format!("logprobs {logprobs:?}"),
        other => format!("{other:?}"),
    }
}

fn check(body: &str, expected: Expect) {
    expected.assert_eq(&told(&read_reply(body.as_bytes(), &labels())));
}

fn check_stream(stream: &str, expected: Expect) {
    let (events, is_complete) = read_stream(&frames(stream));
    expected.assert_eq(&format!("{}{}\n", narrated(&events), if is_complete { "whole" } else { "cut" }));
}

#[test]
fn a_call_without_an_id_gets_one() {
    check(
        &golden("tools.reply.json"),
        expect![[r#"
        Some("x63waPq1Jd6zvdIP5cC4iQ8") of Some("gemini-2.5-flash")
        call call_req10 get_weather {"city":"Kyōto \"west\"","unit":"celsius"} None
        ToolCalls (STOP)
        used 84 (0 cached) + 19 (0 thinking)
    "#]],
    );
    check_stream(
        &golden("tools.stream"),
        expect![[r#"
        Some("x63waPq1Jd6zvdIP5cC4iQ8") of Some("gemini-2.5-flash")
        0 call 0 call_req10 get_weather None
        0 arguments 0 {"city":"Kyōto \"west\"","unit":"celsius"}
        used 84 (0 cached) + 19 (0 thinking)
        0 ToolCalls (STOP)
        whole
    "#]],
    );
}

#[test]
fn several_calls_and_the_signature_of_the_first() {
    check(
        &golden("parallel_tools.reply.json"),
        expect![[r#"
        Some("2K3waMmSBtqGvr0P9vWL4Aw") of Some("gemini-3-flash-preview")
        text "Both cities at once."
        call k3x9w2qf get_weather {"city":"Oslo"} Some("CpwDAb4+9vvRL2Wc0q4kTq8yB1pJr6xk3m9uZ2sH7eYtXfQa5dNvLoGiW8cEbRjMz0PKhDAnUCTysVxOlIgF4w==")
        call p7m1z8ra get_weather {"city":"Turin","days":[1,2]} None
        ToolCalls (STOP)
        used 97 (0 cached) + 107 (66 thinking)
    "#]],
    );
    check_stream(
        &golden("parallel_tools.stream"),
        expect![[r#"
        Some("2K3waMmSBtqGvr0P9vWL4Aw") of Some("gemini-3-flash-preview")
        0 text "Both cities at once."
        used 97 (0 cached) + 71 (66 thinking)
        0 call 0 k3x9w2qf get_weather Some("CpwDAb4+9vvRL2Wc0q4kTq8yB1pJr6xk3m9uZ2sH7eYtXfQa5dNvLoGiW8cEbRjMz0PKhDAnUCTysVxOlIgF4w==")
        0 arguments 0 {"city":"Oslo"}
        used 97 (0 cached) + 88 (66 thinking)
        0 call 1 p7m1z8ra get_weather None
        0 arguments 1 {"city":"Turin","days":[1,2]}
        used 97 (0 cached) + 107 (66 thinking)
        0 ToolCalls (STOP)
        whole
    "#]],
    );
}

#[test]
fn thoughts_are_told_from_text() {
    check(
        &golden("thinking.reply.json"),
        expect![[r#"
        Some("Da7waIWcC9mBvdIPy6iHwAk") of Some("gemini-3-flash-preview")
        thought "**Taking off the tare**\n\nThe loaded weight is 31 t,  the empty one 14 t; the rest is the load.\n" None
        text "The load weighs 17 tons."
        Stop (STOP)
        used 2210 (2048 cached) + 151 (143 thinking)
    "#]],
    );
    check_stream(
        &golden("thinking.stream"),
        expect![[r#"
        Some("Da7waIWcC9mBvdIPy6iHwAk") of Some("gemini-3-flash-preview")
        0 thought "**Taking off the tare**\n\nThe loaded weight is 31 t,"
        used 2210 (2048 cached) + 71 (71 thinking)
        0 thought "  the empty one 14 t; the rest is the load.\n"
        used 2210 (2048 cached) + 143 (143 thinking)
        0 text "The load weighs"
        used 2210 (2048 cached) + 146 (143 thinking)
        0 text " 17 tons."
        used 2210 (2048 cached) + 151 (143 thinking)
        0 Stop (STOP)
        whole
    "#]],
    );
}

#[test]
fn the_bound_is_told() {
    check(
        &golden("length.reply.json"),
        expect![[r#"
        Some("Ja7waN2vM_OGvr0Pl-uA0Qw") of Some("gemini-2.5-flash")
        text "Weighbridges are older than"
        Length (MAX_TOKENS)
        used 12 (0 cached) + 5 (0 thinking)
    "#]],
    );
}

#[test]
fn a_refused_prompt_is_a_filtered_choice() {
    let body = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":8},"responseId":"r"}"#;
    check(
        body,
        expect![[r#"
        Some("r") of None
        ContentFilter (PROHIBITED_CONTENT)
        used 8 (0 cached) + 0 (0 thinking)
    "#]],
    );
    check_stream(
        &format!("data: {body}\r\n\r\n"),
        expect![[r#"
        Some("r") of None
        0 ContentFilter (PROHIBITED_CONTENT)
        used 8 (0 cached) + 0 (0 thinking)
        whole
    "#]],
    );
}

#[test]
fn every_end_has_its_reason() {
    let rows = [
        ("STOP", "Stop"),
        ("MAX_TOKENS", "Length"),
        ("SAFETY", "ContentFilter"),
        ("RECITATION", "ContentFilter"),
        ("PROHIBITED_CONTENT", "ContentFilter"),
        ("BLOCKLIST", "ContentFilter"),
        ("SPII", "ContentFilter"),
        ("IMAGE_SAFETY", "ContentFilter"),
        ("MODEL_ARMOR", "ContentFilter"),
        ("MALFORMED_FUNCTION_CALL", "Stop"),
        ("OTHER", "Stop"),
        ("SOMETHING_NEW", "Stop"),
    ];
    for (native, expected) in rows {
        let body = format!(r#"{{"candidates":[{{"finishReason":"{native}"}}]}}"#);
        let reply = read_reply(body.as_bytes(), &labels()).unwrap();
        assert_eq!(finish(&reply.choices[0].finish), format!("{expected} ({native})"));
    }
}

#[test]
fn alternatives_pictures_log_probabilities_and_odd_counts() {
    let body = r#"{"candidates":[
        {"index":1,"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},"finishReason":"STOP"},
        {"content":{"parts":[{"text":"é!"}]},"finishReason":"STOP","logprobsResult":{
            "chosenCandidates":[{"token":"é","tokenId":3,"logProbability":-0.5},{"token":"!"}],
            "topCandidates":[{"candidates":[{"token":"é","logProbability":-0.5},{"token":"e","logProbability":-2}]}]}},
        {"index":2,"content":null,"finishReason":null,"safetyRatings":[]}],
        "usageMetadata":{"promptTokenCount":5,"toolUsePromptTokenCount":7,"candidatesTokenCount":2,"thoughtsTokenCount":3}}"#;
    check(
        body,
        expect![[r#"
        None of None
        text "é!"
        logprobs {"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"é","logprob":-0.5,"bytes":[195,169]},{"token":"e","logprob":-2.0,"bytes":[101]}]},{"token":"!","logprob":0.0,"bytes":[33],"top_logprobs":[]}]}
        Stop (STOP)
        image image/png QUJD
        Stop (STOP)
        Stop (-)
        used 12 (0 cached) + 5 (3 thinking)
    "#]],
    );
    let odd = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":"many"}}"#;
    check(
        odd,
        expect![[r#"
        None of None
        text "x"
        Stop (STOP)
        used nothing
    "#]],
    );
}

#[test]
fn errors_in_place_of_a_reply() {
    let error = r#"{"error":{"code":429,"message":"Resource exhausted.","status":"RESOURCE_EXHAUSTED"}}"#;
    check(
        error,
        expect![[r#"
        failed: rate_limited 429: Resource exhausted.
    "#]],
    );
    check(
        &format!("[{error}]"),
        expect![[r#"
        failed: rate_limited 429: Resource exhausted.
    "#]],
    );
    check(
        "[]",
        expect![[r#"
        failed: broken_reply 502: the provider sent what is no reply of Gemini
    "#]],
    );
    check(
        "{}",
        expect![[r#"
        failed: broken_reply 502: the provider sent a reply without a candidate
    "#]],
    );
    check(
        "<html>",
        expect![[r#"
        failed: broken_reply 502: the provider sent what is no reply of Gemini
    "#]],
    );
    check_stream(
        &golden("error.stream"),
        expect![[r#"
        Some("O67waPTzGJ-Bvr0P0fKSmAs") of Some("gemini-2.5-flash")
        0 text "A bridge scale"
        used 21 (0 cached) + 3 (0 thinking)
        failed: overloaded 503: The model is overloaded. Please try again later.
        cut
    "#]],
    );
}

#[test]
fn a_reason_told_in_every_frame_is_told_once() {
    let frame = |text: &str| {
        format!(r#"data: {{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}},"finishReason":"STOP"}}]}}"#)
    };
    check_stream(
        &format!("{}\r\n\r\n{}\r\n\r\ndata: [DONE]\r\n\r\n", frame("a"), frame("b")),
        expect![[r#"
        None of None
        0 text "a"
        0 Stop (STOP)
        0 text "b"
        whole
    "#]],
    );
}

/// Whole replies and streams say the same.
#[test]
fn a_stream_says_what_the_whole_reply_says() {
    for case in CASES {
        let whole = read_reply(golden(&format!("{case}.reply.json")).as_bytes(), &labels()).unwrap();
        let stream = golden(&format!("{case}.stream"));
        let (events, is_complete) = read_stream(&frames(&stream));
        assert!(is_complete, "{case}");
        let (mut said, mut end, mut counts) = (String::new(), None, None);
        for event in &events {
            match event {
                Event::Delta { delta: Delta::Text(text) | Delta::Thinking(text), .. } => said.push_str(text),
                Event::Delta { delta: Delta::Arguments { json, .. }, .. } => said.push_str(json),
                Event::Finish { finish, .. } => end = Some(finish.clone()),
                Event::Usage(usage) => counts = Some(*usage),
                _ => {}
            }
        }
        let expected: String = whole.choices[0]
            .blocks
            .iter()
            .map(|block| match &block.content {
                Content::Text(text) | Content::Thinking { text, .. } => text.clone(),
                Content::ToolCall(call) => call.arguments.clone(),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(said, expected, "{case}");
        assert_eq!((end, counts), (Some(whole.choices[0].finish.clone()), whole.usage), "{case}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_known_to_be_cut() {
    for case in CASES {
        let stream = golden(&format!("{case}.stream"));
        let frames = frames(&stream);
        for cut in 0..frames.len() {
            assert!(!read_stream(&frames[..cut]).1, "{case} {cut}");
        }
    }
}

proptest! {
    #[test]
    fn garbage_is_a_failure_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..900) {
        let whole = golden("parallel_tools.reply.json");
        let cut = whole.floor_char_boundary(cut.min(whole.len() - 3));
        for body in [&bytes[..], &whole.as_bytes()[..cut]] {
            assert!(read_reply(body, &labels()).is_err());
            let (mut reader, mut events) = (Reader::new(&labels()), Vec::new());
            reader.read(Frame { kind: None, data: body }, &mut events);
            reader.read(Frame { kind: None, data: body }, &mut events);
            assert!(events.len() < 2 && !reader.is_complete());
        }
    }
}

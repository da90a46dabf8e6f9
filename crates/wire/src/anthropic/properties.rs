//! What holds of any request, reply and stream.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Reader, Writer, read_reply, read_request, write_reply, write_request};
use crate::chat::{Block, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, ToolResult};
use crate::format::{Frame, StreamOptions, Target};
use crate::json::Json;
use crate::reply::{Choice, Event, Finish, FinishReason, Reply};
use crate::samples::{block, delta, events, share, source, text, tool, tool_call, tool_choice, usage};
use crate::told::{folded, labels};

/// One that takes whatever the API has.
const MODEL: &str = "claude";

fn told() -> impl Strategy<Value = Content> {
    prop_oneof![
        text().prop_map(Content::Text),
        source("image/png").prop_map(|source| Content::Image { source, detail: None }),
        (source("application/pdf"), option::of(text())).prop_map(|(source, name)| Content::Document { source, name }),
        text().prop_map(|text| Content::Document { source: Source::Text(text), name: None }),
    ]
}

fn tool_result() -> impl Strategy<Value = Content> {
    ("[a-zA-Z0-9_-]{1,8}", vec(block(told()), 0..3), any::<bool>())
        .prop_map(|(call_id, blocks, is_error)| Content::ToolResult(ToolResult { call_id, blocks, is_error }))
}

fn thought() -> impl Strategy<Value = Block> {
    let signed =
        (text(), "E[a-z]{1,6}").prop_map(|(text, signature)| Content::Thinking { text, signature: Some(signature) });
    prop_oneof![signed, "E[a-z]{1,6}".prop_map(|data| Content::RedactedThinking { data })].prop_map(Block::new)
}

/// A user's turn and the assistant's, each in the order that the API wants.
fn turns() -> impl Strategy<Value = [Message; 2]> {
    let results = vec(block(tool_result()), 0..3);
    let rest = vec(block(told()), 1..3);
    let thoughts = vec(thought(), 0..2);
    let texts = vec(block(text().prop_map(Content::Text)), 0..2);
    let calls = vec(block(tool_call()), 1..3);
    (results, rest, thoughts, texts, calls).prop_map(|(results, rest, thoughts, texts, calls)| {
        let user = [results, rest].concat();
        let assistant = [thoughts, texts, calls].concat();
        [(Role::User, user), (Role::Assistant, assistant)].map(|(role, blocks)| Message { role, name: None, blocks })
    })
}

fn reply_format() -> impl Strategy<Value = ReplyFormat> {
    let schema = ReplyFormat::JsonSchema {
        name: "reply".to_owned(),
        description: None,
        schema: Json::parse(r#"{"type":"object","required":["b","a"],"minimum":1.0}"#).unwrap(),
        strict: Some(true),
    };
    prop_oneof![Just(ReplyFormat::Text), Just(schema)]
}

/// What Anthropic's format can say, and says the same when it is read again.
fn chat() -> impl Strategy<Value = Chat> {
    let said = (option::of(vec(block(text().prop_map(Content::Text)), 1..3)), vec(turns(), 1..4), any::<bool>());
    let tools = (vec(tool(), 1..3), tool_choice(), reply_format());
    let numbers = (1..9000_u32, option::of(share()), option::of(share()), option::of(0..99_u32));
    let rest = (vec(text(), 0..3), option::of(text()), any::<bool>());
    (said, tools, numbers, rest).prop_map(|(said, tools, numbers, rest)| {
        let (system, turns, ends_with_user) = said;
        let system = system.map(|blocks| Message { role: Role::System, name: None, blocks });
        let mut messages: Vec<_> = system.into_iter().chain(turns.into_iter().flatten()).collect();
        if ends_with_user {
            messages.push(Message::of(Role::User, Content::Text("and?".to_owned())));
        }
        Chat {
            model: MODEL.to_owned(),
            messages,
            tools: tools.0,
            tool_choice: tools.1,
            reply_format: tools.2,
            max_tokens: Some(numbers.0),
            temperature: numbers.1,
            top_p: numbers.2,
            top_k: numbers.3,
            stop: rest.0,
            user: rest.1,
            stream: rest.2,
            ..Chat::default()
        }
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    let texts = vec(text().prop_map(|text| Block::new(Content::Text(text))), 0..2);
    let calls = vec(tool_call().prop_map(Block::new), 0..3);
    (vec(thought(), 0..3), texts, calls, any::<bool>(), usage()).prop_map(|(thoughts, texts, calls, is_cut, usage)| {
        let (word, reason) = match calls.is_empty() {
            _ if is_cut => ("max_tokens", FinishReason::Length),
            true => ("end_turn", FinishReason::Stop),
            false => ("tool_use", FinishReason::ToolCalls),
        };
        let finish = Finish { native: Some(word.to_owned()), ..Finish::of(reason) };
        let choice = Choice { blocks: [thoughts, texts, calls].concat(), finish, logprobs: None };
        let (id, model) = (Some("msg_1".to_owned()), Some("claude".to_owned()));
        Reply { id, model, choices: vec![choice], usage: Some(usage) }
    })
}

/// The stream that a client gets, by its frames.
fn written(events: &[Event]) -> Vec<String> {
    let (mut writer, mut out) = (Writer::new(&labels(), StreamOptions::default()), BytesMut::new());
    for event in events {
        writer.write(event, &mut out);
    }
    writer.end(&mut out);
    let text = std::str::from_utf8(&out).unwrap();
    text.split_terminator("\n\n").map(str::to_owned).collect()
}

fn read(frames: &[String]) -> (Vec<Event>, bool) {
    let (mut reader, mut events) = (Reader::new(&labels()), Vec::new());
    for frame in frames {
        let (kind, data) = frame.split_once('\n').unwrap();
        let frame = Frame { kind: kind.strip_prefix("event: "), data: data.strip_prefix("data: ").unwrap().as_bytes() };
        reader.read(frame, &mut events);
    }
    (events, reader.is_complete())
}

proptest! {
    #[test]
    fn requests_say_the_same_when_read_again(chat in chat()) {
        let written = write_request(&chat, Target { model: MODEL, max_output_tokens: None });
        prop_assert!(written.losses.is_empty(), "{:?}", written.losses);
        prop_assert_eq!(read_request(&written.body).unwrap(), chat);
    }

    #[test]
    fn wishes_to_think_say_the_same_when_read_again(budget in 1024..8000_u32, which in 0..3) {
        let reasoning = match which { 0 => Reasoning::Budget(budget), 1 => Reasoning::Off, _ => Reasoning::Adaptive };
        let messages = vec![Message::of(Role::User, Content::Text("hi".to_owned()))];
        let chat = Chat { messages, reasoning: Some(reasoning.clone()), max_tokens: Some(9000), ..Chat::default() };
        let written = write_request(&chat, Target { model: MODEL, max_output_tokens: None });
        prop_assert_eq!(read_request(&written.body).unwrap().reasoning, Some(reasoning));
    }

    #[test]
    fn replies_say_the_same_when_read_again(reply in reply()) {
        prop_assert_eq!(read_reply(&write_reply(&reply, &labels()), &labels()).unwrap(), reply);
    }

    #[test]
    fn streams_tell_the_whole_reply(reply in reply(), piece in 1..9_usize) {
        let frames = written(&events(&reply, piece));
        let (events, is_complete) = read(&frames);
        prop_assert!(is_complete);
        prop_assert_eq!(&folded(&events), &reply);
        // Blocks are opened and closed one after the other, each with its own number.
        let mut open = None;
        for frame in &frames {
            let number = frame.split_once("\"index\":").and_then(|(_, rest)| rest.split([',', '}']).next());
            match frame.split('\n').next() {
                Some("event: content_block_start") => prop_assert!(open.is_none()),
                Some("event: content_block_delta" | "event: content_block_stop") => prop_assert_eq!(open, number),
                _ => {}
            }
            open = if frame.starts_with("event: content_block_stop") { None } else { number };
        }
    }

    #[test]
    fn a_stream_is_complete_only_when_it_was_seen_to_end(reply in reply(), piece in 1..9_usize, cut in 0.0..1.0) {
        let frames = written(&events(&reply, piece));
        let end = frames.iter().position(|frame| frame.starts_with("event: message_delta")).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
        let kept = (end as f64 * cut) as usize;
        prop_assert!(!read(&frames[..kept]).1);
        prop_assert!(!read(&frames[..end]).1);
    }

    #[test]
    fn garbage_is_survived(bytes in vec(any::<u8>(), 0..64), reply in reply(), at in 0..400_usize, byte in any::<u8>()) {
        let mut body = write_reply(&reply, &labels()).to_vec();
        if let Some(place) = body.get_mut(at) {
            *place = byte;
        }
        for bytes in [&bytes, &body] {
            read_request(bytes).ok();
            read_reply(bytes, &labels()).ok();
            let mut reader = Reader::new(&labels());
            reader.read(Frame { kind: None, data: bytes }, &mut Vec::new());
            prop_assert!(!reader.is_complete());
        }
    }

    #[test]
    fn a_request_that_is_hurt_is_read_or_refused(chat in chat(), at in 0..2000_usize, byte in any::<u8>()) {
        let mut body = write_request(&chat, Target { model: MODEL, max_output_tokens: None }).body.to_vec();
        if let Some(place) = body.get_mut(at) {
            *place = byte;
        }
        if let Ok(chat) = read_request(&body) {
            write_request(&chat, Target { model: "claude-opus-5", max_output_tokens: Some(10) });
        }
    }

    #[test]
    fn any_events_make_a_stream_of_json(deltas in vec(delta(), 0..20)) {
        let events: Vec<_> = deltas.into_iter().map(|delta| Event::Delta { choice: 0, delta }).collect();
        for frame in written(&events) {
            let (_, data) = frame.split_once("\ndata: ").unwrap();
            prop_assert!(Json::parse(data).is_some(), "{}", data);
        }
    }
}

const CASES: [&str; 7] = ["text", "tools", "parallel_tools", "image", "json_schema", "thinking", "length"];
const REQUESTS: [&str; 8] =
    ["text", "tools", "parallel_tools", "image", "json_schema", "thinking", "stream", "document"];

fn golden(name: &str) -> String {
    std::fs::read_to_string(format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn frames(stream: &str) -> Vec<String> {
    stream.split_terminator("\n\n").map(str::to_owned).collect()
}

#[test]
fn golden_replies_and_streams_tell_the_same() {
    for case in CASES {
        let reply = golden(&format!("providers/anthropic/{case}.reply.json"));
        let mut reply = read_reply(reply.as_bytes(), &labels()).unwrap();
        let (events, is_complete) = read(&frames(&golden(&format!("providers/anthropic/{case}.stream"))));
        let mut told = folded(&events);
        for block in reply.choices[0].blocks.iter_mut().chain(&mut told.choices[0].blocks) {
            // Models put blanks into the arguments that they stream.
            if let Content::ToolCall(call) = &mut block.content {
                call.arguments.retain(|c| !c.is_whitespace());
            }
        }
        assert_eq!(told, reply, "{case}");
        assert!(is_complete, "{case}");
    }
    let (events, is_complete) = read(&frames(&golden("providers/anthropic/error.stream")));
    assert!(matches!(events.last(), Some(Event::Failure(failure)) if failure.kind.label() == "overloaded"));
    assert!(!is_complete);
}

#[test]
fn golden_requests_say_the_same_when_read_again() {
    for case in REQUESTS {
        let chat = read_request(golden(&format!("clients/anthropic/{case}.json")).as_bytes()).unwrap();
        let written = write_request(&chat, Target { model: &chat.model, max_output_tokens: None });
        assert!(written.losses.is_empty(), "{case}: {:?}", written.losses);
        assert_eq!(read_request(&written.body).unwrap(), chat, "{case}");
    }
}

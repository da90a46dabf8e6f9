//! What is written is read again.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{frames, labels, read, write};
use crate::chat::{Block, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, Tool, ToolResult};
use crate::format::{Frame, Target};
use crate::json::Json;
use crate::reply::{Choice, Event, Finish, FinishReason, Reply};
use crate::responses::{Echo, Reader, read_reply, read_request, write_reply, write_request};
use crate::samples::{delta, events, share, text, tool, tool_call, tool_choice, usage};
use crate::told::folded;

const MODEL: &str = "gpt-5";

/// A proof as `OpenAI` writes it: others' are not sent to it.
fn proof() -> impl Strategy<Value = String> {
    "gAAAA[a-z]{1,6}"
}

fn thought() -> impl Strategy<Value = Content> {
    prop_oneof![
        (text(), option::of(proof())).prop_map(|(text, signature)| Content::Thinking { text, signature }),
        proof().prop_map(|data| Content::RedactedThinking { data }),
    ]
}

/// The one that may be sent back.
fn signed() -> impl Strategy<Value = Content> {
    thought().prop_filter("signed", |thought| !matches!(thought, Content::Thinking { signature: None, .. }))
}

fn shown() -> impl Strategy<Value = Content> {
    prop_oneof![
        text().prop_map(Content::Text),
        "[a-zA-Z0-9]{4}".prop_map(|data| Content::Image {
            source: Source::Base64 { media_type: "image/png".to_owned(), data },
            detail: Some("low".to_owned()),
        }),
    ]
}

/// A user's turn and the model's, each in the order that the API has.
fn turns() -> impl Strategy<Value = [Message; 2]> {
    let result = ("[a-z]{1,6}", text()).prop_map(|(call_id, text)| {
        Content::ToolResult(ToolResult { call_id, blocks: vec![Block::text(text)], is_error: false })
    });
    let asked = (vec(result, 0..3), vec(shown(), 1..3)).prop_map(|(results, shown)| [results, shown].concat());
    let said = (vec(signed(), 0..2), text(), vec(tool_call(), 0..3))
        .prop_map(|(thoughts, text, calls)| [thoughts, vec![Content::Text(text)], calls].concat());
    (asked, said).prop_map(|(asked, said)| {
        [(Role::User, asked), (Role::Assistant, said)].map(|(role, contents)| Message {
            role,
            name: None,
            blocks: contents.into_iter().map(Block::new).collect(),
        })
    })
}

fn chat() -> impl Strategy<Value = Chat> {
    let schema = ReplyFormat::JsonSchema {
        name: "city".to_owned(),
        description: None,
        schema: Json::parse(r#"{"type":"object","required":["b","a"],"minimum":1.0}"#).unwrap(),
        strict: Some(true),
    };
    let format = prop_oneof![Just(ReplyFormat::Text), Just(ReplyFormat::JsonObject), Just(schema)];
    let tools = (vec(tool(), 1..3), tool_choice(), option::of(any::<bool>()), format);
    let numbers = (option::of(16..9000_u32), option::of(share()), option::of(share()));
    let rest = (option::of(text()), option::of(text()), any::<bool>(), option::of(Just("low")));
    (vec(turns(), 1..3), tools, numbers, rest).prop_map(|(turns, tools, numbers, rest)| {
        let instructions = rest.0.map(|text| Message::of(Role::System, Content::Text(text)));
        let strict = |tool: Tool| Tool { cache: None, strict: Some(false), ..tool };
        Chat {
            model: MODEL.to_owned(),
            messages: instructions.into_iter().chain(turns.into_iter().flatten()).collect(),
            tools: tools.0.into_iter().map(strict).collect(),
            tool_choice: tools.1,
            parallel_tool_calls: tools.2,
            reply_format: tools.3,
            max_tokens: numbers.0,
            temperature: numbers.1,
            top_p: numbers.2,
            user: rest.1,
            stream: rest.2,
            reasoning: rest.3.map(|word| Reasoning::Effort(word.to_owned())),
            ..Chat::default()
        }
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    (vec(thought(), 0..2), option::of(text()), vec(tool_call(), 0..3), usage()).prop_map(
        |(thoughts, text, calls, usage)| {
            let reason = if calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
            let contents = thoughts.into_iter().chain(text.map(Content::Text)).chain(calls);
            let blocks = contents.map(Block::new).collect();
            let (id, model) = (Some("resp_1".to_owned()), Some("gpt-5-2025".to_owned()));
            let choice = Choice { blocks, finish: Finish::of(reason), logprobs: None };
            Reply { id, model, choices: vec![choice], usage: Some(usage) }
        },
    )
}

/// `reply` without the providers' own words for its end, which another format would not know.
fn plain(mut reply: Reply) -> Reply {
    for choice in &mut reply.choices {
        choice.finish.native = None;
    }
    reply
}

/// What tools returned and what the user says then are items of their own, and one turn.
fn merged(messages: Vec<Message>) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    for message in messages {
        match all.last_mut() {
            Some(last) if last.role == message.role => last.blocks.extend(message.blocks),
            _ => all.push(message),
        }
    }
    all
}

proptest! {
    #[test]
    fn requests_say_the_same_when_read_again(chat in chat()) {
        let written = write_request(&chat, Target { model: MODEL, max_output_tokens: None });
        prop_assert!(written.losses.is_empty(), "{:?}", written.losses);
        let mut again = read_request(&written.body).unwrap();
        // Asked for on the way to a provider, and nothing that a client of another format knows.
        again.extra.clear();
        again.messages = merged(again.messages);
        prop_assert_eq!(again, chat);
    }

    #[test]
    fn replies_say_the_same_when_read_again(reply in reply()) {
        let body = write_reply(&reply, &labels(), &Echo::default());
        prop_assert_eq!(plain(read_reply(&body, &labels()).unwrap()), reply);
    }

    #[test]
    fn streams_tell_the_whole_reply(reply in reply(), piece in 1..9_usize, cut in 0.0..1.0) {
        let stream = write(&events(&reply, piece));
        let frames = frames(&stream);
        let (events, is_complete) = read(&frames);
        prop_assert!(is_complete);
        prop_assert_eq!(plain(folded(&events)), reply);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
        let kept = ((frames.len() - 1) as f64 * cut) as usize;
        prop_assert!(!read(&frames[..kept]).1);
    }

    #[test]
    fn any_events_make_a_numbered_stream(deltas in vec(delta(), 0..20)) {
        let events: Vec<_> = deltas.into_iter().map(|delta| Event::Delta { choice: 0, delta }).collect();
        let stream = write(&events);
        for (at, (kind, data)) in frames(&stream).into_iter().enumerate() {
            let json: serde_json::Value = serde_json::from_str(data).unwrap();
            prop_assert_eq!(json["type"].as_str(), Some(kind));
            prop_assert_eq!(json["sequence_number"].as_u64(), Some(at as u64));
        }
    }

    #[test]
    fn what_is_hurt_is_read_or_refused(chat in chat(), reply in reply(), at in 0..600_usize, byte in any::<u8>()) {
        let request = write_request(&chat, Target { model: MODEL, max_output_tokens: None }).body;
        for bytes in [request, write_reply(&reply, &labels(), &Echo::default())] {
            let mut body = bytes.to_vec();
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            if let Ok(chat) = read_request(&body) {
                write_request(&chat, Target { model: "m", max_output_tokens: Some(10) });
            }
            read_reply(&body, &labels()).ok();
            Reader::new(&labels()).read(Frame { kind: None, data: &body }, &mut Vec::new());
        }
    }
}

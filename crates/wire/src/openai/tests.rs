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
use crate::samples::{delta, events, share, text, tool, tool_call, tool_choice, usage};
use crate::told::{folded, labels};

/// One that thinks, so that its bound on tokens stands under the newer name.
const MODEL: &str = "gpt-5";

fn shown() -> impl Strategy<Value = Content> {
    let picture = prop_oneof![
        text().prop_map(|url| Source::Url(format!("https://{url}"))),
        "[a-zA-Z0-9]{4}".prop_map(|data| Source::Base64 { media_type: "image/png".to_owned(), data }),
    ];
    let detail = option::of(Just("low".to_owned()));
    prop_oneof![
        text().prop_map(Content::Text),
        (picture, detail).prop_map(|(source, detail)| Content::Image { source, detail }),
        "[a-z]{4}".prop_map(|data| Content::Audio { data, format: "wav".to_owned() }),
        ("[a-zA-Z0-9]{4}", text()).prop_map(|(data, name)| Content::Document {
            source: Source::Base64 { media_type: "application/pdf".to_owned(), data },
            name: Some(name),
        }),
        "[a-z]{4}".prop_map(|id| Content::Document { source: Source::File(id), name: None }),
    ]
}

fn returned() -> impl Strategy<Value = Message> {
    ("[a-z]{1,6}", text()).prop_map(|(call_id, text)| {
        let blocks = vec![Block::text(text)];
        Message::of(Role::User, Content::ToolResult(ToolResult { call_id, blocks, is_error: false }))
    })
}

fn turn() -> impl Strategy<Value = Message> {
    let said = (option::of(text()), vec(tool_call(), 0..3)).prop_map(|(text, calls)| {
        let text = text.or_else(|| calls.is_empty().then(|| "yes".to_owned()));
        let blocks = text.map(Content::Text).into_iter().chain(calls).map(Block::new).collect();
        Message { role: Role::Assistant, name: None, blocks }
    });
    let asked = (vec(shown(), 1..3), option::of(Just("ann".to_owned()))).prop_map(|(contents, name)| {
        let blocks = contents.into_iter().map(Block::new).collect();
        Message { role: Role::User, name, blocks }
    });
    let told = (text(), any::<bool>()).prop_map(|(text, is_new)| {
        Message::of(if is_new { Role::Developer } else { Role::System }, Content::Text(text))
    });
    prop_oneof![told, asked, said, returned()]
}

fn reply_format() -> impl Strategy<Value = ReplyFormat> {
    let schema = |description| ReplyFormat::JsonSchema {
        name: "city".to_owned(),
        description,
        schema: Json::parse(r#"{"type":"object","required":["b","a"],"minimum":1.0}"#).unwrap(),
        strict: Some(true),
    };
    prop_oneof![Just(ReplyFormat::Text), Just(ReplyFormat::JsonObject), option::of(text()).prop_map(schema)]
}

/// What the format can say.
fn chat() -> impl Strategy<Value = Chat> {
    let tools = (vec(tool(), 1..3), tool_choice(), option::of(any::<bool>()), reply_format());
    let numbers = (option::of(1..9000_u32), option::of(share()), option::of(share()), option::of(any::<i64>()));
    let more = (option::of(share()), option::of(share()), option::of(1..4_u32), option::of(0..5_u32));
    let rest = (vec(text(), 0..3), option::of(text()), any::<bool>(), option::of(Just("low")));
    (vec(turn(), 1..6), tools, numbers, more, rest).prop_map(|(messages, tools, numbers, more, rest)| Chat {
        model: MODEL.to_owned(),
        messages,
        tools: tools.0.into_iter().map(|tool| crate::chat::Tool { cache: None, ..tool }).collect(),
        tool_choice: tools.1,
        parallel_tool_calls: tools.2,
        reply_format: tools.3,
        max_tokens: numbers.0,
        temperature: numbers.1,
        top_p: numbers.2,
        seed: numbers.3,
        frequency_penalty: more.0,
        presence_penalty: more.1,
        n: more.2,
        logprobs: more.3,
        stop: rest.0,
        user: rest.1,
        stream: rest.2,
        reasoning: rest.3.map(|word| Reasoning::Effort(word.to_owned())),
        ..Chat::default()
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    let choice = (option::of(text()), option::of(text()), vec(tool_call(), 0..3)).prop_map(|(thought, text, calls)| {
        let reason = if calls.is_empty() { FinishReason::Length } else { FinishReason::ToolCalls };
        let thought = thought.map(|text| Content::Thinking { text, signature: None });
        let blocks = thought.into_iter().chain(text.map(Content::Text)).chain(calls).map(Block::new).collect();
        Choice { blocks, finish: Finish::of(reason), logprobs: None }
    });
    (vec(choice, 1..3), option::of(usage())).prop_map(|(choices, usage)| {
        let (id, model) = (Some("chatcmpl-1".to_owned()), Some("gpt-5-2025".to_owned()));
        Reply { id, model, choices, usage }
    })
}

/// The frames of the stream that a client gets.
fn written(events: &[Event]) -> Vec<String> {
    let (mut writer, mut out) = (Writer::new(&labels(), StreamOptions { include_usage: true }), BytesMut::new());
    for event in events {
        writer.write(event, &mut out);
    }
    writer.end(&mut out);
    let text = std::str::from_utf8(&out).unwrap();
    text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect()
}

fn read(frames: &[String]) -> (Vec<Event>, bool) {
    let (mut reader, mut events) = (Reader::new(&labels()), Vec::new());
    for frame in frames {
        reader.read(Frame { kind: None, data: frame.as_bytes() }, &mut events);
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
    fn replies_say_the_same_when_read_again(reply in reply()) {
        prop_assert_eq!(read_reply(&write_reply(&reply, &labels()), &labels()).unwrap(), reply);
    }

    #[test]
    fn streams_tell_the_whole_reply(mut reply in reply(), piece in 1..9_usize, cut in 0.0..1.0) {
        reply.choices.truncate(1);
        let frames = written(&events(&reply, piece));
        let (events, is_complete) = read(&frames);
        prop_assert!(is_complete);
        prop_assert_eq!(&folded(&events), &reply);
        let end = frames.iter().position(|frame| !frame.contains("\"finish_reason\":null")).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
        let kept = (end as f64 * cut) as usize;
        prop_assert!(!read(&frames[..kept]).1);
    }

    #[test]
    fn any_events_make_a_stream_of_json(deltas in vec(delta(), 0..20)) {
        let events: Vec<_> = deltas.into_iter().map(|delta| Event::Delta { choice: 0, delta }).collect();
        for frame in written(&events) {
            prop_assert!(frame == "[DONE]" || Json::parse(&frame).is_some(), "{}", frame);
        }
    }

    #[test]
    fn what_is_hurt_is_read_or_refused(chat in chat(), reply in reply(), at in 0..400_usize, byte in any::<u8>()) {
        let request = write_request(&chat, Target { model: MODEL, max_output_tokens: None }).body;
        for bytes in [request, write_reply(&reply, &labels())] {
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

/// What is wrong with `body`.
fn refused(body: &str) -> String {
    read_request(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_read_is_named() {
    let rows = [
        ("[]", "the body: the body is not a JSON object: expected an object at line 1 column 1"),
        (r#"{"messages":{}}"#, "messages: expected a list"),
        (
            r#"{"messages":[{"role":"bot","content":""}]}"#,
            "messages[0].role: expected system, developer, user, assistant or tool",
        ),
        (r#"{"messages":[{"role":"user","content":7}]}"#, "messages[0].content: expected a text or a list of parts"),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"video"}]}]}"#,
            "messages[0].content[0].type: expected text, image_url, input_audio, file or refusal instead of \"video\"",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
            "messages[0].content[0].image_url: expected an object with a url",
        ),
        (r#"{"temperature":"hot"}"#, "temperature: expected a number"),
        (r#"{"stop":7}"#, "stop: expected a text or a list of texts"),
        (r#"{"tools":[{"type":"function"}]}"#, "tools[0].function: expected a function"),
        (r#"{"tool_choice":"maybe"}"#, "tool_choice: expected auto, none, required or a function by its name"),
        (r#"{"response_format":{"type":"xml"}}"#, "response_format.type: expected text, json_object or json_schema"),
    ];
    for (body, expected) in rows {
        assert_eq!(refused(body), expected, "{body}");
    }
}

#[test]
fn older_words_mean_what_newer_ones_do() {
    let chat = read_request(
        br#"{"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},"max_tokens":1,"max_completion_tokens":9,
            "messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"x"}]}"#,
    )
    .unwrap();
    let written = write_request(&chat, Target { model: "gpt-4o", max_output_tokens: None });
    expect_test::expect![[r#"{"model":"gpt-4o","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"f","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"x","tool_call_id":"f"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"f"}},"max_tokens":9}"#]]
        .assert_eq(std::str::from_utf8(&written.body).unwrap());
}

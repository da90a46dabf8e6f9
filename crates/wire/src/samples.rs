//! Values for the property tests of all formats.

use proptest::option;
use proptest::prelude::*;
use weighbridge_domain::usage::Usage;

use crate::chat::{Block, Cache, Content, Source, Tool, ToolCall, ToolChoice};
use crate::json::Json;
use crate::reply::{Delta, Event, Reply};

/// A text that is not blank, whatever letters it has.
pub(crate) fn text() -> impl Strategy<Value = String> {
    "\\PC{0,8}[a-z\"\\\\\u{e9}\n]{0,4}".prop_map(|text| format!("{text}."))
}

pub(crate) fn arguments() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{}".to_owned()),
        text().prop_map(|text| format!(r#"{{"b":{},"a":1.50}}"#, Json::of(&text).as_str()))
    ]
}

pub(crate) fn cache() -> impl Strategy<Value = Option<Cache>> {
    option::of(prop_oneof![Just(Cache::Usual), Just(Cache::Hour)])
}

pub(crate) fn block(content: impl Strategy<Value = Content>) -> impl Strategy<Value = Block> {
    (content, cache()).prop_map(|(content, cache)| Block { content, cache })
}

pub(crate) fn source(media_type: &'static str) -> impl Strategy<Value = Source> {
    let media_type = media_type.to_owned();
    prop_oneof![
        text().prop_map(Source::Url),
        text().prop_map(Source::File),
        "[a-zA-Z0-9]{4}".prop_map(move |data| Source::Base64 { media_type: media_type.clone(), data }),
    ]
}

pub(crate) fn tool_call() -> impl Strategy<Value = Content> {
    ("[a-zA-Z0-9_-]{1,8}", "[a-z]{1,6}", arguments())
        .prop_map(|(id, name, arguments)| Content::ToolCall(ToolCall { id, name, arguments, signature: None }))
}

pub(crate) fn tool() -> impl Strategy<Value = Tool> {
    ("[a-z]{1,6}", option::of(text()), text(), cache()).prop_map(|(name, description, schema, cache)| {
        let schema = format!(r#"{{"type":"object","title":{},"maximum":1.0}}"#, Json::of(&schema).as_str());
        Tool { name, description, parameters: Json::parse(&schema), strict: None, cache }
    })
}

pub(crate) fn tool_choice() -> impl Strategy<Value = Option<ToolChoice>> {
    option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        "[a-z]{1,6}".prop_map(ToolChoice::Named),
    ])
}

/// As people write it: of numbers with more digits the last may be read differently.
pub(crate) fn share() -> impl Strategy<Value = f64> {
    (0..=100_u32).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

pub(crate) fn usage() -> impl Strategy<Value = Usage> {
    (0..500_u32, 0..500_u32, 0..500_u32, 1..500_u32, 0..500_u32).prop_map(|(fresh, read, written, output, thought)| {
        Usage {
            prompt_tokens: fresh + read + written,
            completion_tokens: output,
            cache_read_tokens: read,
            cache_write_tokens: written,
            reasoning_tokens: thought,
        }
    })
}

/// `reply` as a stream tells it, its texts in pieces, the arguments of its calls dealt out in turns.
pub(crate) fn events(reply: &Reply, piece: usize) -> Vec<Event> {
    let choice = &reply.choices[0];
    let mut deltas = Vec::new();
    let mut calls = Vec::new();
    for block in &choice.blocks {
        match &block.content {
            Content::Text(text) => deltas.extend(pieces(text, piece).into_iter().map(Delta::Text)),
            Content::Thinking { text, signature } => {
                deltas.extend(pieces(text, piece).into_iter().map(Delta::Thinking));
                deltas.extend(signature.clone().map(Delta::Signature));
            }
            Content::RedactedThinking { data } => deltas.push(Delta::RedactedThinking(data.clone())),
            Content::ToolCall(call) => {
                let index = u32::try_from(calls.len()).unwrap();
                let (id, name) = (call.id.clone(), call.name.clone());
                deltas.push(Delta::ToolCall { index, id, name, signature: None });
                calls.push(pieces(&call.arguments, piece));
            }
            other => panic!("{other:?} is in no reply"),
        }
    }
    for turn in 0..calls.iter().map(Vec::len).max().unwrap_or(0) {
        for (index, pieces) in (0..).zip(&calls) {
            deltas.extend(pieces.get(turn).map(|json| Delta::Arguments { index, json: json.clone() }));
        }
    }
    let start = Event::Start { id: reply.id.clone(), model: reply.model.clone() };
    let deltas = deltas.into_iter().map(|delta| Event::Delta { choice: 0, delta });
    let finish = Event::Finish { choice: 0, finish: choice.finish.clone() };
    [start].into_iter().chain(deltas).chain([finish]).chain(reply.usage.map(Event::Usage)).collect()
}

pub(crate) fn pieces(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<_> = text.chars().collect();
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

pub(crate) fn delta() -> impl Strategy<Value = Delta> {
    prop_oneof![
        "\\PC{0,3}".prop_map(Delta::Text),
        "\\PC{0,3}".prop_map(Delta::Thinking),
        "\\PC{0,3}".prop_map(Delta::Signature),
        "\\PC{0,3}".prop_map(Delta::RedactedThinking),
        "\\PC{0,3}".prop_map(Delta::Refusal),
        (0..3_u32, "\\PC{0,3}").prop_map(|(index, id)| Delta::ToolCall {
            index,
            id,
            name: "f".to_owned(),
            signature: None
        }),
        (0..3_u32, "[{}\":a1]{0,3}").prop_map(|(index, json)| Delta::Arguments { index, json }),
    ]
}

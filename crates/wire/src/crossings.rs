//! What every client's format can say is the same after it went from one to another.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weighbridge_domain::usage::Usage;

use crate::chat::{Block, Chat, Content, Message, ReplyFormat, Role, Source, ToolResult};
use crate::exchange::{read_reply, read_request, write_reply, write_request};
use crate::format::{Client, Format, StreamOptions, Target};
use crate::json::Json;
use crate::reply::{Choice, Finish, FinishReason, Reply};
use crate::samples::{share, text, tool, tool_call, tool_choice, usage};
use crate::told::labels;

/// In the order that a conversation passes them: each comes after each.
const ROUND: [Format; 7] = [
    Format::OpenAi,
    Format::Anthropic,
    Format::Responses,
    Format::OpenAi,
    Format::Responses,
    Format::Anthropic,
    Format::OpenAi,
];

fn shown() -> impl Strategy<Value = Content> {
    let source = |media_type: &'static str| {
        "[a-zA-Z0-9]{4}".prop_map(move |data| Source::Base64 { media_type: media_type.to_owned(), data })
    };
    prop_oneof![
        text().prop_map(Content::Text),
        source("image/png").prop_map(|source| Content::Image { source, detail: None }),
        (source("application/pdf"), text())
            .prop_map(|(source, name)| Content::Document { source, name: Some(format!("{name}.pdf")) }),
    ]
}

/// What the user asks, what the model calls, and what comes of it.
fn turns() -> impl Strategy<Value = Vec<Message>> {
    let asked = vec(shown(), 1..3).prop_map(|contents| of(Role::User, contents));
    let said = (text(), vec((tool_call(), text()), 0..3)).prop_map(|(said, calls)| {
        let results = calls.iter().map(|(call, result)| {
            let Content::ToolCall(call) = call else { unreachable!("it is a call") };
            let blocks = vec![Block::text(result.clone())];
            Content::ToolResult(ToolResult { call_id: call.id.clone(), blocks, is_error: false })
        });
        let results = of(Role::User, results.collect());
        let calls = calls.iter().map(|(call, _)| call.clone());
        let said = of(Role::Assistant, [Content::Text(said)].into_iter().chain(calls).collect());
        [said, results].into_iter().filter(|message| !message.blocks.is_empty()).collect::<Vec<_>>()
    });
    (asked, said).prop_map(|(asked, said)| [vec![asked], said].concat())
}

fn of(role: Role, contents: Vec<Content>) -> Message {
    Message { role, name: None, blocks: contents.into_iter().map(Block::new).collect() }
}

fn chat() -> impl Strategy<Value = Chat> {
    let schema = ReplyFormat::JsonSchema {
        name: "reply".to_owned(),
        description: None,
        schema: Json::parse(r#"{"type":"object","required":["b","a"],"minimum":1.0}"#).unwrap(),
        strict: Some(true),
    };
    let tools = (vec(tool(), 1..3), tool_choice(), prop_oneof![Just(ReplyFormat::Text), Just(schema)]);
    let numbers = (16..9000_u32, option::of(share()), option::of(share()));
    let rest = (option::of(text()), option::of(text()), any::<bool>());
    (vec(turns(), 1..3), tools, numbers, rest).prop_map(|(turns, tools, numbers, rest)| {
        let instructions = rest.0.map(|text| Message::of(Role::System, Content::Text(text)));
        comparable(Chat {
            messages: instructions.into_iter().chain(turns.into_iter().flatten()).collect(),
            tools: tools.0,
            tool_choice: tools.1,
            reply_format: tools.2,
            max_tokens: Some(numbers.0),
            temperature: numbers.1,
            top_p: numbers.2,
            user: rest.1,
            stream: rest.2,
            ..Chat::default()
        })
    })
}

/// `chat` with what formats say in different ways said in one.
fn comparable(mut chat: Chat) -> Chat {
    let mut messages: Vec<Message> = Vec::new();
    for message in chat.messages {
        let role = if message.role == Role::Developer { Role::System } else { message.role };
        match messages.last_mut() {
            // What tools returned is a message of its own in some.
            Some(last) if last.role == role => last.blocks.extend(message.blocks),
            _ => messages.push(Message { role, ..message }),
        }
    }
    for block in messages.iter_mut().flat_map(|message| &mut message.blocks) {
        if let Content::Image { detail, .. } = &mut block.content {
            // The default, which Responses wants written.
            detail.take_if(|detail| detail == "auto");
        }
    }
    for tool in &mut chat.tools {
        // Only Anthropic has marks for its cache; strict or not has a default of its own in each.
        (tool.cache, tool.strict) = (None, None);
    }
    // What is asked of a provider whoever the client is.
    chat.extra.clear();
    Chat { messages, model: String::new(), ..chat }
}

fn reply() -> impl Strategy<Value = Reply> {
    let usage = usage().prop_map(|usage| Usage { cache_write_tokens: 0, reasoning_tokens: 0, ..usage });
    (text(), vec(tool_call(), 0..3), usage).prop_map(|(text, calls, usage)| {
        let reason = if calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        let blocks = [Content::Text(text)].into_iter().chain(calls).map(Block::new).collect();
        let choice = Choice { blocks, finish: Finish::of(reason), logprobs: None };
        Reply { id: None, model: Some("m".to_owned()), choices: vec![choice], usage: Some(usage) }
    })
}

proptest! {
    #[test]
    fn a_request_is_the_same_in_every_clients_format(chat in chat()) {
        let mut told = chat.clone();
        for format in ROUND {
            // A model that takes whatever its format has.
            let model = if format == Format::Anthropic { "claude" } else { "gpt-4o" };
            let written = write_request(format, &told, Target { model, max_output_tokens: None });
            prop_assert!(written.losses.is_empty(), "{format:?}: {:?}", written.losses);
            told = comparable(read_request(format, &written.body).unwrap());
            prop_assert_eq!(&told, &chat, "{:?}", format);
        }
    }

    #[test]
    fn a_reply_is_the_same_in_every_clients_format(reply in reply()) {
        let labels = labels();
        let mut told = reply.clone();
        for format in ROUND {
            let client = Client { format, labels: &labels, options: StreamOptions::default(), request: b"{}" };
            let mut again = read_reply(format, &write_reply(client, &told), &labels).unwrap();
            again.choices[0].finish.native = None;
            told = Reply { id: None, ..again };
            prop_assert_eq!(&told, &reply, "{:?}", format);
        }
    }
}

//! What streams tell, and what files hold, for the tests of providers' formats.

use crate::chat::{Block, Content, ToolCall};
use crate::format::{Frame, Labels};
use crate::frames::{Frames, Framing};
use crate::losses::Losses;
use crate::reply::{Choice, Delta, Event, Finish, FinishReason, Reply};

pub(crate) const CASES: [&str; 7] = ["text", "tools", "parallel_tools", "image", "json_schema", "thinking", "length"];

pub(crate) fn labels() -> Labels {
    Labels { request_id: "req-1".into(), model: "m".into(), created: 1 }
}

/// A file below `golden/providers`.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/golden/providers/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The frames of a stream, each with its kind.
pub(crate) fn frames(framing: Framing, stream: &[u8]) -> Vec<(Option<String>, Vec<u8>)> {
    let mut all = Vec::new();
    let mut keep = |frame: Frame<'_>| all.push((frame.kind.map(str::to_owned), frame.data.to_vec()));
    let mut frames = Frames::new(framing);
    frames.feed(stream, &mut keep).unwrap();
    frames.end(&mut keep);
    all
}

/// The reply that `events` tell.
pub(crate) fn folded(events: &[Event]) -> Reply {
    let mut reply = Reply::default();
    let mut choice = Choice { blocks: Vec::new(), finish: Finish::of(FinishReason::Stop), logprobs: None };
    for event in events {
        match event {
            Event::Start { id, model } => (reply.id, reply.model) = (id.clone(), model.clone()),
            Event::Delta { choice: 0, delta } => add(&mut choice, delta),
            Event::Finish { choice: 0, finish } => choice.finish = finish.clone(),
            Event::Usage(usage) => reply.usage = Some(*usage),
            other => panic!("{other:?} is not expected"),
        }
    }
    reply.choices.push(choice);
    reply
}

fn add(choice: &mut Choice, delta: &Delta) {
    let blocks = &mut choice.blocks;
    match (delta, blocks.last_mut().map(|block| &mut block.content)) {
        (Delta::Text(more), Some(Content::Text(text))) => text.push_str(more),
        (Delta::Thinking(more), Some(Content::Thinking { text, signature: None })) => text.push_str(more),
        (Delta::Signature(proof), Some(Content::Thinking { signature, .. })) => *signature = Some(proof.clone()),
        (Delta::Text(text), _) => blocks.push(Block::text(text)),
        (Delta::Thinking(text), _) => {
            blocks.push(Block::new(Content::Thinking { text: text.clone(), signature: None }));
        }
        (Delta::RedactedThinking(data), _) => {
            blocks.push(Block::new(Content::RedactedThinking { data: data.clone() }));
        }
        (Delta::ToolCall { id, name, .. }, _) => {
            let call = ToolCall { id: id.clone(), name: name.clone(), ..ToolCall::default() };
            blocks.push(Block::new(Content::ToolCall(call)));
        }
        (Delta::Arguments { index, json }, _) => {
            let calls = blocks.iter_mut().filter_map(|block| match &mut block.content {
                Content::ToolCall(call) => Some(call),
                _ => None,
            });
            calls.into_iter().nth(*index as usize).unwrap().arguments.push_str(json);
        }
        (Delta::Logprobs(json), _) => choice.logprobs = Some(json.clone()),
        (other, _) => panic!("{other:?} is not expected"),
    }
}

/// A reply in a few lines.
pub(crate) fn summary(reply: &Reply) -> String {
    let choice = &reply.choices[0];
    let mut out = String::new();
    for block in &choice.blocks {
        out += &match &block.content {
            Content::Text(text) => format!("text {text}\n"),
            Content::Thinking { text, signature } => format!("thinking {text} {signature:?}\n"),
            Content::ToolCall(call) => format!("call {} {} {}\n", call.id, call.name, call.arguments),
            other => format!("{other:?}\n"),
        };
    }
    out += &format!("{:?} {:?} {:?}\n", choice.finish.reason, choice.finish.native, choice.finish.stop_sequence);
    let usage = reply.usage.unwrap_or_default();
    out += &format!(
        "{} in ({} read, {} written), {} out ({} reasoning)",
        usage.prompt_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens
    );
    out
}

/// Losses, one a line.
pub(crate) fn lost(losses: &Losses) -> String {
    losses.iter().map(|loss| format!("\n{loss}")).collect()
}

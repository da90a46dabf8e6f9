//! Replies of Converse, whole and streamed.

use serde_json::{Value, json};

use super::embeddings;
use crate::event::Event;
use crate::formats::shared::{SIGNATURE, json_body, text};
use crate::replies::{ARGUMENTS, Finish, Part, Reply};
use crate::stream::{Chunk, Events};
use crate::target::Operation;

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>) -> (Vec<u8>, &'static str) {
    if reply.operation == Operation::Embeddings {
        return json_body(&embeddings::reply(reply.ask));
    }
    let content: Vec<_> = reply.parts.iter().map(block).collect();
    json_body(&json!({
        "metrics": {"latencyMs": 1},
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(reply),
        "usage": usage(reply),
    }))
}

/// The events of a stream. Blocks of text have no start.
pub(crate) fn events(reply: &Reply<'_>) -> Events {
    let opening = vec![event("messageStart", json!({"role": "assistant"}))];
    let mut content = Vec::new();
    // What ends a block goes out with what begins the next.
    let mut pending = Vec::new();
    for (index, part) in reply.parts.iter().enumerate() {
        if let Part::Call { id, name } = part {
            let start = json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": name}}});
            pending.push(event("contentBlockStart", start));
        }
        for delta in deltas(part) {
            pending.push(event("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta})));
            content.push(Chunk { events: std::mem::take(&mut pending), tokens: 1 });
        }
        if let Part::Thought(_) = part {
            let delta = json!({"reasoningContent": {"signature": SIGNATURE}});
            pending.push(event("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta})));
        }
        pending.push(event("contentBlockStop", json!({"contentBlockIndex": index})));
    }
    pending.push(event("messageStop", json!({"stopReason": stop_reason(reply)})));
    pending.push(event("metadata", json!({"usage": usage(reply), "metrics": {"latencyMs": 1}})));
    Events { opening, content, ending: pending }
}

/// AWS fills its messages up, so that their length says nothing.
fn event(name: &'static str, mut data: Value) -> Event {
    data["p"] = json!("abcdefghijk");
    Event::named(name, data.to_string())
}

fn block(part: &Part<'_>) -> Value {
    match part {
        Part::Thought(pieces) => {
            json!({"reasoningContent": {"reasoningText": {"text": text(pieces), "signature": SIGNATURE}}})
        }
        Part::Text(pieces) => json!({"text": text(pieces)}),
        Part::Call { id, name } => json!({"toolUse": {"toolUseId": id, "name": name, "input": {"load": 1}}}),
    }
}

fn deltas(part: &Part<'_>) -> Vec<Value> {
    match part {
        Part::Thought(pieces) => pieces.iter().map(|piece| json!({"reasoningContent": {"text": piece}})).collect(),
        Part::Text(pieces) => pieces.iter().map(|piece| json!({"text": piece})).collect(),
        Part::Call { .. } => ARGUMENTS.iter().map(|piece| json!({"toolUse": {"input": piece}})).collect(),
    }
}

fn stop_reason(reply: &Reply<'_>) -> &'static str {
    match reply.finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
    }
}

/// What came from the cache is no input, but it is of the total.
fn usage(reply: &Reply<'_>) -> Value {
    if !reply.stage.script.usage {
        return json!({"inputTokens": 0, "outputTokens": 0, "totalTokens": 0});
    }
    let (prompt, cached, completion) = (reply.ask.prompt, reply.cached(), reply.completion());
    let mut usage = json!({
        "inputTokens": prompt - cached,
        "outputTokens": completion,
        "totalTokens": prompt + completion,
    });
    if cached > 0 {
        usage["cacheReadInputTokens"] = json!(cached);
        usage["cacheWriteInputTokens"] = json!(0);
    }
    usage
}

//! Replies of Claude, whole and streamed.

use serde_json::{Value, json};

use crate::event::Event;
use crate::formats::shared::{SIGNATURE, json_body, text};
use crate::replies::{ARGUMENTS, Finish, Part, Reply};
use crate::stream::{Chunk, Events};
use crate::target::Operation;

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>) -> (Vec<u8>, &'static str) {
    if reply.operation == Operation::CountTokens {
        return json_body(&json!({"input_tokens": reply.ask.prompt}));
    }
    let mut body = message(reply);
    body["content"] = reply.parts.iter().map(block).collect();
    body["stop_reason"] = json!(stop_reason(reply));
    body["usage"] = usage(reply, reply.completion());
    json_body(&body)
}

/// The events of a stream.
pub(crate) fn events(reply: &Reply<'_>) -> Events {
    let mut start = message(reply);
    start["usage"] = usage(reply, 1);
    let mut opening = vec![Event::typed("message_start", json!({"message": start}))];
    opening.extend((0..=reply.stage.script.empty_first_chunks).map(|_| Event::typed("ping", json!({}))));
    let mut content = Vec::new();
    // What ends a block goes out with what begins the next.
    let mut pending = Vec::new();
    for (index, part) in reply.parts.iter().enumerate() {
        pending.push(Event::typed("content_block_start", json!({"index": index, "content_block": empty(part)})));
        for delta in deltas(part) {
            pending.push(Event::typed("content_block_delta", json!({"index": index, "delta": delta})));
            content.push(Chunk { events: std::mem::take(&mut pending), tokens: 1 });
        }
        if let Part::Thought(_) = part {
            let delta = json!({"type": "signature_delta", "signature": SIGNATURE});
            pending.push(Event::typed("content_block_delta", json!({"index": index, "delta": delta})));
        }
        pending.push(Event::typed("content_block_stop", json!({"index": index})));
    }
    let delta = json!({"stop_reason": stop_reason(reply), "stop_sequence": null});
    pending.push(Event::typed("message_delta", json!({"delta": delta, "usage": usage(reply, reply.completion())})));
    if !reply.stage.script.no_done {
        pending.push(Event::typed("message_stop", json!({})));
    }
    Events { opening, content, ending: pending }
}

/// A message without content.
fn message(reply: &Reply<'_>) -> Value {
    json!({
        "id": format!("msg_{:012x}", reply.number),
        "type": "message",
        "role": "assistant",
        "model": reply.ask.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    })
}

fn block(part: &Part<'_>) -> Value {
    match part {
        Part::Thought(pieces) => json!({"type": "thinking", "thinking": text(pieces), "signature": SIGNATURE}),
        Part::Text(pieces) => json!({"type": "text", "text": text(pieces)}),
        Part::Call { id, name } => json!({"type": "tool_use", "id": id, "name": name, "input": {"load": 1}}),
    }
}

/// A block before its first delta.
fn empty(part: &Part<'_>) -> Value {
    match part {
        Part::Thought(_) => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Part::Text(_) => json!({"type": "text", "text": ""}),
        Part::Call { id, name } => json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
    }
}

fn deltas(part: &Part<'_>) -> Vec<Value> {
    match part {
        Part::Thought(pieces) => {
            pieces.iter().map(|piece| json!({"type": "thinking_delta", "thinking": piece})).collect()
        }
        Part::Text(pieces) => pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect(),
        Part::Call { .. } => {
            ARGUMENTS.iter().map(|piece| json!({"type": "input_json_delta", "partial_json": piece})).collect()
        }
    }
}

fn stop_reason(reply: &Reply<'_>) -> &'static str {
    match reply.finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
    }
}

/// Usage as it stands after `completion` tokens. What came from the cache is no input to Anthropic.
fn usage(reply: &Reply<'_>, completion: u64) -> Value {
    if !reply.stage.script.usage {
        return json!({"input_tokens": 0, "output_tokens": 0});
    }
    let cached = reply.cached();
    json!({
        "input_tokens": reply.ask.prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": completion,
    })
}

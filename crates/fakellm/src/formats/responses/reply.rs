//! Whole responses.

use serde_json::{Value, json};

use crate::formats::shared::{json_body, text, with_usage};
use crate::replies::{ARGUMENTS, Finish, Part, Reply};

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>) -> (Vec<u8>, &'static str) {
    json_body(&complete(reply))
}

/// The response as it is at the end.
pub(super) fn complete(reply: &Reply<'_>) -> Value {
    let output: Vec<_> = reply.parts.iter().enumerate().map(|(at, part)| item(reply, at, part)).collect();
    let mut response = response(reply, status(reply));
    response["output"] = json!(output);
    if reply.finish == Finish::Length {
        response["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    with_usage(reply, response, "usage", usage(reply))
}

/// A response without output.
pub(super) fn response(reply: &Reply<'_>, status: &str) -> Value {
    json!({
        "id": format!("resp_{:012x}", reply.number),
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": reply.ask.most,
        "max_tool_calls": null,
        "model": reply.ask.model,
        "output": [],
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": "default",
        "store": true,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
        "metadata": {},
    })
}

/// An item as it is at its end.
pub(super) fn item(reply: &Reply<'_>, at: usize, part: &Part<'_>) -> Value {
    let id = item_id(reply, at, part);
    match part {
        Part::Thought(pieces) => json!({"type": "reasoning", "id": id, "summary": [summary(&text(pieces))]}),
        Part::Text(pieces) => json!({
            "type": "message", "id": id, "status": status(reply), "role": "assistant", "content": [output(&text(pieces))],
        }),
        Part::Call { id: call_id, name } => json!({
            "type": "function_call", "id": id, "status": "completed", "call_id": call_id, "name": name,
            "arguments": ARGUMENTS.concat(),
        }),
    }
}

pub(super) fn item_id(reply: &Reply<'_>, at: usize, part: &Part<'_>) -> String {
    let beginning = match part {
        Part::Thought(_) => "rs",
        Part::Text(_) => "msg",
        Part::Call { .. } => "fc",
    };
    format!("{beginning}_{:012x}{at:02x}", reply.number)
}

pub(super) fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

pub(super) fn output(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

pub(super) fn status(reply: &Reply<'_>) -> &'static str {
    match reply.finish {
        Finish::Stop | Finish::Calls => "completed",
        Finish::Length => "incomplete",
    }
}

fn usage(reply: &Reply<'_>) -> Value {
    let (prompt, completion) = (reply.ask.prompt, reply.completion());
    json!({
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": reply.cached(), "cache_write_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning()},
        "total_tokens": prompt + completion,
    })
}

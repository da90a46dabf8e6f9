//! Replies of Cohere, whole and streamed.

use serde_json::{Value, json};

use crate::event::Event;
use crate::formats::shared::{base64, json_body, ranks, text, vectors, with_usage};
use crate::replies::{ARGUMENTS, Finish, Part, Reply};
use crate::stream::{Chunk, Events};
use crate::target::Operation;

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>) -> (Vec<u8>, &'static str) {
    let body = match reply.operation {
        Operation::Rerank => ranks(reply.ask),
        Operation::Embeddings => embeddings(reply),
        _ => {
            let body = json!({"id": id(reply), "finish_reason": finish_reason(reply), "message": message(reply)});
            with_usage(reply, body, "usage", usage(reply))
        }
    };
    json_body(&body)
}

fn message(reply: &Reply<'_>) -> Value {
    let mut message = json!({"role": "assistant"});
    let (mut content, mut calls) = (Vec::new(), Vec::new());
    for part in &reply.parts {
        match part {
            Part::Thought(pieces) if reply.is_call() => message["tool_plan"] = json!(text(pieces)),
            Part::Thought(pieces) => content.push(json!({"type": "thinking", "thinking": text(pieces)})),
            Part::Text(pieces) => content.push(json!({"type": "text", "text": text(pieces)})),
            Part::Call { id, name } => calls.push(call(id, name, &ARGUMENTS.concat())),
        }
    }
    for (name, list) in [("content", content), ("tool_calls", calls)] {
        if !list.is_empty() {
            message[name] = json!(list);
        }
    }
    message
}

/// The events of a stream.
pub(crate) fn events(reply: &Reply<'_>) -> Events {
    let start = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let start = json!({"id": id(reply), "delta": {"message": start}});
    let opening = vec![Event::typed("message-start", start)];
    let mut content = Vec::new();
    // What ends a part goes out with what begins the next.
    let mut pending = Vec::new();
    // Plans have no place among the parts.
    let counted = reply.parts.iter().filter(|part| !(reply.is_call() && matches!(part, Part::Thought(_)))).count();
    let first = reply.parts.len() - counted;
    for (at, part) in reply.parts.iter().enumerate() {
        let index = at.saturating_sub(first);
        let said = said(reply, part);
        pending.extend(said.start.map(|(name, message)| event(name, Some(index), message)));
        let place = said.end.map(|_| index);
        for message in said.deltas {
            pending.push(event(said.delta, place, message));
            content.push(Chunk { events: std::mem::take(&mut pending), tokens: 1 });
        }
        pending.extend(said.end.map(|name| Event::typed(name, json!({"index": index}))));
    }
    let delta = with_usage(reply, json!({"finish_reason": finish_reason(reply)}), "usage", usage(reply));
    pending.push(Event::typed("message-end", json!({"id": id(reply), "delta": delta})));
    if !reply.stage.script.no_done {
        pending.push(Event::data("[DONE]"));
    }
    Events { opening, content, ending: pending }
}

/// How one part is streamed.
struct Said {
    start: Option<(&'static str, Value)>,
    delta: &'static str,
    deltas: Vec<Value>,
    end: Option<&'static str>,
}

fn said(reply: &Reply<'_>, part: &Part<'_>) -> Said {
    match part {
        Part::Thought(pieces) if reply.is_call() => Said {
            start: None,
            delta: "tool-plan-delta",
            deltas: pieces.iter().map(|piece| json!({"tool_plan": piece})).collect(),
            end: None,
        },
        Part::Thought(pieces) => content("thinking", pieces),
        Part::Text(pieces) => content("text", pieces),
        Part::Call { id, name } => Said {
            start: Some(("tool-call-start", json!({"tool_calls": call(id, name, "")}))),
            delta: "tool-call-delta",
            deltas: ARGUMENTS.iter().map(|piece| json!({"tool_calls": {"function": {"arguments": piece}}})).collect(),
            end: Some("tool-call-end"),
        },
    }
}

fn content(kind: &'static str, pieces: &[std::borrow::Cow<'_, str>]) -> Said {
    let mut start = json!({"type": kind});
    start[kind] = json!("");
    let delta = |piece: &std::borrow::Cow<'_, str>| {
        let mut content = json!({});
        content[kind] = json!(piece);
        json!({"content": content})
    };
    Said {
        start: Some(("content-start", json!({"content": start}))),
        delta: "content-delta",
        deltas: pieces.iter().map(delta).collect(),
        end: Some("content-end"),
    }
}

fn event(name: &'static str, index: Option<usize>, message: Value) -> Event {
    let mut data = json!({"delta": {"message": message}});
    if let Some(index) = index {
        data["index"] = json!(index);
    }
    Event::typed(name, data)
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn id(reply: &Reply<'_>) -> String {
    format!("chat-{:012x}", reply.number)
}

fn finish_reason(reply: &Reply<'_>) -> &'static str {
    match reply.finish {
        Finish::Stop => "COMPLETE",
        Finish::Length => "MAX_TOKENS",
        Finish::Calls => "TOOL_CALL",
    }
}

fn usage(reply: &Reply<'_>) -> Value {
    let counts = json!({"input_tokens": reply.ask.prompt, "output_tokens": reply.completion()});
    json!({"billed_units": counts, "tokens": counts, "cached_tokens": reply.cached()})
}

fn embeddings(reply: &Reply<'_>) -> Value {
    let vectors = vectors(reply.ask);
    let mut embeddings = json!({"float": vectors});
    if reply.ask.base64 {
        let encoded =
            vectors.iter().map(|vector| base64(&vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>()));
        embeddings = json!({"base64": encoded.collect::<Vec<_>>()});
    }
    let billed = json!({"input_tokens": reply.ask.prompt});
    let meta = json!({"api_version": {"version": "2"}, "billed_units": billed});
    json!({"id": "embed-fake", "embeddings": embeddings, "meta": meta, "response_type": "embeddings_by_type"})
}

//! Streamed responses: every event has a name and a number.

use serde_json::{Value, json};

use super::reply::{complete, item, item_id, output, response, summary};
use crate::event::Event;
use crate::formats::shared::text;
use crate::replies::{ARGUMENTS, Finish, Part, Reply};
use crate::stream::{Chunk, Events};

/// The events of a stream.
pub(crate) fn events(reply: &Reply<'_>) -> Events {
    let mut numbers = Numbers(0);
    let begun = || json!({"response": response(reply, "in_progress")});
    let opening = vec![numbers.event("response.created", begun()), numbers.event("response.in_progress", begun())];
    let mut content = Vec::new();
    // What ends an item goes out with what begins the next.
    let mut pending = Vec::new();
    for (at, part) in reply.parts.iter().enumerate() {
        let said = said(part);
        let place = |extra: Value| placed(reply, at, part, extra);
        let mut begun = item(reply, at, part);
        said.empty.iter().for_each(|(name, value)| begun[*name] = value.clone());
        pending.push(numbers.event("response.output_item.added", json!({"output_index": at, "item": begun})));
        pending
            .extend(said.part.as_ref().map(|(names, empty, _)| numbers.event(names[0], place(json!({"part": empty})))));
        for delta in said.deltas {
            pending.push(numbers.event(said.delta, place(json!({"delta": delta}))));
            content.push(Chunk { events: std::mem::take(&mut pending), tokens: 1 });
        }
        pending.push(numbers.event(said.done.0, place(said.done.1)));
        pending.extend(said.part.map(|(names, _, full)| numbers.event(names[1], place(json!({"part": full})))));
        let item = json!({"output_index": at, "item": item(reply, at, part)});
        pending.push(numbers.event("response.output_item.done", item));
    }
    let name = if reply.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
    if !reply.stage.script.no_done {
        pending.push(numbers.event(name, json!({"response": complete(reply)})));
    }
    Events { opening, content, ending: pending }
}

/// An error in a stream.
pub(crate) fn error_event() -> Event {
    let message = "The server had an error while processing your request.";
    Event::typed("error", json!({"code": "server_error", "message": message, "param": null, "sequence_number": 0}))
}

/// The numbers of events.
struct Numbers(u64);

impl Numbers {
    fn event(&mut self, name: &'static str, mut data: Value) -> Event {
        data["sequence_number"] = json!(self.0);
        self.0 += 1;
        Event::typed(name, data)
    }
}

/// How one part is streamed.
struct Said<'a> {
    /// The item's fields that have nothing in them yet.
    empty: Vec<(&'static str, Value)>,
    /// The names of what begins and ends the part of the item, and the part, without and with its text.
    part: Option<([&'static str; 2], Value, Value)>,
    delta: &'static str,
    deltas: Vec<&'a str>,
    done: (&'static str, Value),
}

fn said<'a>(part: &'a Part<'_>) -> Said<'a> {
    match part {
        Part::Thought(pieces) => Said {
            empty: vec![("summary", json!([]))],
            part: Some((
                ["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"],
                summary(""),
                summary(&text(pieces)),
            )),
            delta: "response.reasoning_summary_text.delta",
            deltas: pieces.iter().map(AsRef::as_ref).collect(),
            done: ("response.reasoning_summary_text.done", json!({"text": text(pieces)})),
        },
        Part::Text(pieces) => Said {
            empty: vec![("content", json!([])), ("status", json!("in_progress"))],
            part: Some((
                ["response.content_part.added", "response.content_part.done"],
                output(""),
                output(&text(pieces)),
            )),
            delta: "response.output_text.delta",
            deltas: pieces.iter().map(AsRef::as_ref).collect(),
            done: ("response.output_text.done", json!({"text": text(pieces), "logprobs": []})),
        },
        Part::Call { .. } => Said {
            empty: vec![("arguments", json!("")), ("status", json!("in_progress"))],
            part: None,
            delta: "response.function_call_arguments.delta",
            deltas: ARGUMENTS.to_vec(),
            done: ("response.function_call_arguments.done", json!({"arguments": ARGUMENTS.concat()})),
        },
    }
}

/// Adds where in the response an event belongs.
fn placed(reply: &Reply<'_>, at: usize, part: &Part<'_>, mut data: Value) -> Value {
    data["output_index"] = json!(at);
    data["item_id"] = json!(item_id(reply, at, part));
    match part {
        Part::Thought(_) => data["summary_index"] = json!(0),
        Part::Text(_) => data["content_index"] = json!(0),
        Part::Call { .. } => {}
    }
    if matches!(part, Part::Text(_)) && data.get("delta").is_some() {
        data["logprobs"] = json!([]);
    }
    data
}

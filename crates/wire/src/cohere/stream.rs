//! Streams: events, each with its type within and before its data.
//!
//! The `index` of an event is a place in the content or among the calls, never a choice: there is one.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::failure::Failure;

use super::reply::{CallJson, LogprobJson, UsageJson, failure, finish, openai_logprobs, unfinished};
use crate::format::{Frame, Labels};
use crate::reply::{Delta, Event};

#[derive(Deserialize, Default)]
#[serde(default)]
struct EventJson<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    id: Option<String>,
    index: u32,
    #[serde(borrow)]
    delta: Option<DeltaJson<'a>>,
    #[serde(borrow)]
    logprobs: Option<LogprobJson<'a>>,
    /// Of an error in place of an event.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DeltaJson<'a> {
    #[serde(borrow)]
    message: Option<MessageJson<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    usage: Option<UsageJson>,
}

/// `content` and `tool_calls` are lists where a stream begins, and single after that.
#[derive(Deserialize, Default)]
#[serde(default)]
struct MessageJson<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    tool_plan: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PartJson {
    text: Option<String>,
    thinking: Option<String>,
}

/// Reads the events of a stream.
#[derive(Debug)]
pub struct Reader {
    labels: Labels,
    has_begun: bool,
    is_complete: bool,
    is_failed: bool,
    /// The calls so far, by their index in the stream, and whether arguments were said.
    calls: Vec<(u32, bool)>,
}

impl Reader {
    /// A reader at the beginning of a stream.
    pub fn new(labels: &Labels) -> Self {
        Self { labels: labels.clone(), has_begun: false, is_complete: false, is_failed: false, calls: Vec::new() }
    }

    /// What `frame` says. What cannot be read is passed over.
    pub fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        let Ok(json) = serde_json::from_slice::<EventJson<'_>>(frame.data) else { return };
        if self.is_failed {
            return;
        }
        let kind = json.r#type.as_deref().or(frame.kind).unwrap_or_default();
        if let Some(message) = json.message.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok()) {
            self.fail(failure(&message, Bytes::copy_from_slice(frame.data)), events);
            return;
        }
        if !matches!(kind, "message-start" | "content-start" | "content-delta" | "tool-plan-delta" | "message-end")
            && !kind.starts_with("tool-call-")
        {
            return;
        }
        if !self.has_begun {
            self.has_begun = true;
            events.push(Event::Start { id: json.id.clone(), model: None });
        }
        let kind = kind.to_owned();
        let delta = json.delta.unwrap_or_default();
        if kind == "message-end" {
            self.end(delta, events);
            return;
        }
        let message = delta.message.unwrap_or_default();
        match kind.as_str() {
            "content-start" | "content-delta" => content(&message, events),
            "tool-plan-delta" => events.extend(full(message.tool_plan).map(Delta::Thinking).map(event)),
            "tool-call-start" => self.call(json.index, &message, events),
            "tool-call-delta" => self.arguments(json.index, &message, events),
            "tool-call-end" => self.close(json.index, events),
            _ => {}
        }
        events.extend(json.logprobs.map(|item| event(Delta::Logprobs(openai_logprobs(&[item])))));
    }

    /// Whether the reply was seen to end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn fail(&mut self, failure: Failure, events: &mut Vec<Event>) {
        self.is_failed = true;
        events.push(Event::Failure(Box::new(failure)));
    }

    fn end(&mut self, delta: DeltaJson<'_>, events: &mut Vec<Event>) {
        let word = delta.finish_reason.as_deref().unwrap_or("COMPLETE");
        if let Some(failure) = unfinished(word, delta.error.as_deref()) {
            events.extend(delta.usage.and_then(|usage| usage.usage()).map(Event::Usage));
            self.fail(failure, events);
            return;
        }
        self.is_complete = true;
        events.push(Event::Finish { choice: 0, finish: finish(word, !self.calls.is_empty()) });
        events.extend(delta.usage.and_then(|usage| usage.usage()).map(Event::Usage));
    }

    fn call(&mut self, at: u32, message: &MessageJson<'_>, events: &mut Vec<Event>) {
        let call = one::<CallJson>(message.tool_calls);
        let function = call.function.unwrap_or_default();
        let place = self.calls.len();
        let index = u32::try_from(place).unwrap_or_default();
        let id = full(call.id).unwrap_or_else(|| self.labels.call_id(place));
        events.push(event(Delta::ToolCall { index, id, name: function.name.unwrap_or_default(), signature: None }));
        let arguments = full(function.arguments);
        self.calls.push((at, arguments.is_some()));
        events.extend(arguments.map(|json| event(Delta::Arguments { index, json })));
    }

    fn arguments(&mut self, at: u32, message: &MessageJson<'_>, events: &mut Vec<Event>) {
        let function = one::<CallJson>(message.tool_calls).function.unwrap_or_default();
        let (Some(json), Some(place)) = (full(function.arguments), self.place(at)) else { return };
        self.calls[place].1 = true;
        events.push(event(Delta::Arguments { index: u32::try_from(place).unwrap_or_default(), json }));
    }

    /// A call without arguments has none said; others want an empty object.
    fn close(&mut self, at: u32, events: &mut Vec<Event>) {
        let Some(place) = self.place(at).filter(|place| !self.calls[*place].1) else { return };
        self.calls[place].1 = true;
        let index = u32::try_from(place).unwrap_or_default();
        events.push(event(Delta::Arguments { index, json: "{}".to_owned() }));
    }

    fn place(&self, at: u32) -> Option<usize> {
        self.calls.iter().rposition(|(index, _)| *index == at)
    }
}

fn content(message: &MessageJson<'_>, events: &mut Vec<Event>) {
    let part = one::<PartJson>(message.content);
    events.extend(full(part.thinking).map(Delta::Thinking).map(event));
    events.extend(full(part.text).map(Delta::Text).map(event));
}

fn one<T: for<'de> Deserialize<'de> + Default>(raw: Option<&RawValue>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn full(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn event(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

//! A provider's stream.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::item::ItemJson;
use super::object::logprobs_of;
use super::output::{ResponseJson, Said};
use crate::chat::{Content, ToolCall};
use crate::failure::in_band;
use crate::format::{Frame, Labels};
use crate::reply::{Delta, Event};

/// Reads a stream, frame by frame.
#[derive(Debug)]
pub struct Reader {
    labels: Labels,
    is_started: bool,
    is_over: bool,
    is_complete: bool,
    /// What was told of each item so far.
    items: BTreeMap<u64, Told>,
    calls: u32,
    /// The part of the thought that was told last, if nothing came after it: what follows is set apart from it.
    thought: Option<Place>,
}

/// An item's place, and that of a part in it.
type Place = (u64, u64);

/// What was told of an item.
#[derive(Debug, Default)]
struct Told {
    /// Its place among the calls, if it is one.
    call: Option<u32>,
    /// Whether deltas came: then the whole at its end says nothing new.
    deltas: bool,
    /// Whether a summary stands beside the thought, which is told once.
    summary: bool,
    is_done: bool,
}

/// An event of the stream. Which fields it has depends on its type.
#[derive(Deserialize, Default)]
#[serde(default)]
struct EventJson<'a> {
    r#type: Option<String>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    output_index: u64,
    content_index: u64,
    summary_index: u64,
    delta: Option<String>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Reader {
    /// A reader at the beginning of a stream.
    pub fn new(labels: &Labels) -> Self {
        Self {
            labels: labels.clone(),
            is_started: false,
            is_over: false,
            is_complete: false,
            items: BTreeMap::new(),
            calls: 0,
            thought: None,
        }
    }

    /// Adds what `frame` says to `events`.
    pub fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        let Ok(event) = serde_json::from_slice::<EventJson<'_>>(frame.data) else { return };
        match event.r#type.as_deref().or(frame.kind).unwrap_or_default() {
            "response.created" | "response.queued" | "response.in_progress" => self.start(event.response, events),
            "response.completed" | "response.incomplete" => self.finish(event.response, events),
            "response.failed" => self.fail(event.response, frame.data, events),
            "response.output_item.added" => self.add(&event, events),
            "response.output_item.done" => self.close(&event, events),
            "response.output_text.delta" => self.text(&event, events),
            "response.refusal.delta" => self.say(&event, Delta::Refusal, events),
            "response.function_call_arguments.delta" => self.argue(&event, events),
            "response.reasoning_summary_text.delta" => self.think(&event, true, events),
            "response.reasoning_text.delta" => self.think(&event, false, events),
            "error" => self.error(frame.data, events),
            _ if event.error.is_some() => self.error(frame.data, events),
            _ => {}
        }
    }

    /// Whether the reply was seen to end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn start(&mut self, response: Option<&RawValue>, events: &mut Vec<Event>) {
        if !self.is_started {
            self.is_started = true;
            let response = read_response(response);
            events.push(Event::Start { id: response.id, model: response.model });
        }
    }

    fn tell(&mut self, delta: Delta, events: &mut Vec<Event>) {
        self.start(None, events);
        if !matches!(delta, Delta::Thinking(_)) {
            self.thought = None;
        }
        events.push(Event::Delta { choice: 0, delta });
    }

    fn text(&mut self, event: &EventJson<'_>, events: &mut Vec<Event>) {
        self.say(event, Delta::Text, events);
        if let Some(logprobs) = event.logprobs.and_then(|raw| logprobs_of(&[raw])) {
            self.tell(Delta::Logprobs(logprobs), events);
        }
    }

    fn say(&mut self, event: &EventJson<'_>, of: fn(String) -> Delta, events: &mut Vec<Event>) {
        let Some(text) = event.delta.clone().filter(|text| !text.is_empty()) else { return };
        self.items.entry(event.output_index).or_default().deltas = true;
        self.tell(of(text), events);
    }

    fn think(&mut self, event: &EventJson<'_>, is_summary: bool, events: &mut Vec<Event>) {
        let told = self.items.entry(event.output_index).or_default();
        let Some(text) = event.delta.clone().filter(|text| !text.is_empty()) else { return };
        if told.deltas && told.summary != is_summary {
            return;
        }
        (told.deltas, told.summary) = (true, is_summary);
        let part = if is_summary { event.summary_index } else { event.content_index };
        self.tell_thought(text, (event.output_index, part), events);
    }

    fn tell_thought(&mut self, text: String, place: Place, events: &mut Vec<Event>) {
        let follows = self.thought.replace(place).is_some_and(|last| last != place);
        if follows {
            self.tell(Delta::Thinking("\n\n".to_owned()), events);
        }
        self.tell(Delta::Thinking(text), events);
    }

    fn argue(&mut self, event: &EventJson<'_>, events: &mut Vec<Event>) {
        let Some(json) = event.delta.clone().filter(|json| !json.is_empty()) else { return };
        let Some(told) = self.items.get_mut(&event.output_index) else { return };
        let Some(index) = told.call else { return };
        told.deltas = true;
        self.tell(Delta::Arguments { index, json }, events);
    }

    fn add(&mut self, event: &EventJson<'_>, events: &mut Vec<Event>) {
        let item = read_item(event.item);
        self.items.entry(event.output_index).or_default();
        if item.r#type.as_deref() == Some("function_call") {
            self.call(&item.call(), event.output_index, events);
        }
    }

    /// Tells of a call, once, and gives its place.
    fn call(&mut self, call: &ToolCall, at: u64, events: &mut Vec<Event>) -> u32 {
        let told = self.items.entry(at).or_default();
        if let Some(index) = told.call {
            return index;
        }
        let index = self.calls;
        self.calls += 1;
        told.call = Some(index);
        let id = if call.id.is_empty() { self.labels.call_id(index as usize) } else { call.id.clone() };
        let delta = Delta::ToolCall { index, id, name: call.name.clone(), signature: call.signature.clone() };
        self.tell(delta, events);
        index
    }

    fn close(&mut self, event: &EventJson<'_>, events: &mut Vec<Event>) {
        if let Some(raw) = event.item {
            self.whole(raw, event.output_index, events);
        }
    }

    /// Tells what the whole item `raw` says and no delta has said before.
    fn whole(&mut self, raw: &RawValue, at: u64, events: &mut Vec<Event>) {
        let told = self.items.entry(at).or_default();
        let is_new = !std::mem::replace(&mut told.is_done, true);
        let has_deltas = told.deltas;
        if !is_new {
            return;
        }
        let mut said = Said::default();
        said.extend(raw);
        for block in said.blocks {
            match block.content {
                Content::Text(text) if !has_deltas => self.tell(Delta::Text(text), events),
                Content::Refusal(text) if !has_deltas => self.tell(Delta::Refusal(text), events),
                Content::ToolCall(call) => self.whole_call(call, at, has_deltas, events),
                Content::RedactedThinking { data } => {
                    let delta = if has_deltas { Delta::Signature(data) } else { Delta::RedactedThinking(data) };
                    self.tell(delta, events);
                }
                Content::Thinking { text, signature } => {
                    if !has_deltas && !text.is_empty() {
                        self.tell_thought(text, (at, 0), events);
                    }
                    if let Some(proof) = signature {
                        self.tell(Delta::Signature(proof), events);
                    }
                }
                _ => {}
            }
        }
        if let Some(logprobs) = logprobs_of(&said.logprobs).filter(|_| !has_deltas) {
            self.tell(Delta::Logprobs(logprobs), events);
        }
    }

    fn whole_call(&mut self, call: ToolCall, at: u64, has_deltas: bool, events: &mut Vec<Event>) {
        let index = self.call(&call, at, events);
        if !has_deltas && !call.arguments.is_empty() {
            self.tell(Delta::Arguments { index, json: call.arguments }, events);
        }
    }

    fn finish(&mut self, raw: Option<&RawValue>, events: &mut Vec<Event>) {
        self.start(raw, events);
        let response = read_response(raw);
        // Places in the list need not be those in the stream: it is read where the stream told of no item.
        if self.items.is_empty() {
            for (at, item) in (0..).zip(response.output.iter().flatten()) {
                self.whole(item, at, events);
            }
        }
        events.push(Event::Finish { choice: 0, finish: response.finish(self.calls > 0) });
        events.extend(response.usage().map(Event::Usage));
        self.is_complete = true;
        self.is_over = true;
    }

    fn fail(&mut self, response: Option<&RawValue>, data: &[u8], events: &mut Vec<Event>) {
        events.push(Event::Failure(Box::new(read_response(response).failure(data))));
        self.is_over = true;
    }

    fn error(&mut self, data: &[u8], events: &mut Vec<Event>) {
        let failure = in_band(&String::from_utf8_lossy(data), Bytes::copy_from_slice(data));
        events.push(Event::Failure(Box::new(failure)));
        self.is_over = true;
    }
}

fn read_response(raw: Option<&RawValue>) -> ResponseJson<'_> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn read_item(raw: Option<&RawValue>) -> ItemJson<'_> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

//! A stream for a client.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::echo::Echo;
use super::object::{
    Body, ErrorOut, Item, ItemOut, Part, PartOut, ResponseOut, UsageOut, logprob_entries, response_id,
};
use super::write_reply::{incomplete, status};
use crate::chat::ToolCall;
use crate::format::Labels;
use crate::json::Json;
use crate::reply::{Delta, Event, FinishReason};

/// Writes a stream's events. Calls stay open to the end, since more of their arguments may come at any time.
#[derive(Debug)]
pub struct Writer {
    labels: Labels,
    echo: Echo,
    id: String,
    model: String,
    is_started: bool,
    next: u64,
    items: Vec<Item>,
    /// The message or thought that is open: the last one of its kind.
    open: Option<usize>,
    /// The index of each call, and its item.
    calls: Vec<(u32, usize)>,
    reason: FinishReason,
    usage: Option<Usage>,
}

/// What an event of the stream holds. Which fields depends on its type.
#[derive(Serialize, Default)]
struct EventOut<'a> {
    r#type: &'static str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [Json]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<PartOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<ItemOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<ResponseOut<'a>>,
}

/// An error in place of an event. The API documents the fields beside `type`, and sends `error`, on which SDKs raise.
#[derive(Serialize)]
struct ErrorEventOut<'a> {
    r#type: &'static str,
    sequence_number: u64,
    code: &'static str,
    message: &'a str,
    param: Option<()>,
    error: ErrorObjectOut<'a>,
}

#[derive(Serialize)]
struct ErrorObjectOut<'a> {
    r#type: &'static str,
    code: &'static str,
    message: &'a str,
    param: Option<()>,
}

impl Writer {
    /// A writer at the beginning of a stream, with what the response repeats of its request. Usage is always told.
    pub fn new(labels: &Labels, echo: Echo) -> Self {
        Self {
            labels: labels.clone(),
            echo,
            id: response_id(None, labels),
            model: labels.model.clone(),
            is_started: false,
            next: 0,
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            reason: FinishReason::Stop,
            usage: None,
        }
    }

    /// Writes `event`. Alternatives beyond the first are left out: the API has none.
    pub fn write(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model } => {
                if !self.is_started {
                    self.id = response_id(id.as_deref(), &self.labels);
                    self.model = model.clone().unwrap_or_else(|| self.labels.model.clone());
                }
                self.start(out);
            }
            Event::Delta { choice: 0, delta } => {
                self.start(out);
                self.delta(delta, out);
            }
            Event::Finish { choice: 0, finish } => self.reason = finish.reason,
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failure(failure) => self.fail(failure, out),
            Event::Delta { .. } | Event::Finish { .. } => {}
        }
    }

    /// Ends the stream.
    pub fn end(&mut self, out: &mut BytesMut) {
        self.start(out);
        let last = self.items.len().saturating_sub(1);
        for at in 0..self.items.len() {
            if self.items[at].status == "in_progress" {
                let status = if at == last { status(self.reason) } else { "completed" };
                self.close(at, status, out);
            }
        }
        let kind = if incomplete(self.reason).is_some() { "response.incomplete" } else { "response.completed" };
        self.lifecycle(kind, status(self.reason), None, out);
    }

    fn start(&mut self, out: &mut BytesMut) {
        if !self.is_started {
            self.is_started = true;
            self.lifecycle("response.created", "in_progress", None, out);
            self.lifecycle("response.in_progress", "in_progress", None, out);
        }
    }

    fn delta(&mut self, delta: &Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) | Delta::Thinking(text) if text.is_empty() => {}
            Delta::Text(text) => {
                let at = self.message(Part::Text { text: String::new(), logprobs: Vec::new() }, out);
                self.say("response.output_text.delta", at, text, out);
            }
            Delta::Refusal(text) => {
                let at = self.message(Part::Refusal(String::new()), out);
                self.say("response.refusal.delta", at, text, out);
            }
            Delta::Thinking(text) => self.think(text, out),
            Delta::Signature(proof) => {
                let at = self.thought(out);
                if let Body::Thought { proof: held, .. } = &mut self.items[at].body {
                    *held = Some(proof.clone());
                }
                self.close_open(out);
            }
            Delta::RedactedThinking(data) => {
                self.close_open(out);
                self.open(Body::Thought { summary: None, proof: None }, out);
                let at = self.items.len() - 1;
                self.items[at].body = Body::Thought { summary: None, proof: Some(data.clone()) };
                self.close(at, "completed", out);
            }
            Delta::ToolCall { index, id, name, signature } => {
                self.close_open(out);
                self.calls.push((*index, self.items.len()));
                let (id, name) = (id.clone(), name.clone());
                let call = ToolCall { id, name, arguments: String::new(), signature: signature.clone() };
                self.open(Body::Call(call), out);
            }
            Delta::Arguments { index, json } => {
                let call = self.calls.iter().rev().find(|(of, _)| of == index);
                if let Some((_, at)) = call.filter(|_| !json.is_empty()) {
                    self.argue(*at, json, out);
                }
            }
            Delta::Logprobs(logprobs) => self.add_logprobs(logprobs, out),
        }
    }

    /// The message that is open, its last part being of the kind of `part`.
    fn message(&mut self, part: Part, out: &mut BytesMut) -> usize {
        let open = self.open.filter(|at| matches!(self.items[*at].body, Body::Message(_)));
        let at = open.unwrap_or_else(|| {
            self.close_open(out);
            self.open(Body::Message(Vec::new()), out);
            self.items.len() - 1
        });
        self.open = Some(at);
        let Body::Message(parts) = &self.items[at].body else { return at };
        let is_same = |last: &Part| std::mem::discriminant(last) == std::mem::discriminant(&part);
        if parts.last().is_some_and(is_same) {
            return at;
        }
        self.close_part(at, out);
        if let Body::Message(parts) = &mut self.items[at].body {
            parts.push(part);
        }
        let (item, next) = (&self.items[at], &mut self.next);
        if let Body::Message(parts) = &item.body {
            let event = EventOut {
                content_index: Some(parts.len() - 1),
                part: parts.last().map(Part::out),
                ..of("response.content_part.added", item, at)
            };
            send(event, next, out);
        }
        at
    }

    /// Adds `text` to the last part of the message at `at`.
    fn say(&mut self, kind: &'static str, at: usize, text: &str, out: &mut BytesMut) {
        let mut content_index = None;
        let mut logprobs: Option<&[Json]> = None;
        if let Body::Message(parts) = &mut self.items[at].body {
            content_index = parts.len().checked_sub(1);
            match parts.last_mut() {
                Some(Part::Text { text: whole, .. }) => {
                    whole.push_str(text);
                    logprobs = Some(&[]);
                }
                Some(Part::Refusal(whole)) => whole.push_str(text),
                None => {}
            }
        }
        let event = EventOut { content_index, delta: Some(text), logprobs, ..of(kind, &self.items[at], at) };
        send(event, &mut self.next, out);
    }

    /// What belongs to the text before it is sent as a delta without text.
    fn add_logprobs(&mut self, logprobs: &Json, out: &mut BytesMut) {
        let entries = logprob_entries(logprobs);
        let Some(at) = self.open.filter(|_| !entries.is_empty()) else { return };
        let Body::Message(parts) = &mut self.items[at].body else { return };
        let content_index = parts.len().checked_sub(1);
        let Some(Part::Text { logprobs, .. }) = parts.last_mut() else { return };
        logprobs.extend(entries.iter().cloned());
        let kind = "response.output_text.delta";
        let event =
            EventOut { content_index, delta: Some(""), logprobs: Some(&entries), ..of(kind, &self.items[at], at) };
        send(event, &mut self.next, out);
    }

    /// The thought that is open, with a part of summary.
    fn thought(&mut self, out: &mut BytesMut) -> usize {
        if let Some(at) = self.open.filter(|at| matches!(self.items[*at].body, Body::Thought { .. })) {
            return at;
        }
        self.close_open(out);
        self.open(Body::Thought { summary: None, proof: None }, out);
        let at = self.items.len() - 1;
        self.open = Some(at);
        self.items[at].body = Body::Thought { summary: Some(String::new()), proof: None };
        let kind = "response.reasoning_summary_part.added";
        let event =
            EventOut { summary_index: Some(0), part: Some(PartOut::summary("")), ..of(kind, &self.items[at], at) };
        send(event, &mut self.next, out);
        at
    }

    fn think(&mut self, text: &str, out: &mut BytesMut) {
        let at = self.thought(out);
        if let Body::Thought { summary: Some(whole), .. } = &mut self.items[at].body {
            whole.push_str(text);
        }
        let kind = "response.reasoning_summary_text.delta";
        let event = EventOut { summary_index: Some(0), delta: Some(text), ..of(kind, &self.items[at], at) };
        send(event, &mut self.next, out);
    }

    fn argue(&mut self, at: usize, json: &str, out: &mut BytesMut) {
        if let Body::Call(call) = &mut self.items[at].body {
            call.arguments.push_str(json);
        }
        let kind = "response.function_call_arguments.delta";
        send(EventOut { delta: Some(json), ..of(kind, &self.items[at], at) }, &mut self.next, out);
    }

    /// Opens an item behind the others.
    fn open(&mut self, body: Body, out: &mut BytesMut) {
        let at = self.items.len();
        self.items.push(Item::new(body, at, &self.labels, "in_progress"));
        let item = &self.items[at];
        let event = EventOut { item: Some(item.out()), item_id: None, ..of("response.output_item.added", item, at) };
        send(event, &mut self.next, out);
    }

    /// Closes the message or thought that is open.
    fn close_open(&mut self, out: &mut BytesMut) {
        if let Some(at) = self.open.take() {
            self.close(at, "completed", out);
        }
    }

    fn close(&mut self, at: usize, status: &'static str, out: &mut BytesMut) {
        if matches!(&self.items[at].body, Body::Call(call) if call.arguments.is_empty()) {
            self.argue(at, "{}", out);
        }
        self.close_part(at, out);
        self.items[at].status = status;
        let item = &self.items[at];
        let event = EventOut { item: Some(item.out()), item_id: None, ..of("response.output_item.done", item, at) };
        send(event, &mut self.next, out);
    }

    /// Tells what is said last in the item at `at` as a whole.
    fn close_part(&mut self, at: usize, out: &mut BytesMut) {
        let item = &self.items[at];
        let (done, part) = match &item.body {
            Body::Thought { summary: Some(text), .. } => {
                let text = Some(text.as_str());
                let kind = "response.reasoning_summary_text.done";
                let done = EventOut { summary_index: Some(0), text, ..of(kind, item, at) };
                let part = text.map(PartOut::summary);
                let kind = "response.reasoning_summary_part.done";
                (done, Some(EventOut { summary_index: Some(0), part, ..of(kind, item, at) }))
            }
            Body::Message(parts) => {
                let Some(last) = parts.last() else { return };
                let content_index = Some(parts.len() - 1);
                let done = match last {
                    Part::Text { text, logprobs } => EventOut {
                        text: Some(text),
                        logprobs: Some(logprobs),
                        ..of("response.output_text.done", item, at)
                    },
                    Part::Refusal(text) => EventOut { refusal: Some(text), ..of("response.refusal.done", item, at) },
                };
                let part = Some(last.out());
                let part = EventOut { content_index, part, ..of("response.content_part.done", item, at) };
                (EventOut { content_index, ..done }, Some(part))
            }
            Body::Call(call) => {
                let (name, arguments) = (Some(call.name.as_str()), Some(call.arguments.as_str()));
                (EventOut { name, arguments, ..of("response.function_call_arguments.done", item, at) }, None)
            }
            Body::Thought { summary: None, .. } => return,
        };
        send(done, &mut self.next, out);
        if let Some(part) = part {
            send(part, &mut self.next, out);
        }
    }

    /// SDKs raise on the error; what reads the events by itself waits for the response that failed.
    fn fail(&mut self, failure: &Failure, out: &mut BytesMut) {
        let (code, message) = (code(failure.kind), failure.message.as_str());
        let error = ErrorObjectOut { r#type: failure.kind.openai_type(), code, message, param: None };
        let event = ErrorEventOut { r#type: "error", sequence_number: self.next, code, message, param: None, error };
        self.next += 1;
        frame(event.r#type, &event, out);
        let error = ErrorOut { code: final_code(failure.kind), message };
        self.lifecycle("response.failed", "failed", Some(error), out);
    }

    /// An event that holds the whole response. Its output is told when it is final.
    fn lifecycle(&mut self, kind: &'static str, status: &'static str, error: Option<ErrorOut<'_>>, out: &mut BytesMut) {
        let is_final = matches!(status, "completed" | "incomplete");
        let response = ResponseOut {
            id: &self.id,
            object: "response",
            created_at: self.labels.created,
            status,
            error,
            incomplete_details: incomplete(self.reason).filter(|_| is_final),
            model: &self.model,
            output: self.items.iter().filter(|_| is_final).map(Item::out).collect(),
            usage: self.usage.map(UsageOut::of).filter(|_| is_final),
            echo: &self.echo,
        };
        send(EventOut { r#type: kind, response: Some(response), ..EventOut::default() }, &mut self.next, out);
    }
}

/// An event about `item`, which is at `at`.
fn of<'a>(kind: &'static str, item: &'a Item, at: usize) -> EventOut<'a> {
    EventOut { r#type: kind, item_id: Some(&item.id), output_index: Some(at), ..EventOut::default() }
}

fn send(mut event: EventOut<'_>, next: &mut u64, out: &mut BytesMut) {
    event.sequence_number = *next;
    *next += 1;
    frame(event.r#type, &event, out);
}

fn frame(kind: &str, event: &impl Serialize, out: &mut BytesMut) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Printing to memory cannot fail.
    drop(serde_json::to_writer((&mut *out).writer(), event));
    out.extend_from_slice(b"\n\n");
}

/// The code of an error, of those that the API and its clients know.
const fn code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::BadRequest => "invalid_request",
        FailureKind::ContextWindow => "context_length_exceeded",
        FailureKind::ContentPolicy => "content_policy_violation",
        FailureKind::Authentication => "invalid_api_key",
        FailureKind::Quota => "insufficient_quota",
        FailureKind::NotFound => "model_not_found",
        FailureKind::RateLimited | FailureKind::AtLimit => "rate_limit_exceeded",
        FailureKind::Overloaded | FailureKind::AllCooling | FailureKind::NoCandidate => "server_is_overloaded",
        FailureKind::Timeout => "timeout",
        FailureKind::ServerError | FailureKind::Unreachable | FailureKind::BrokenReply => "server_error",
    }
}

/// The code of the error of a response that failed, of the few that the published schema has for it.
const fn final_code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::BadRequest | FailureKind::ContextWindow | FailureKind::ContentPolicy => "invalid_prompt",
        FailureKind::Quota | FailureKind::RateLimited | FailureKind::AtLimit => "rate_limit_exceeded",
        FailureKind::Authentication
        | FailureKind::NotFound
        | FailureKind::Timeout
        | FailureKind::Overloaded
        | FailureKind::AllCooling
        | FailureKind::NoCandidate
        | FailureKind::ServerError
        | FailureKind::Unreachable
        | FailureKind::BrokenReply => "server_error",
    }
}

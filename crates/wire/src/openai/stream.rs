//! Streams: chunks as server-sent events, `[DONE]` at the end.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::usage::Usage;

use super::calls::{CallJson, ExtraJson, FunctionJson, ThoughtJson};
use super::reply::{UsageOut, finish, id, word};
use crate::failure::in_band;
use crate::format::{Frame, Labels, StreamOptions};
use crate::json::Json;
use crate::reply::{Delta, Event, Finish, FinishReason};
use crate::usage::UsageJson;

#[derive(Deserialize)]
struct ChunkJson<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(borrow, default)]
    choices: Option<Vec<ChoiceJson<'a>>>,
    #[serde(default)]
    usage: Option<UsageJson>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ChoiceJson<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    delta: Option<DeltaJson<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    logprobs: Option<Json>,
}

#[derive(Deserialize)]
struct DeltaJson<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "reasoning")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking_blocks: Option<Vec<ThoughtJson<'a>>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallJson<'a>>>,
}

/// Reads the chunks of a stream.
#[derive(Debug)]
pub struct Reader {
    labels: Labels,
    has_begun: bool,
    is_complete: bool,
    /// The calls that were begun, by choice and by their index there; some servers leave ids out.
    calls: Vec<(u32, u32)>,
}

impl Reader {
    /// A reader at the beginning of a stream.
    pub fn new(labels: &Labels) -> Self {
        Self { labels: labels.clone(), has_begun: false, is_complete: false, calls: Vec::new() }
    }

    /// What `frame` says.
    pub fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        if frame.data == b"[DONE]" {
            self.is_complete = true;
            return;
        }
        let Ok(chunk) = serde_json::from_slice::<ChunkJson<'_>>(frame.data) else { return };
        if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
            let error = format!("{{\"error\":{}}}", error.get());
            events.push(Event::Failure(Box::new(in_band(&error, Bytes::from(error.clone())))));
            return;
        }
        if !self.has_begun {
            self.has_begun = true;
            events.push(Event::Start { id: chunk.id, model: chunk.model });
        }
        for choice in chunk.choices.unwrap_or_default() {
            self.choice(choice, events);
        }
        events.extend(chunk.usage.and_then(|usage| usage.usage()).map(Event::Usage));
    }

    fn choice(&mut self, json: ChoiceJson<'_>, events: &mut Vec<Event>) {
        let choice = json.index;
        let mut add = |delta| events.push(Event::Delta { choice, delta });
        if let Some(delta) = json.delta {
            let text = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(Cow::into_owned);
            text(delta.reasoning_content).map(Delta::Thinking).map(&mut add);
            for thought in delta.thinking_blocks.unwrap_or_default() {
                thought.proof().map(&mut add);
            }
            text(delta.content).map(Delta::Text).map(&mut add);
            text(delta.refusal).map(Delta::Refusal).map(&mut add);
            for (place, call) in delta.tool_calls.unwrap_or_default().into_iter().enumerate() {
                let index = call.index.unwrap_or(u32::try_from(place).unwrap_or_default());
                if !self.calls.contains(&(choice, index)) {
                    self.calls.push((choice, index));
                    add(begin(&call, index, &self.labels, self.calls.len() - 1));
                }
                let arguments = call.function.arguments.map(|arguments| arguments.0.into_owned());
                if let Some(json) = arguments.filter(|json| !json.is_empty()) {
                    add(Delta::Arguments { index, json });
                }
            }
        }
        if let Some(logprobs) = json.logprobs.filter(Json::is_object) {
            add(Delta::Logprobs(logprobs));
        }
        if let Some(reason) = json.finish_reason {
            self.is_complete = true;
            let mut finish = finish(&reason);
            if finish.reason == FinishReason::Stop && self.calls.iter().any(|(owner, _)| *owner == choice) {
                finish.reason = FinishReason::ToolCalls;
            }
            events.push(Event::Finish { choice, finish });
        }
    }

    /// Whether the stream was seen to end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

fn begin(call: &CallJson<'_>, index: u32, labels: &Labels, place: usize) -> Delta {
    Delta::ToolCall {
        index,
        id: call.id.as_deref().map_or_else(|| labels.call_id(place), str::to_owned),
        name: call.function.name.as_deref().unwrap_or_default().to_owned(),
        signature: call.extra_content.as_ref().and_then(ExtraJson::signature).map(str::to_owned),
    }
}

#[derive(Serialize)]
struct ChunkOut<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [ChoiceOut<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageOut>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: u32,
    delta: DeltaOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a Json>,
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
}

#[derive(Serialize, Default)]
struct DeltaOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_blocks: Option<[ThoughtJson<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallJson<'a>; 1]>,
}

/// Writes a stream of chunks.
#[derive(Debug)]
pub struct Writer {
    labels: Labels,
    options: StreamOptions,
    id: String,
    model: String,
    /// Choices whose first chunk, which names the role, was written.
    begun: Vec<u32>,
    usage: Option<Usage>,
}

impl Writer {
    /// A writer at the beginning of a stream.
    pub fn new(labels: &Labels, options: StreamOptions) -> Self {
        Self {
            id: id(None, labels).into_owned(),
            model: labels.model.clone(),
            labels: labels.clone(),
            options,
            begun: Vec::new(),
            usage: None,
        }
    }

    /// Writes what `event` says.
    pub fn write(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model } => {
                if let Some(id) = id {
                    self.id.clone_from(id);
                }
                if let Some(model) = model {
                    self.model.clone_from(model);
                }
                self.begin(0, out);
            }
            Event::Delta { choice, delta } => {
                self.begin(*choice, out);
                self.delta(*choice, delta, out);
            }
            Event::Finish { choice, finish } => {
                self.begin(*choice, out);
                self.finish(*choice, finish, out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failure(failure) => put(out, &error(failure)),
        }
    }

    /// Ends the stream.
    pub fn end(&mut self, out: &mut BytesMut) {
        if let Some(usage) = self.usage.filter(|_| self.options.include_usage) {
            self.chunk(&[], Some(&usage), out);
        }
        out.put_slice(b"data: [DONE]\n\n");
    }

    fn begin(&mut self, choice: u32, out: &mut BytesMut) {
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            self.put_delta(choice, DeltaOut { role: Some("assistant"), content: Some(""), ..DeltaOut::default() }, out);
        }
    }

    fn delta(&self, choice: u32, delta: &Delta, out: &mut BytesMut) {
        let blank = DeltaOut::default();
        let call = |index, id, kind, function, extra_content| {
            Some([CallJson { index: Some(index), id, kind, function, extra_content }])
        };
        let delta = match delta {
            Delta::Text(text) => DeltaOut { content: Some(text), ..blank },
            Delta::Refusal(text) => DeltaOut { refusal: Some(text), ..blank },
            Delta::Thinking(text) => DeltaOut { reasoning_content: Some(text), ..blank },
            Delta::Signature(proof) => DeltaOut { thinking_blocks: Some([ThoughtJson::signed(proof)]), ..blank },
            Delta::RedactedThinking(data) => DeltaOut { thinking_blocks: Some([ThoughtJson::redacted(data)]), ..blank },
            Delta::ToolCall { index, id, name, signature } => {
                let function = FunctionJson::of(Some(name), "");
                let extra = signature.as_deref().map(ExtraJson::of);
                DeltaOut {
                    tool_calls: call(*index, Some(id.into()), Some("function".into()), function, extra),
                    ..blank
                }
            }
            Delta::Arguments { index, json } => {
                let function = FunctionJson::of(None, json);
                DeltaOut { tool_calls: call(*index, None, None, function, None), ..blank }
            }
            Delta::Logprobs(json) => {
                let logprobs = Some(json);
                let choice = ChoiceOut {
                    index: choice,
                    delta: blank,
                    logprobs,
                    finish_reason: None,
                    native_finish_reason: None,
                };
                return self.chunk(&[choice], None, out);
            }
        };
        self.put_delta(choice, delta, out);
    }

    fn put_delta(&self, choice: u32, delta: DeltaOut<'_>, out: &mut BytesMut) {
        let choice =
            ChoiceOut { index: choice, delta, logprobs: None, finish_reason: None, native_finish_reason: None };
        self.chunk(&[choice], None, out);
    }

    fn finish(&self, choice: u32, finish: &Finish, out: &mut BytesMut) {
        let choice = ChoiceOut {
            index: choice,
            delta: DeltaOut::default(),
            logprobs: None,
            finish_reason: Some(word(finish.reason)),
            native_finish_reason: finish.native.as_deref(),
        };
        self.chunk(&[choice], None, out);
    }

    fn chunk(&self, choices: &[ChoiceOut<'_>], usage: Option<&Usage>, out: &mut BytesMut) {
        let chunk = ChunkOut {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.labels.created,
            model: &self.model,
            choices,
            usage: usage.map(UsageOut::from),
        };
        put(out, &chunk);
    }
}

fn put(out: &mut BytesMut, json: &impl Serialize) {
    out.put_slice(b"data: ");
    out.put_slice(&serde_json::to_vec(json).unwrap_or_default());
    out.put_slice(b"\n\n");
}

/// A failure as an event of a stream.
fn error(failure: &Failure) -> impl Serialize {
    #[derive(Serialize)]
    struct Envelope {
        error: Fields,
    }
    #[derive(Serialize)]
    struct Fields {
        message: String,
        #[serde(rename = "type")]
        kind: &'static str,
        param: Option<()>,
        code: String,
    }
    Envelope {
        error: Fields {
            message: failure.message.clone(),
            kind: failure.kind.label(),
            param: None,
            code: failure.http_status().to_string(),
        },
    }
}

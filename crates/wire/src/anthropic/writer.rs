//! Streams as Anthropic's clients read them, written.
//!
//! Blocks stand one behind the other there, while calls of other providers may come interleaved: what belongs to a later
//! block waits until the one before it is whole.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use weighbridge_domain::usage::Usage;

use super::error::error_body;
use super::part::Part;
use super::reply::{MessageOut, message_id, unsaid};
use super::usage::{UsageOut, word};
use crate::format::{Labels, StreamOptions};
use crate::json::Json;
use crate::reply::{Delta, Event, Finish};

/// Writes a stream, event by event. Of several choices it tells the first.
#[derive(Debug)]
pub struct Writer {
    labels: Labels,
    is_begun: bool,
    /// The block that is open, and those behind it.
    blocks: VecDeque<Block>,
    /// The place of the first of them.
    index: u32,
    has_calls: bool,
    finish: Option<Finish>,
    usage: Usage,
}

/// A block of which more may come.
#[derive(Debug)]
struct Block {
    kind: Kind,
    /// What came of it: of the open one only what decides whether it is whole.
    text: String,
    signature: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Text,
    Thinking,
    Redacted,
    Call { index: u32, id: String, name: String },
}

#[derive(Serialize)]
struct EventOut<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct StartOut<'a> {
    message: MessageOut<'a>,
}

#[derive(Serialize)]
struct BlockStartOut<'a> {
    index: u32,
    content_block: Part<'a>,
}

#[derive(Serialize)]
struct BlockDeltaOut<'a> {
    index: u32,
    delta: DeltaOut<'a>,
}

#[derive(Serialize)]
struct BlockStopOut {
    index: u32,
}

/// What is added: one of the fields, by the type.
#[derive(Default, Serialize)]
struct DeltaOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_json: Option<&'a str>,
}

#[derive(Serialize)]
struct EndOut<'a> {
    delta: StopOut<'a>,
    usage: UsageOut,
}

#[derive(Serialize)]
struct StopOut<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
}

#[derive(Serialize)]
struct Nothing {}

impl Writer {
    /// A writer at the beginning of a stream. Usage is always told.
    pub fn new(labels: &Labels, _options: StreamOptions) -> Self {
        Self {
            labels: labels.clone(),
            is_begun: false,
            blocks: VecDeque::new(),
            index: 0,
            has_calls: false,
            finish: None,
            usage: Usage::default(),
        }
    }

    /// Writes what `event` tells.
    pub fn write(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model } => self.begin(id.as_deref(), model.as_deref(), out),
            Event::Delta { choice: 0, delta } => {
                self.begin(None, None, out);
                self.add(delta, out);
            }
            Event::Finish { choice: 0, finish } => self.finish = Some(finish.clone()),
            Event::Delta { .. } | Event::Finish { .. } => {}
            Event::Usage(usage) => self.usage = *usage,
            Event::Failure(failure) => {
                let body = error_body(failure.kind, &failure.message, &self.labels.request_id);
                frame("error", &body, out);
            }
        }
    }

    /// Closes the stream: the open blocks, why it ended, what was used.
    pub fn end(&mut self, out: &mut BytesMut) {
        self.begin(None, None, out);
        while !self.blocks.is_empty() {
            self.close(out);
        }
        let finish = self.finish.take().unwrap_or_else(|| unsaid(self.has_calls));
        let delta = StopOut { stop_reason: word(&finish), stop_sequence: finish.stop_sequence.as_deref() };
        put("message_delta", EndOut { delta, usage: UsageOut::of(&self.usage) }, out);
        put("message_stop", Nothing {}, out);
    }

    fn begin(&mut self, id: Option<&str>, model: Option<&str>, out: &mut BytesMut) {
        if std::mem::replace(&mut self.is_begun, true) {
            return;
        }
        let message = MessageOut {
            id: message_id(id, &self.labels),
            kind: "message",
            role: "assistant",
            model: model.unwrap_or(&self.labels.model),
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            usage: UsageOut::of(&self.usage),
        };
        put("message_start", StartOut { message }, out);
    }

    fn add(&mut self, delta: &Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) if !text.is_empty() => {
                let at = self.last(&Kind::Text, out);
                self.extend(at, text, out);
            }
            Delta::Thinking(text) if !text.is_empty() => {
                let at = self.last(&Kind::Thinking, out);
                self.extend(at, text, out);
            }
            Delta::Signature(signature) if !signature.is_empty() => {
                if self.blocks.back().is_none_or(|block| block.kind != Kind::Thinking) {
                    self.push(Kind::Thinking, String::new(), out);
                }
                if let Some(block) = self.blocks.back_mut() {
                    block.signature.push_str(signature);
                }
            }
            Delta::RedactedThinking(data) => {
                self.push(Kind::Redacted, data.clone(), out);
            }
            Delta::ToolCall { index, id, name, .. } => {
                self.has_calls = true;
                self.push(Kind::Call { index: *index, id: id.clone(), name: name.clone() }, String::new(), out);
            }
            Delta::Arguments { index, json } => {
                let is_it = |block: &Block| matches!(block.kind, Kind::Call { index: own, .. } if own == *index);
                if let Some(at) = self.blocks.iter().position(is_it) {
                    self.extend(at, json, out);
                }
            }
            Delta::Text(_) | Delta::Refusal(_) | Delta::Thinking(_) | Delta::Signature(_) | Delta::Logprobs(_) => {}
        }
        self.advance(out);
    }

    /// The place of the last block, when more of `kind` belongs to it; else of a new one. A signature ends a thought.
    fn last(&mut self, kind: &Kind, out: &mut BytesMut) -> usize {
        let goes_on = self.blocks.back().is_some_and(|block| block.kind == *kind && block.signature.is_empty());
        if !goes_on {
            self.push(kind.clone(), String::new(), out);
        }
        self.blocks.len() - 1
    }

    fn push(&mut self, kind: Kind, text: String, out: &mut BytesMut) {
        self.blocks.push_back(Block { kind, text, signature: String::new() });
        if self.blocks.len() == 1 {
            self.open(out);
        } else {
            self.advance(out);
        }
    }

    /// Adds to the block at `at`, and tells of it if that is open.
    fn extend(&mut self, at: usize, text: &str, out: &mut BytesMut) {
        let Some(block) = self.blocks.get_mut(at) else { return };
        if at > 0 || matches!(block.kind, Kind::Call { .. }) {
            block.text.push_str(text);
        }
        if at == 0 {
            tell(self.index, &block.kind, text, out);
        }
    }

    /// Closes the first block while it is whole and others wait.
    fn advance(&mut self, out: &mut BytesMut) {
        while self.blocks.len() > 1 && self.blocks.front().is_some_and(Block::is_whole) {
            self.close(out);
        }
    }

    fn open(&self, out: &mut BytesMut) {
        let Some(block) = self.blocks.front() else { return };
        let content_block = match &block.kind {
            Kind::Text => Part::text(""),
            Kind::Thinking => Part::thinking("", ""),
            Kind::Redacted => Part::redacted_thinking(&block.text),
            Kind::Call { id, name, .. } => Part {
                kind: "tool_use",
                id: Some(Cow::Borrowed(id)),
                name: Some(name),
                input: Some(Json::empty_object()),
                ..Part::default()
            },
        };
        put("content_block_start", BlockStartOut { index: self.index, content_block }, out);
        tell(self.index, &block.kind, &block.text, out);
    }

    /// Closes the first block and opens the next.
    fn close(&mut self, out: &mut BytesMut) {
        let Some(block) = self.blocks.pop_front() else { return };
        if !block.signature.is_empty() {
            let delta = DeltaOut { kind: "signature_delta", signature: Some(&block.signature), ..DeltaOut::default() };
            put("content_block_delta", BlockDeltaOut { index: self.index, delta }, out);
        }
        put("content_block_stop", BlockStopOut { index: self.index }, out);
        self.index += 1;
        self.open(out);
    }
}

impl Block {
    /// Whether nothing more of it comes once another block has begun.
    fn is_whole(&self) -> bool {
        match self.kind {
            Kind::Text | Kind::Thinking | Kind::Redacted => true,
            // Parsed only when it looks whole: long arguments come in many pieces.
            Kind::Call { .. } => self.text.trim_end().ends_with('}') && Json::parse(&self.text).is_some(),
        }
    }
}

/// Writes more `text` of the block of `kind` that is open.
fn tell(index: u32, kind: &Kind, text: &str, out: &mut BytesMut) {
    if text.is_empty() {
        return;
    }
    let delta = match kind {
        Kind::Text => DeltaOut { kind: "text_delta", text: Some(text), ..DeltaOut::default() },
        Kind::Thinking => DeltaOut { kind: "thinking_delta", thinking: Some(text), ..DeltaOut::default() },
        Kind::Call { .. } => DeltaOut { kind: "input_json_delta", partial_json: Some(text), ..DeltaOut::default() },
        // It is whole from the start.
        Kind::Redacted => return,
    };
    put("content_block_delta", BlockDeltaOut { index, delta }, out);
}

fn put(kind: &str, rest: impl Serialize, out: &mut BytesMut) {
    // Nothing in it can fail to be printed.
    let data = serde_json::to_vec(&EventOut { kind, rest }).unwrap_or_default();
    frame(kind, &data, out);
}

fn frame(kind: &str, data: &[u8], out: &mut BytesMut) {
    for piece in [b"event: ", kind.as_bytes(), b"\ndata: ", data, b"\n\n"] {
        out.put_slice(piece);
    }
}

#[cfg(test)]
mod tests;

//! Streams as Anthropic sends them, read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error;
use super::reply::PartJson;
use super::usage::{UsageJson, finish};
use crate::chat::Content;
use crate::format::{Frame, Labels};
use crate::reply::{Delta, Event};

/// Reads a stream, event by event.
#[derive(Debug)]
pub struct Reader {
    labels: Labels,
    progress: Progress,
    /// The calls that have begun, by the places of their blocks.
    open: BTreeMap<u64, Call>,
    calls: usize,
    usage: UsageJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Nothing,
    Begun,
    Finished,
    Failed,
}

#[derive(Debug)]
struct Call {
    index: u32,
    /// Its arguments as long as none were streamed.
    unsaid: Option<String>,
}

#[derive(Deserialize)]
struct EventJson<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<MessageJson<'a>>,
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct MessageJson<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct DeltaJson<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_sequence: Option<Cow<'a, str>>,
}

impl Reader {
    /// A reader at the beginning of a stream.
    pub fn new(labels: &Labels) -> Self {
        Self {
            labels: labels.clone(),
            progress: Progress::Nothing,
            open: BTreeMap::new(),
            calls: 0,
            usage: UsageJson::default(),
        }
    }

    /// Reads one event of the stream. What is not known is passed over.
    pub fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        if self.progress == Progress::Failed {
            return;
        }
        let Ok(event) = serde_json::from_slice::<EventJson<'_>>(frame.data) else { return };
        if event.error.is_some() {
            self.progress = Progress::Failed;
            events.push(Event::Failure(Box::new(error::failure(frame.data))));
            return;
        }
        let at = event.index.unwrap_or(0);
        match event.kind.as_deref() {
            Some("message_start") => {
                let message = event.message.unwrap_or(MessageJson { id: None, model: None, usage: None });
                self.begin(message.id, message.model, events);
                self.count(message.usage, events);
            }
            Some("content_block_start") => {
                if let Some(part) = event.content_block.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
                    self.begin(None, None, events);
                    self.open(at, part, events);
                }
            }
            Some("content_block_delta") => {
                if let Some(delta) = event.delta.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
                    self.begin(None, None, events);
                    self.add(at, delta, events);
                }
            }
            Some("content_block_stop") => self.close(at, events),
            Some("message_delta") => {
                self.begin(None, None, events);
                self.finish(event.delta, events);
                self.count(event.usage, events);
            }
            Some("message_stop") => self.end(events),
            _ => {}
        }
    }

    /// Whether the reply was seen to end.
    pub fn is_complete(&self) -> bool {
        self.progress == Progress::Finished
    }

    fn begin(&mut self, id: Option<Cow<'_, str>>, model: Option<Cow<'_, str>>, events: &mut Vec<Event>) {
        if self.progress == Progress::Nothing {
            self.progress = Progress::Begun;
            events.push(Event::Start { id: id.map(Cow::into_owned), model: model.map(Cow::into_owned) });
        }
    }

    fn open(&mut self, at: u64, part: PartJson<'_>, events: &mut Vec<Event>) {
        let Some(content) = part.content(&mut self.calls, &self.labels) else { return };
        match content {
            Content::Text(text) => say(Delta::Text(text), events),
            Content::Thinking { text, signature } => {
                say(Delta::Thinking(text), events);
                say(Delta::Signature(signature.unwrap_or_default()), events);
            }
            Content::RedactedThinking { data } => say(Delta::RedactedThinking(data), events),
            Content::ToolCall(call) => {
                let index = u32::try_from(self.calls.saturating_sub(1)).unwrap_or(u32::MAX);
                self.open.insert(at, Call { index, unsaid: Some(call.arguments) });
                say(Delta::ToolCall { index, id: call.id, name: call.name, signature: None }, events);
            }
            Content::Image { .. }
            | Content::Document { .. }
            | Content::Audio { .. }
            | Content::ToolResult(_)
            | Content::Refusal(_) => {}
        }
    }

    fn add(&mut self, at: u64, delta: DeltaJson<'_>, events: &mut Vec<Event>) {
        if let Some(text) = delta.text {
            say(Delta::Text(text.into_owned()), events);
        }
        if let Some(text) = delta.thinking {
            say(Delta::Thinking(text.into_owned()), events);
        }
        if let Some(signature) = delta.signature {
            say(Delta::Signature(signature.into_owned()), events);
        }
        // Blocks of Anthropic's own tools stream JSON as well, and are none of ours.
        if let (Some(json), Some(call)) = (delta.partial_json.filter(|json| !json.is_empty()), self.open.get_mut(&at)) {
            call.unsaid = None;
            say(Delta::Arguments { index: call.index, json: json.into_owned() }, events);
        }
    }

    fn close(&mut self, at: u64, events: &mut Vec<Event>) {
        if let Some(Call { index, unsaid: Some(json) }) = self.open.remove(&at) {
            say(Delta::Arguments { index, json }, events);
        }
    }

    fn finish(&mut self, delta: Option<&RawValue>, events: &mut Vec<Event>) {
        let delta = delta.and_then(|raw| serde_json::from_str::<DeltaJson<'_>>(raw.get()).ok());
        let Some(word) = delta.as_ref().and_then(|delta| delta.stop_reason.as_deref()) else { return };
        if self.progress == Progress::Finished {
            return;
        }
        self.progress = Progress::Finished;
        let stop_sequence = delta.as_ref().and_then(|delta| delta.stop_sequence.as_deref()).map(str::to_owned);
        let finish = finish(Some(word), stop_sequence, self.calls > 0);
        events.push(Event::Finish { choice: 0, finish });
    }

    /// The last event. The reason has been told before it, as a rule.
    fn end(&mut self, events: &mut Vec<Event>) {
        if self.progress == Progress::Begun {
            events.push(Event::Finish { choice: 0, finish: finish(None, None, self.calls > 0) });
        }
        self.progress = Progress::Finished;
    }

    fn count(&mut self, usage: Option<&RawValue>, events: &mut Vec<Event>) {
        let Some(raw) = usage else { return };
        self.usage.update(UsageJson::read(raw.get()));
        events.extend(self.usage.usage().map(Event::Usage));
    }
}

fn say(delta: Delta, events: &mut Vec<Event>) {
    let is_nothing = match &delta {
        Delta::Text(text) | Delta::Thinking(text) | Delta::Signature(text) | Delta::Refusal(text) => text.is_empty(),
        Delta::RedactedThinking(_) | Delta::ToolCall { .. } | Delta::Arguments { .. } | Delta::Logprobs(_) => false,
    };
    if !is_nothing {
        events.push(Event::Delta { choice: 0, delta });
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Reader;
    use crate::format::{Frame, Labels};
    use crate::reply::Event;

    /// The events of a stream whose frames are `lines`, and whether it was seen to end.
    fn check(lines: &[&str], expected: Expect) {
        let labels = Labels { request_id: "req-1".to_owned(), model: "asked".to_owned(), created: 0 };
        let (mut reader, mut events) = (Reader::new(&labels), Vec::new());
        for line in lines {
            reader.read(Frame { kind: None, data: line.as_bytes() }, &mut events);
        }
        let mut seen: Vec<_> = events.iter().map(shown).collect();
        seen.push(format!("complete: {}", reader.is_complete()));
        expected.assert_eq(&seen.join("\n"));
    }

    fn shown(event: &Event) -> String {
        match event {
            Event::Failure(failure) => format!("Failure {} {}", failure.kind.label(), failure.message),
            Event::Usage(u) => format!(
                "Usage {}+{} {}/{} {}",
                u.prompt_tokens, u.completion_tokens, u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens
            ),
            event => format!("{event:?}"),
        }
    }

    const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude",
        "content":[],"stop_reason":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":2,"cache_read_input_tokens":10,"output_tokens":1}}}"#;

    #[test]
    fn thoughts_text_and_calls_are_read() {
        check(
            &[
                START,
                r#"{"type":"ping"}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq"}}"#,
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"Em"}}"#,
                r#"{"type":"content_block_stop","index":1}"#,
                r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Let"}}"#,
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"x"}}}"#,
                r#"{"type":"content_block_stop","index":2}"#,
                r#"{"type":"content_block_start","index":3,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
                r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"query\":1}"}}"#,
                r#"{"type":"content_block_stop","index":3}"#,
                r#"{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_1","name":"add","input":{}}}"#,
                r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}}"#,
                r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
                r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"1.0}"}}"#,
                r#"{"type":"content_block_stop","index":4}"#,
                r#"{"type":"content_block_start","index":5,"content_block":{"type":"tool_use","name":"now","input":{}}}"#,
                r#"{"type":"content_block_stop","index":5}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":40,"output_tokens_details":{"thinking_tokens":30}}}"#,
                r#"{"type":"message_stop"}"#,
            ],
            expect![[r#"
                Start { id: Some("msg_1"), model: Some("claude") }
                Usage 15+1 10/2 0
                Delta { choice: 0, delta: Thinking("hm") }
                Delta { choice: 0, delta: Signature("Eq") }
                Delta { choice: 0, delta: RedactedThinking("Em") }
                Delta { choice: 0, delta: Text("Let") }
                Delta { choice: 0, delta: ToolCall { index: 0, id: "toolu_1", name: "add", signature: None } }
                Delta { choice: 0, delta: Arguments { index: 0, json: "{\"a\":" } }
                Delta { choice: 0, delta: Arguments { index: 0, json: "1.0}" } }
                Delta { choice: 0, delta: ToolCall { index: 1, id: "call_req11", name: "now", signature: None } }
                Delta { choice: 0, delta: Arguments { index: 1, json: "{}" } }
                Finish { choice: 0, finish: Finish { reason: ToolCalls, native: Some("tool_use"), stop_sequence: None } }
                Usage 15+40 10/2 30
                complete: true"#]],
        );
    }

    #[test]
    fn a_stream_that_breaks_off_is_not_complete() {
        let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
        check(&[], expect!["complete: false"]);
        check(
            &[text, "", "[DONE]", "garbage", r#"{"type":"news"}"#],
            expect![[r#"
            Start { id: None, model: None }
            Delta { choice: 0, delta: Text("a") }
            complete: false"#]],
        );
        check(
            &[text, r#"{"type":"message_stop"}"#],
            expect![[r#"
            Start { id: None, model: None }
            Delta { choice: 0, delta: Text("a") }
            Finish { choice: 0, finish: Finish { reason: Stop, native: None, stop_sequence: None } }
            complete: true"#]],
        );
        let stop = r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"}}"#;
        check(
            &[text, stop, stop],
            expect![[r#"
            Start { id: None, model: None }
            Delta { choice: 0, delta: Text("a") }
            Finish { choice: 0, finish: Finish { reason: Stop, native: Some("stop_sequence"), stop_sequence: Some("END") } }
            complete: true"#]],
        );
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        check(
            &[text, overloaded, text, stop],
            expect![[r#"
            Start { id: None, model: None }
            Delta { choice: 0, delta: Text("a") }
            Failure overloaded Overloaded
            complete: false"#]],
        );
    }
}

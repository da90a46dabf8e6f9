//! Streams: AWS messages, of which each is an event or an exception.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use weighbridge_domain::failure::Failure;

use super::REPLY_TOOL;
use super::reply::{ModelFieldsJson, UsageJson, finish, redacted};
use crate::failure::in_band;
use crate::format::{Frame, Labels};
use crate::reply::{Delta, Event};

/// Any of the events: their fields have different names.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct EventJson<'a> {
    content_block_index: u32,
    #[serde(borrow)]
    start: Option<StartJson<'a>>,
    #[serde(borrow)]
    delta: Option<DeltaJson<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    additional_model_response_fields: Option<ModelFieldsJson<'a>>,
    usage: Option<UsageJson>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct StartJson<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolUseJson<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ToolUseJson<'a> {
    #[serde(borrow)]
    tool_use_id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    input: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct DeltaJson<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use: Option<ToolUseJson<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<ReasoningJson<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ReasoningJson<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    redacted_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ExceptionJson<'a> {
    #[serde(borrow, alias = "Message")]
    message: Option<Cow<'a, str>>,
    original_status_code: Option<u16>,
}

/// A block that is a call, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    block: u32,
    /// Its place among the calls; none when the tool only stands for the reply.
    call: Option<u32>,
    has_arguments: bool,
}

/// Reads the messages of a stream.
#[derive(Debug)]
pub struct Reader {
    labels: Labels,
    has_begun: bool,
    is_complete: bool,
    is_failed: bool,
    calls: u32,
    is_by_tool: bool,
    open: Vec<Open>,
}

impl Reader {
    /// A reader at the beginning of a stream.
    pub fn new(labels: &Labels) -> Self {
        Self {
            labels: labels.clone(),
            has_begun: false,
            is_complete: false,
            is_failed: false,
            calls: 0,
            is_by_tool: false,
            open: Vec::new(),
        }
    }

    /// What `frame` says. What cannot be read is passed over.
    pub fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        if self.is_failed {
            return;
        }
        let kind = frame.kind.unwrap_or_default();
        let is_event = matches!(
            kind,
            "messageStart"
                | "contentBlockStart"
                | "contentBlockDelta"
                | "contentBlockStop"
                | "messageStop"
                | "metadata"
        );
        if !is_event {
            let failure = failure(kind, frame.data);
            self.is_failed = failure.is_some();
            events.extend(failure.map(|failure| Event::Failure(Box::new(failure))));
            return;
        }
        let Ok(json) = serde_json::from_slice::<EventJson<'_>>(frame.data) else { return };
        if !self.has_begun {
            self.has_begun = true;
            events.push(Event::Start { id: None, model: None });
        }
        match kind {
            "contentBlockStart" => self.start(json, events),
            "contentBlockDelta" => self.delta(json, events),
            "contentBlockStop" => self.stop(json.content_block_index, events),
            "messageStop" => {
                self.is_complete = true;
                let fields = json.additional_model_response_fields;
                let finish = finish(json.stop_reason.as_deref(), fields, self.calls > 0, self.is_by_tool);
                events.push(Event::Finish { choice: 0, finish });
            }
            "metadata" => events.extend(json.usage.map(|usage| Event::Usage(usage.usage()))),
            _ => {}
        }
    }

    /// Whether the reply was seen to end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn start(&mut self, json: EventJson<'_>, events: &mut Vec<Event>) {
        let Some(call) = json.start.and_then(|start| start.tool_use) else { return };
        let block = json.content_block_index;
        if call.name == REPLY_TOOL {
            self.is_by_tool = true;
            self.open.push(Open { block, call: None, has_arguments: false });
            return;
        }
        let index = self.calls;
        let id = match call.tool_use_id {
            id if id.is_empty() => self.labels.call_id(usize::try_from(index).unwrap_or_default()),
            id => id.into_owned(),
        };
        self.calls += 1;
        self.open.push(Open { block, call: Some(index), has_arguments: false });
        events.push(delta(Delta::ToolCall { index, id, name: call.name.into_owned(), signature: None }));
    }

    fn delta(&mut self, json: EventJson<'_>, events: &mut Vec<Event>) {
        let Some(json_delta) = json.delta else { return };
        let full = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(Cow::into_owned);
        if let Some(reasoning) = json_delta.reasoning_content {
            events.extend(full(reasoning.text).map(Delta::Thinking).map(delta));
            events.extend(full(reasoning.signature).map(Delta::Signature).map(delta));
            let data = reasoning.redacted_content.filter(|data| !data.is_empty()).map(redacted);
            events.extend(data.map(Delta::RedactedThinking).map(delta));
        }
        events.extend(full(json_delta.text).map(Delta::Text).map(delta));
        let open = self.open.iter_mut().rev().find(|open| open.block == json.content_block_index);
        if let (Some(json), Some(open)) = (full(json_delta.tool_use.map(|call| call.input)), open) {
            open.has_arguments = true;
            events.push(delta(arguments(open.call, json)));
        }
    }

    /// A call without arguments has none said; others want an empty object.
    fn stop(&mut self, block: u32, events: &mut Vec<Event>) {
        let Some(at) = self.open.iter().rposition(|open| open.block == block) else { return };
        let open = self.open.remove(at);
        if !open.has_arguments {
            events.push(delta(arguments(open.call, "{}".to_owned())));
        }
    }
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn arguments(call: Option<u32>, json: String) -> Delta {
    match call {
        Some(index) => Delta::Arguments { index, json },
        None => Delta::Text(json),
    }
}

/// The failure that an exception is; `None` for an event that is only unknown.
fn failure(kind: &str, data: &[u8]) -> Option<Failure> {
    let json: ExceptionJson<'_> = serde_json::from_slice(data).unwrap_or_default();
    let original = json.original_status_code.filter(|status| (400..600).contains(status));
    let code = match kind {
        "throttlingException" => 429,
        "serviceUnavailableException" | "modelNotReadyException" => 503,
        "validationException" => 400,
        "accessDeniedException" => 403,
        "resourceNotFoundException" => 404,
        "modelTimeoutException" => 408,
        "serviceQuotaExceededException" => 429,
        "modelStreamErrorException" | "modelErrorException" => original.unwrap_or(500),
        _ if json.message.is_some() || kind.ends_with("Exception") => 500,
        _ => return None,
    };
    let message = json.message.as_deref().filter(|message| !message.is_empty()).unwrap_or(kind);
    let error = serde_json::to_string(&ErrorJson { message, code }).unwrap_or_default();
    Some(in_band(&error, Bytes::copy_from_slice(data)))
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    message: &'a str,
    code: u16,
}

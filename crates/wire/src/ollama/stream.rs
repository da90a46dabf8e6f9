//! Streams: a line for each piece.

use super::reply::{ReplyJson, finish};
use crate::format::{Frame, Labels};
use crate::reply::{Delta, Event};

/// Reads the lines of a stream.
#[derive(Debug)]
pub struct Reader {
    labels: Labels,
    has_begun: bool,
    is_complete: bool,
    is_failed: bool,
    calls: usize,
}

impl Reader {
    /// A reader at the beginning of a stream.
    pub fn new(labels: &Labels) -> Self {
        Self { labels: labels.clone(), has_begun: false, is_complete: false, is_failed: false, calls: 0 }
    }

    /// What `frame` says. What cannot be read is passed over.
    pub fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        let Ok(json) = serde_json::from_slice::<ReplyJson>(frame.data) else { return };
        if self.is_failed || self.is_complete {
            return;
        }
        if let Some(failure) = json.failure() {
            self.is_failed = true;
            events.push(Event::Failure(Box::new(failure)));
            return;
        }
        if !self.has_begun {
            self.has_begun = true;
            events.push(Event::Start { id: None, model: json.model.clone() });
        }
        let (usage, logprobs) = (json.usage(), json.openai_logprobs());
        let message = json.message.unwrap_or_default();
        let mut add = |delta| events.push(Event::Delta { choice: 0, delta });
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        full(message.thinking).map(Delta::Thinking).map(&mut add);
        full(message.content).map(Delta::Text).map(&mut add);
        for call in message.tool_calls.unwrap_or_default() {
            let call = call.call(self.calls, &self.labels);
            let index = u32::try_from(self.calls).unwrap_or_default();
            self.calls += 1;
            add(Delta::ToolCall { index, id: call.id, name: call.name, signature: None });
            add(Delta::Arguments { index, json: call.arguments });
        }
        logprobs.map(Delta::Logprobs).map(&mut add);
        if json.done == Some(true) {
            self.is_complete = true;
            events.push(Event::Finish { choice: 0, finish: finish(json.done_reason, self.calls > 0) });
            events.extend(usage.map(Event::Usage));
        }
    }

    /// Whether the reply was seen to end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

//! Streams of `streamGenerateContent`: each frame is a reply of its own that goes on where the last one stopped.

use weighbridge_domain::usage::Usage;

use super::reply::{Candidate, Response, blocked, with_calls};
use crate::chat::{Content, ToolCall};
use crate::format::{Frame, Labels};
use crate::reply::{Delta, Event, Finish};

/// Reads one stream.
#[derive(Debug)]
pub struct Reader {
    labels: Labels,
    has_started: bool,
    has_failed: bool,
    choices: Vec<Progress>,
    calls: usize,
    usage: Option<Usage>,
}

/// How far a choice is.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    place: u32,
    calls: u32,
    is_finished: bool,
}

impl Reader {
    /// One that has read nothing.
    pub fn new(labels: &Labels) -> Self {
        Self {
            labels: labels.clone(),
            has_started: false,
            has_failed: false,
            choices: Vec::new(),
            calls: 0,
            usage: None,
        }
    }

    /// Reads `frame` and says what it adds.
    pub fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        let data = frame.data.trim_ascii();
        if self.has_failed || data.is_empty() || data == b"[DONE]" {
            return;
        }
        match Response::read(data) {
            Ok(response) => self.go_on(response, events),
            Err(failure) => {
                self.has_failed = true;
                events.push(Event::Failure(Box::new(failure)));
            }
        }
    }

    /// Whether every choice that began was seen to end.
    pub fn is_complete(&self) -> bool {
        !self.has_failed && !self.choices.is_empty() && self.choices.iter().all(|choice| choice.is_finished)
    }

    fn go_on(&mut self, mut response: Response<'_>, events: &mut Vec<Event>) {
        if !self.has_started {
            self.has_started = true;
            events.push(Event::Start { id: response.response_id.take(), model: response.model_version.take() });
        }
        let candidates = response.candidates.take().unwrap_or_default();
        let block_reason = response.block_reason().filter(|_| candidates.is_empty() && self.choices.is_empty());
        if let Some(reason) = block_reason {
            let finish = blocked(reason.to_owned());
            self.finish(0, finish, events);
        }
        for candidate in candidates {
            self.candidate(candidate, events);
        }
        let usage = response.usage();
        if usage.is_some() && usage != self.usage {
            self.usage = usage;
            events.extend(usage.map(Event::Usage));
        }
    }

    fn candidate(&mut self, candidate: Candidate, events: &mut Vec<Event>) {
        let choice = candidate.index.unwrap_or(0);
        let (finish, logprobs) = (candidate.finish(), candidate.logprobs());
        self.progress(choice);
        for content in candidate.blocks(&self.labels, &mut self.calls) {
            match content {
                Content::ToolCall(call) => self.call(choice, call, events),
                Content::Thinking { text, .. } => events.push(Event::Delta { choice, delta: Delta::Thinking(text) }),
                Content::Text(text) => events.push(Event::Delta { choice, delta: Delta::Text(text) }),
                // No stream has a place for pictures.
                _ => {}
            }
        }
        events.extend(logprobs.map(|logprobs| Event::Delta { choice, delta: Delta::Logprobs(logprobs) }));
        if let Some(finish) = finish {
            self.finish(choice, finish, events);
        }
    }

    /// A call comes in one piece.
    fn call(&mut self, choice: u32, call: ToolCall, events: &mut Vec<Event>) {
        let progress = self.progress(choice);
        let index = progress.calls;
        progress.calls += 1;
        let ToolCall { id, name, arguments, signature } = call;
        events.push(Event::Delta { choice, delta: Delta::ToolCall { index, id, name, signature } });
        events.push(Event::Delta { choice, delta: Delta::Arguments { index, json: arguments } });
    }

    /// Some models repeat the reason in every frame.
    fn finish(&mut self, choice: u32, finish: Finish, events: &mut Vec<Event>) {
        let progress = self.progress(choice);
        let is_first = !std::mem::replace(&mut progress.is_finished, true);
        let finish = with_calls(finish, progress.calls > 0);
        if is_first {
            events.push(Event::Finish { choice, finish });
        }
    }

    fn progress(&mut self, place: u32) -> &mut Progress {
        let known = self.choices.iter().position(|choice| choice.place == place);
        let at = known.unwrap_or_else(|| {
            self.choices.push(Progress { place, ..Progress::default() });
            self.choices.len() - 1
        });
        // The place was found or made above.
        &mut self.choices[at]
    }
}

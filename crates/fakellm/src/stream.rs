//! A streamed reply as a list of steps: what is sent, when, and where it goes wrong.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;

use crate::event::{Event, Framing};
use crate::script::ProviderScript;

/// One step of an answer's body. Where the list ends, so does the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing happens.
    Wait(Duration),
    /// Bytes go out; with them, so many completion tokens.
    Send(Bytes, u64),
    /// The connection breaks.
    Abort,
    /// Nothing happens any more.
    Silence,
}

/// The events of a stream without faults.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// What comes before the content.
    pub(crate) opening: Vec<Event>,
    /// The content, a token a chunk.
    pub(crate) content: Vec<Chunk>,
    /// What comes after it.
    pub(crate) ending: Vec<Event>,
}

/// A piece of content, and what stands before it.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) events: Vec<Event>,
    /// Completion tokens.
    pub(crate) tokens: u64,
}

impl Chunk {
    /// One event, one token.
    pub(crate) fn token(event: Event) -> Self {
        Self { events: vec![event], tokens: 1 }
    }
}

/// The steps of a streamed reply; `error` is how an error looks in it.
pub(crate) fn steps(
    script: &ProviderScript,
    events: Events,
    framing: Framing,
    error: Event,
    rng: &mut Rng,
) -> Vec<Step> {
    let mut writer = Writer { framing, eol: if script.crlf { "\r\n" } else { "\n" }, sent: 0, steps: Vec::new() };
    let (content, fault) = faulty(script, events.content, error);
    if script.comments {
        writer.send(&[Event::comment("keepalive"), Event::comment("still thinking")]);
    }
    if !script.error_in_200 {
        writer.send(&events.opening);
    }
    for (at, chunk) in content.into_iter().enumerate() {
        let pace = if at == 0 { &script.first_token_ms } else { &script.token_ms };
        writer.steps.push(Step::Wait(pace.draw(rng)));
        writer.chunk(&chunk.events, chunk.tokens);
    }
    match fault {
        None => {
            writer.send(&events.ending);
            writer.close();
        }
        Some(Fault::Then(step)) => writer.steps.push(step),
        Some(Fault::Error(event)) => {
            let number = writer.sent;
            writer.send(&[event.numbered(number)]);
            writer.close();
        }
    }
    let mut steps = writer.steps;
    steps.retain(|step| *step != Step::Wait(Duration::ZERO));
    match script.split_bytes {
        Some(size) => steps.into_iter().flat_map(|step| split(step, size.max(1))).collect(),
        None => steps,
    }
}

struct Writer {
    framing: Framing,
    eol: &'static str,
    /// Events, but for comments.
    sent: usize,
    steps: Vec<Step>,
}

impl Writer {
    /// Each event by itself, without tokens.
    fn send(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.chunk(std::slice::from_ref(event), 0));
    }

    /// Events at once.
    fn chunk(&mut self, events: &[Event], tokens: u64) {
        let mut bytes = Vec::new();
        for event in events {
            bytes.extend(self.framing.write(event, self.sent == 0, self.eol));
            self.sent += usize::from(!event.is_comment());
        }
        if !bytes.is_empty() {
            self.steps.push(Step::Send(bytes.into(), tokens));
        }
    }

    fn close(&mut self) {
        match self.framing.end() {
            "" => {}
            end => self.steps.push(Step::Send(Bytes::from_static(end.as_bytes()), 0)),
        }
    }
}

enum Fault {
    Then(Step),
    Error(Event),
}

/// Cuts the content at the first fault that the script has for it.
fn faulty(script: &ProviderScript, mut content: Vec<Chunk>, error: Event) -> (Vec<Chunk>, Option<Fault>) {
    if script.invalid_json
        && let Some(event) = content.first_mut().and_then(|chunk| chunk.events.pop())
    {
        content = vec![Chunk { events: vec![event.broken()], tokens: 0 }];
    }
    let faults = [
        (script.cut_after_chunks, Fault::Then(Step::Abort)),
        (script.error_frame_after, Fault::Error(error.clone())),
        (script.hang_after_chunks, Fault::Then(Step::Silence)),
        (script.error_in_200.then_some(0), Fault::Error(error)),
    ];
    let first = faults.into_iter().filter_map(|(after, fault)| Some((after?, fault))).min_by_key(|(after, _)| *after);
    let Some((after, fault)) = first else { return (content, None) };
    content.truncate(after);
    (content, Some(fault))
}

/// A step in pieces of `size` bytes; its tokens go with the last.
fn split(step: Step, size: usize) -> Vec<Step> {
    let Step::Send(mut bytes, tokens) = step else { return vec![step] };
    let mut pieces = Vec::new();
    while bytes.len() > size {
        pieces.push(Step::Send(bytes.split_to(size), 0));
    }
    pieces.push(Step::Send(bytes, tokens));
    pieces
}

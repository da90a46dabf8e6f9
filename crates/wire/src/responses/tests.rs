//! Both sides, and what holds between them.

mod read_request;
mod reader;
mod replies;
mod round_trips;
mod write_request;
mod writer;

use bytes::BytesMut;

use super::{Echo, Reader, Writer};
use crate::format::{Frame, Labels};
use crate::reply::{Delta, Event};

fn labels() -> Labels {
    Labels { request_id: "req-1".into(), model: "gpt-5".into(), created: 1_760_000_000 }
}

/// The frames of a stream: what it is marked with, and its data.
fn frames(stream: &str) -> Vec<(&str, &str)> {
    let events = stream.split("\n\n").filter(|event| !event.is_empty());
    events.map(|event| event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap()).collect()
}

/// What frames say, and whether the end was seen.
fn read(frames: &[(&str, &str)]) -> (Vec<Event>, bool) {
    let (mut reader, mut events) = (Reader::new(&labels()), Vec::new());
    for (kind, data) in frames {
        reader.read(Frame { kind: Some(kind), data: data.as_bytes() }, &mut events);
    }
    (events, reader.is_complete())
}

fn write(events: &[Event]) -> String {
    let mut writer = Writer::new(&labels(), Echo::default());
    let mut out = BytesMut::new();
    for event in events {
        writer.write(event, &mut out);
    }
    if !matches!(events.last(), Some(Event::Failure(_))) {
        writer.end(&mut out);
    }
    String::from_utf8(out.to_vec()).unwrap()
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn text(text: &str) -> Event {
    delta(Delta::Text(text.into()))
}

/// An event in few words.
fn summary(event: &Event) -> String {
    match event {
        Event::Start { id, model } => {
            format!("start {} {}", id.as_deref().unwrap_or("-"), model.as_deref().unwrap_or("-"))
        }
        Event::Delta { delta, .. } => format!("{delta:?}"),
        Event::Finish { finish, .. } => {
            format!("finish {:?} {}", finish.reason, finish.native.as_deref().unwrap_or("-"))
        }
        Event::Usage(usage) => format!(
            "usage {}+{} cached {} written {} reasoning {}",
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens
        ),
        Event::Failure(failure) => format!("failure {} {}", failure.kind.label(), failure.message),
    }
}

//! Streamed chat completions and completions, as OpenAI writes them.

use super::reply::{Written, escaped};
use crate::event::Event;
use crate::replies::{ARGUMENTS, Part, Reply};
use crate::stream::{Chunk, Events};

/// The events of a stream.
pub(crate) fn events(reply: &Reply<'_>) -> Events {
    let written = Written::new(reply);
    Events { opening: opening(&written), content: content(&written), ending: ending(&written) }
}

/// What comes before the content.
fn opening(written: &Written<'_>) -> Vec<Event> {
    let reply = written.reply;
    // Azure's first chunk has no choices at all.
    let mut events: Vec<_> = (0..reply.stage.script.empty_first_chunks)
        .map(|at| {
            let choice = choice(written, 0, r#"{"content":""}"#, "\"\"", "null");
            chunk(written, if at == 0 { "" } else { &choice }, None)
        })
        .collect();
    if written.chat {
        let content = if reply.is_call() { "null" } else { "\"\"" };
        let delta = format!(r#"{{"role":"assistant","content":{content},"refusal":null}}"#);
        events.extend((0..reply.ask.n).map(|index| chunk(written, &choice(written, index, &delta, "", "null"), None)));
    }
    events
}

/// The content, one token an event.
fn content(written: &Written<'_>) -> Vec<Chunk> {
    let reply = written.reply;
    let script = &reply.stage.script;
    let running = |sent| (script.usage && script.usage_in_every_chunk).then(|| written.usage(sent));
    let mut chunks = Vec::new();
    for (delta, text) in deltas(reply) {
        for index in 0..reply.ask.n {
            let choice = choice(written, index, &delta, &text, "null");
            let sent = chunks.len() as u64 + 1;
            chunks.push(Chunk::token(chunk(written, &choice, running(sent))));
        }
    }
    chunks
}

/// What each token says in a chat, and in a completion; as JSON.
fn deltas(reply: &Reply<'_>) -> Vec<(String, String)> {
    let (mut deltas, mut call) = (Vec::new(), 0);
    for part in &reply.parts {
        match part {
            Part::Thought(pieces) => deltas.extend(
                pieces
                    .iter()
                    .map(|piece| (format!(r#"{{"reasoning_content":"{}"}}"#, escaped(piece)), "\"\"".to_owned())),
            ),
            Part::Text(pieces) => deltas.extend(pieces.iter().map(|piece| {
                let piece = escaped(piece);
                (format!(r#"{{"content":"{piece}"}}"#), format!("\"{piece}\""))
            })),
            Part::Call { id, name } => {
                let pieces = ARGUMENTS.iter().enumerate();
                deltas.extend(pieces.map(|(at, piece)| (call_delta(call, (id, name), at, piece), String::new())));
                call += 1;
            }
        }
    }
    deltas
}

fn call_delta(index: usize, (id, name): (&str, &str), at: usize, piece: &str) -> String {
    let head = match at {
        0 => format!(r#""id":"{id}","type":"function","function":{{"name":"{}","#, escaped(name)),
        _ => r#""function":{"#.to_owned(),
    };
    format!(r#"{{"tool_calls":[{{"index":{index},{head}"arguments":"{}"}}}}]}}"#, escaped(piece))
}

/// What comes after the content.
fn ending(written: &Written<'_>) -> Vec<Event> {
    let reply = written.reply;
    let script = &reply.stage.script;
    let finish = format!("\"{}\"", written.finish());
    let mut events: Vec<_> =
        (0..reply.ask.n).map(|index| chunk(written, &choice(written, index, "{}", "\"\"", &finish), None)).collect();
    if reply.ask.include_usage && script.usage {
        events.push(chunk(written, "", Some(written.usage(reply.completion()))));
    }
    if !script.no_done {
        events.push(Event::data("[DONE]"));
    }
    events
}

/// A choice: `delta` for a chat, `text` for a completion, both JSON.
fn choice(written: &Written<'_>, index: u64, delta: &str, text: &str, finish: &str) -> String {
    let (name, piece) = if written.chat { ("delta", delta) } else { ("text", text) };
    format!(r#"{{"index":{index},"{name}":{piece},"logprobs":null,"finish_reason":{finish}}}"#)
}

/// A chunk. One without usage of its own says so if the client asked for usage.
fn chunk(written: &Written<'_>, choices: &str, usage: Option<String>) -> Event {
    let opening = written.opening(".chunk");
    let usage = match usage {
        Some(usage) => format!(r#","usage":{usage}"#),
        None if written.reply.ask.include_usage => r#","usage":null"#.to_owned(),
        None => String::new(),
    };
    Event::data(format!(r#"{opening},"choices":[{choices}]{usage}}}"#))
}

//! A streamed reply as a list of steps: what is sent, when, and where it goes wrong.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;

use crate::refusal::mid_answer_error;
use crate::replies::{ARGUMENTS, Reply};
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

/// One event of a clean stream.
struct Frame {
    text: String,
    tokens: u64,
}

/// The steps of a streamed reply.
pub(crate) fn steps(reply: &Reply<'_>, rng: &mut Rng) -> Vec<Step> {
    let script = &reply.stage.script;
    let (opening, content, mut ending) = (opening(reply), content(reply), ending(reply));
    let (content, fault) = faulty(script, content);
    let mut frames: Vec<Step> = opening.into_iter().map(|text| frame(script, text, 0)).collect();
    for (at, piece) in content.into_iter().enumerate() {
        let pace = if at == 0 { &script.first_token_ms } else { &script.token_ms };
        frames.push(Step::Wait(pace.draw(rng)));
        frames.push(frame(script, piece.text, piece.tokens));
    }
    match fault {
        None => frames.extend(ending.drain(..).map(|text| frame(script, text, 0))),
        Some(Fault::Then(step)) => frames.push(step),
        Some(Fault::Error) => frames.push(frame(script, format!("data: {}", mid_answer_error()), 0)),
    }
    frames.retain(|step| *step != Step::Wait(Duration::ZERO));
    match script.split_bytes {
        Some(size) => frames.into_iter().flat_map(|step| split(step, size.max(1))).collect(),
        None => frames,
    }
}

enum Fault {
    Then(Step),
    Error,
}

/// Cuts the content at the first fault that the script has for it.
fn faulty(script: &ProviderScript, mut content: Vec<Frame>) -> (Vec<Frame>, Option<Fault>) {
    let faults = [
        (script.cut_after_chunks, Fault::Then(Step::Abort)),
        (script.error_frame_after, Fault::Error),
        (script.hang_after_chunks, Fault::Then(Step::Silence)),
        (script.error_in_200.then_some(0), Fault::Error),
    ];
    let first = faults.into_iter().filter_map(|(after, fault)| Some((after?, fault))).min_by_key(|(after, _)| *after);
    let Some((after, fault)) = first else { return (content, None) };
    content.truncate(after);
    (content, Some(fault))
}

/// What comes before the content.
fn opening(reply: &Reply<'_>) -> Vec<String> {
    let script = &reply.stage.script;
    let mut frames = Vec::new();
    if script.comments {
        frames.extend([": keepalive".to_owned(), ": still thinking".to_owned()]);
    }
    if script.error_in_200 {
        return frames;
    }
    // Azure's first chunk has no choices at all.
    frames.extend((0..script.empty_first_chunks).map(|at| {
        let choice = choice(reply, 0, r#"{"content":""}"#, "\"\"", "null");
        chunk(reply, if at == 0 { "" } else { &choice }, None)
    }));
    if reply.chat {
        let content = if reply.tool.is_some() { "null" } else { "\"\"" };
        let delta = format!(r#"{{"role":"assistant","content":{content},"refusal":null}}"#);
        frames.extend((0..reply.ask.n).map(|index| chunk(reply, &choice(reply, index, &delta, "", "null"), None)));
    }
    frames
}

/// The content, one token a frame.
fn content(reply: &Reply<'_>) -> Vec<Frame> {
    let script = &reply.stage.script;
    if script.invalid_json {
        return vec![Frame { text: format!("data: {},", reply.opening(".chunk")), tokens: 0 }];
    }
    let running = |sent| (script.usage && script.usage_in_every_chunk).then(|| reply.usage(sent));
    let n = reply.ask.n;
    let pieces: Vec<(String, &str)> = match &reply.tool {
        Some(tool) => ARGUMENTS.iter().enumerate().map(|(at, part)| (call_delta(reply, tool, at, part), "")).collect(),
        None => {
            let words = reply.stage.words.pieces(reply.length);
            words.map(|word| (format!(r#"{{"content":"{word}"}}"#), word)).collect()
        }
    };
    let mut frames = Vec::with_capacity(pieces.len());
    for (delta, word) in &pieces {
        for index in 0..n {
            let choice = choice(reply, index, delta, &format!("\"{word}\""), "null");
            let sent = frames.len() as u64 + 1;
            frames.push(Frame { text: chunk(reply, &choice, running(sent)), tokens: 1 });
        }
    }
    frames
}

fn call_delta(reply: &Reply<'_>, tool: &str, at: usize, part: &str) -> String {
    let head = match at {
        0 => format!(r#""id":"{}","type":"function","function":{{"name":{tool},"#, reply.call_id()),
        _ => r#""function":{"#.to_owned(),
    };
    format!(r#"{{"tool_calls":[{{"index":0,{head}"arguments":"{part}"}}}}]}}"#)
}

/// What comes after the content.
fn ending(reply: &Reply<'_>) -> Vec<String> {
    let script = &reply.stage.script;
    let finish = format!("\"{}\"", reply.finish);
    let mut frames: Vec<String> =
        (0..reply.ask.n).map(|index| chunk(reply, &choice(reply, index, "{}", "\"\"", &finish), None)).collect();
    if reply.ask.include_usage && script.usage {
        frames.push(chunk(reply, "", Some(reply.usage(reply.completion()))));
    }
    if !script.no_done {
        frames.push("data: [DONE]".to_owned());
    }
    frames
}

/// A choice: `delta` for a chat, `text` for a completion, both JSON.
fn choice(reply: &Reply<'_>, index: u64, delta: &str, text: &str, finish: &str) -> String {
    let (name, piece) = if reply.chat { ("delta", delta) } else { ("text", text) };
    format!(r#"{{"index":{index},"{name}":{piece},"logprobs":null,"finish_reason":{finish}}}"#)
}

/// A chunk. One without usage of its own says so if the client asked for usage.
fn chunk(reply: &Reply<'_>, choices: &str, usage: Option<String>) -> String {
    let opening = reply.opening(".chunk");
    let usage = match usage {
        Some(usage) => format!(r#","usage":{usage}"#),
        None if reply.ask.include_usage => r#","usage":null"#.to_owned(),
        None => String::new(),
    };
    format!(r#"data: {opening},"choices":[{choices}]{usage}}}"#)
}

/// An event, with its blank line.
fn frame(script: &ProviderScript, mut text: String, tokens: u64) -> Step {
    text.push_str(if script.crlf { "\r\n\r\n" } else { "\n\n" });
    Step::Send(text.into(), tokens)
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

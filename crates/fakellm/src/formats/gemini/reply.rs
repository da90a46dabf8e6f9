//! Replies of Gemini, whole and streamed.

use serde_json::{Value, json};

use super::embeddings::embeddings;
use crate::event::Event;
use crate::formats::shared::{SIGNATURE, json_body, text};
use crate::replies::{Finish, Part, Reply};
use crate::stream::{Chunk, Events};
use crate::target::{Operation, Target};

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>, target: Target<'_>) -> (Vec<u8>, &'static str) {
    let body = match reply.operation {
        Operation::CountTokens => json!({"totalTokens": reply.ask.prompt}),
        Operation::Embeddings => embeddings(reply.ask, target.verb),
        _ => {
            let mut parts: Vec<_> = reply.parts.iter().map(|part| self::part(part, &said(part))).collect();
            sign(reply, &mut parts);
            response(reply, &parts, true, reply.completion())
        }
    };
    json_body(&body)
}

/// The events of a stream: calls come whole, and so every chunk is a response of its own.
pub(crate) fn events(reply: &Reply<'_>) -> Events {
    let empty = || Event::data(response(reply, &[json!({"text": ""})], false, 0).to_string());
    let opening = (0..reply.stage.script.empty_first_chunks).map(|_| empty()).collect();
    let mut pieces: Vec<(Value, u64)> = Vec::new();
    for part in &reply.parts {
        match part {
            Part::Thought(words) | Part::Text(words) => {
                pieces.extend(words.iter().map(|word| (self::part(part, word), 1)));
            }
            Part::Call { .. } => pieces.push((self::part(part, ""), part.tokens())),
        }
    }
    let mut parts: Vec<_> = pieces.iter().map(|(part, _)| part.clone()).collect();
    sign(reply, &mut parts);
    let (mut content, mut sent) = (Vec::new(), 0);
    let count = parts.len();
    for (at, (part, (_, tokens))) in parts.into_iter().zip(pieces).enumerate() {
        sent += tokens * reply.ask.n;
        let event = Event::data(response(reply, &[part], at + 1 == count, sent).to_string());
        content.push(Chunk { events: vec![event], tokens: tokens * reply.ask.n });
    }
    // A reply of no tokens ends all the same.
    let ending = if count == 0 { vec![Event::data(response(reply, &[], true, 0).to_string())] } else { Vec::new() };
    Events { opening, content, ending }
}

fn said(part: &Part<'_>) -> String {
    match part {
        Part::Thought(pieces) | Part::Text(pieces) => text(pieces),
        Part::Call { .. } => String::new(),
    }
}

fn part(part: &Part<'_>, said: &str) -> Value {
    match part {
        Part::Thought(_) => json!({"text": said, "thought": true}),
        Part::Text(_) => json!({"text": said}),
        Part::Call { name, .. } => json!({"functionCall": {"name": name, "args": {"load": 1}}}),
    }
}

/// Thoughts leave a signature: at the first call, or at the end of the text.
fn sign(reply: &Reply<'_>, parts: &mut [Value]) {
    let thinks = reply.stage.script.thinking || reply.ask.model.starts_with("gemini-3");
    let call = parts.iter().position(|part| part.get("functionCall").is_some());
    let place = call.unwrap_or(parts.len().saturating_sub(1));
    if let Some(part) = parts.get_mut(place).filter(|_| thinks) {
        part["thoughtSignature"] = json!(SIGNATURE);
    }
}

fn response(reply: &Reply<'_>, parts: &[Value], last: bool, completion: u64) -> Value {
    let candidate = |index: u64| {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
        if last {
            candidate["finishReason"] = json!(finish_reason(reply));
        }
        candidate
    };
    let candidates: Vec<_> = (0..reply.ask.n).map(candidate).collect();
    let mut body = json!({
        "candidates": candidates,
        "modelVersion": reply.ask.model,
        "responseId": format!("resp-{:012x}", reply.number),
    });
    if reply.stage.script.usage {
        body["usageMetadata"] = usage(reply, completion);
    }
    body
}

fn finish_reason(reply: &Reply<'_>) -> &'static str {
    match reply.finish {
        // Calls are no reason of their own.
        Finish::Stop | Finish::Calls => "STOP",
        Finish::Length => "MAX_TOKENS",
    }
}

/// Usage after `completion` tokens. Thoughts are counted apart.
fn usage(reply: &Reply<'_>, completion: u64) -> Value {
    let (prompt, cached) = (reply.ask.prompt, reply.cached());
    let thoughts = reply.reasoning().min(completion);
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": completion - thoughts,
        "totalTokenCount": prompt + completion,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    });
    if thoughts > 0 {
        usage["thoughtsTokenCount"] = json!(thoughts);
    }
    if cached > 0 {
        usage["cachedContentTokenCount"] = json!(cached);
    }
    usage
}

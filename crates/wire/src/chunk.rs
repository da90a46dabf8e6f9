//! What one event of a stream means.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::usage::Usage;

use crate::failure::in_band;
use crate::lines;
use crate::reply::{Delta, Event};
use crate::usage::UsageJson;

/// What one event means.
pub(crate) enum Meaning {
    /// A comment, a heartbeat, something unknown: passed on and forgotten.
    Nothing,
    /// `[DONE]`.
    Done,
    /// The provider's error.
    Failure(Box<Failure>),
    /// A chunk of a completion.
    Chunk(Chunk),
}

/// A chunk of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Completion tokens in it, by estimate; at least one where there is content.
    pub(crate) tokens: u32,
    /// Whether it gives a reason to finish.
    pub(crate) is_finish: bool,
    /// What it reports as used.
    pub(crate) usage: Option<Usage>,
    /// Whether it holds usage and no choice.
    pub(crate) is_only_usage: bool,
}

/// Characters a token has, about.
const CHARS_PER_TOKEN: usize = 4;

impl Meaning {
    /// What the `events` that one event was read as mean together.
    pub(crate) fn of(events: Vec<Event>) -> Self {
        let mut chunk = Chunk { tokens: 0, is_finish: false, usage: None, is_only_usage: false };
        if events.is_empty() {
            return Self::Nothing;
        }
        for event in events {
            match event {
                Event::Start { .. } => {}
                Event::Delta { delta, .. } => chunk.tokens = chunk.tokens.saturating_add(tokens(&delta)),
                Event::Finish { .. } => chunk.is_finish = true,
                Event::Usage(usage) => chunk.usage = Some(usage),
                Event::Failure(failure) => return Self::Failure(failure),
            }
        }
        Self::Chunk(chunk)
    }
}

/// Completion tokens in `delta`, by estimate.
pub(crate) fn tokens(delta: &Delta) -> u32 {
    let length = match delta {
        Delta::Text(text) | Delta::Thinking(text) | Delta::Refusal(text) => text.len(),
        Delta::Arguments { json, .. } => json.len(),
        Delta::ToolCall { name, .. } => name.len(),
        Delta::RedactedThinking(data) => data.len(),
        Delta::Signature(_) | Delta::Logprobs(_) => 0,
    };
    u32::try_from(length.div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX)
}

/// What `event` (its lines, blank line included) means.
pub(crate) fn meaning(event: &[u8]) -> Meaning {
    let data = lines::read(event).data;
    let data = data.trim_ascii();
    if data.is_empty() {
        return Meaning::Nothing;
    }
    if data == b"[DONE]" {
        return Meaning::Done;
    }
    let Ok(json) = serde_json::from_slice::<ChunkJson<'_>>(data) else { return Meaning::Nothing };
    if let Some(error) = json.error.filter(|error| error.get() != "null") {
        let body = format!("{{\"error\":{}}}", error.get());
        return Meaning::Failure(Box::new(in_band(&body, Bytes::from(body.clone()))));
    }
    let usage = json.usage.or(json.x_groq.and_then(|groq| groq.usage)).and_then(|usage| usage.usage());
    let choices = json.choices.unwrap_or_default();
    Meaning::Chunk(Chunk {
        tokens: choices.iter().map(ChoiceJson::tokens).fold(0, u32::saturating_add),
        is_finish: choices.iter().any(|choice| choice.finish_reason.is_some()),
        usage,
        is_only_usage: usage.is_some() && choices.is_empty(),
    })
}

#[derive(Deserialize)]
struct ChunkJson<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<ChoiceJson<'a>>>,
    #[serde(default)]
    usage: Option<UsageJson>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    x_groq: Option<GroqJson>,
}

#[derive(Deserialize)]
struct GroqJson {
    #[serde(default)]
    usage: Option<UsageJson>,
}

#[derive(Deserialize)]
struct ChoiceJson<'a> {
    #[serde(borrow, default)]
    delta: Option<DeltaJson<'a>>,
    /// Of `/completions`.
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(default)]
    finish_reason: Option<IgnoredAny>,
}

/// The parts of a delta that are content. Raw, because only their length matters.
#[derive(Deserialize)]
struct DeltaJson<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
}

impl ChoiceJson<'_> {
    fn tokens(&self) -> u32 {
        let delta = self.delta.as_ref().map_or([None; 7], |delta| {
            [
                delta.content,
                delta.reasoning_content,
                delta.reasoning,
                delta.tool_calls,
                delta.function_call,
                delta.refusal,
                delta.audio,
            ]
        });
        let parts = delta.into_iter().chain([self.text]).flatten().map(RawValue::get);
        let is_empty = |raw: &&str| matches!(*raw, "null" | "\"\"" | "[]" | "{}");
        let tokens = |raw: &str| u32::try_from((raw.len() - 2).div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX);
        parts.filter(|raw| !is_empty(raw)).map(tokens).fold(0, u32::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, meaning};

    fn check(event: &str, expected: &str) {
        let seen = match meaning(event.as_bytes()) {
            Meaning::Nothing => "nothing".to_owned(),
            Meaning::Done => "done".to_owned(),
            Meaning::Failure(failure) => failure.kind.label().to_owned(),
            Meaning::Chunk(chunk) => {
                let usage = chunk.usage.map_or(0, |usage| usage.total_tokens());
                format!("{} finish={} usage={usage} only={}", chunk.tokens, chunk.is_finish, chunk.is_only_usage)
            }
        };
        assert_eq!(seen, expected, "{event}");
    }

    #[test]
    fn events_mean_what_they_hold() {
        check(": ping\n\n", "nothing");
        check("\n", "nothing");
        check("data: not json\n\n", "nothing");
        check("data:[DONE]\r\n\r\n", "done");
        check(
            r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
            "0 finish=false usage=0 only=false",
        );
        check(r#"data: {"choices":[{"delta":{"content":"x"}}]}"#, "1 finish=false usage=0 only=false");
        check(r#"data: {"choices":[{"delta":{"content":"twelve chars"}}]}"#, "3 finish=false usage=0 only=false");
        check(r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, "3 finish=false usage=0 only=false");
        check(r#"data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}"#, "1 finish=false usage=0 only=false");
        check(r#"data: {"choices":[{"text":"hm"}]}"#, "1 finish=false usage=0 only=false");
        check(r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#, "0 finish=true usage=0 only=false");
        check(r#"data: {"choices":[{"delta":{},"finish_reason":null}]}"#, "0 finish=false usage=0 only=false");
        check(r#"data: {"choices":[],"usage":{"prompt_tokens":1}}"#, "0 finish=false usage=1 only=true");
        check(r#"data: {"choices":[],"usage":null}"#, "0 finish=false usage=0 only=false");
        check(r#"data: {"choices":[],"x_groq":{"usage":{"total_tokens":4}}}"#, "0 finish=false usage=4 only=true");
        check(r#"data: {"error":{"message":"x","code":429}}"#, "rate_limited");
        check(r#"data: {"error":null,"choices":[]}"#, "0 finish=false usage=0 only=false");
        check("event: error\ndata: {\"error\":{\"type\":\"overloaded_error\"}}\n\n", "overloaded");
        check("data: {\"choices\":\ndata: []}\n\n", "0 finish=false usage=0 only=false");
    }
}

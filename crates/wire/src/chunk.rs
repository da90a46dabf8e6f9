//! What one event of a stream means.

use bytes::Bytes;
use serde::Deserialize;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::json::{Cursor, Expected};
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
    let Some(parts) = std::str::from_utf8(data).ok().and_then(Parts::read) else { return Meaning::Nothing };
    if let Some(error) = parts.error {
        let body = format!("{{\"error\":{error}}}");
        return Meaning::Failure(Box::new(in_band(&body, Bytes::from(body.clone()))));
    }
    let usage = parts.usage.and_then(reported).or_else(|| parts.groq.and_then(reported_by_groq));
    Meaning::Chunk(Chunk {
        tokens: parts.tokens,
        is_finish: parts.is_finish,
        usage,
        is_only_usage: usage.is_some() && !parts.has_choice,
    })
}

/// What is of interest in a chunk. Read without building anything of it: there is one for every token of every stream,
/// and of its content only the length matters.
#[derive(Default)]
struct Parts<'a> {
    has_choice: bool,
    tokens: u32,
    is_finish: bool,
    usage: Option<&'a str>,
    error: Option<&'a str>,
    groq: Option<&'a str>,
}

/// The parts of a delta that are content.
const CONTENT: [&str; 7] =
    ["content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "audio"];

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (mut parts, mut cursor) = (Self::default(), Cursor::new(text));
        let passed = cursor.object(|cursor, key| match key.text {
            "choices" if cursor.is_array() => cursor.array(|cursor| parts.choice(cursor)),
            _ => {
                let value = cursor.value()?;
                let said = Some(value).filter(|value| *value != "null");
                match key.text {
                    "usage" => parts.usage = said,
                    "error" => parts.error = said,
                    "x_groq" => parts.groq = said,
                    _ => {}
                }
                Ok(())
            }
        });
        passed.and_then(|()| cursor.end()).ok().map(|()| parts)
    }

    fn choice(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Expected> {
        self.has_choice = true;
        cursor.object(|cursor, key| match key.text {
            "delta" if cursor.is_object() => cursor.object(|cursor, key| {
                let value = cursor.value()?;
                if CONTENT.contains(&key.text) {
                    self.count(value);
                }
                Ok(())
            }),
            // Of `/completions`.
            "text" => cursor.value().map(|value| self.count(value)),
            "finish_reason" => cursor.value().map(|value| self.is_finish |= value != "null"),
            _ => cursor.value().map(drop),
        })
    }

    fn count(&mut self, content: &str) {
        if !matches!(content, "null" | "\"\"" | "[]" | "{}") {
            // Without quotation marks or brackets.
            let tokens = content.len().saturating_sub(2).div_ceil(CHARS_PER_TOKEN);
            self.tokens = self.tokens.saturating_add(u32::try_from(tokens).unwrap_or(u32::MAX));
        }
    }
}

fn reported(usage: &str) -> Option<Usage> {
    serde_json::from_str::<UsageJson>(usage).ok()?.usage()
}

fn reported_by_groq(extension: &str) -> Option<Usage> {
    #[derive(Deserialize)]
    struct GroqJson {
        usage: Option<UsageJson>,
    }
    serde_json::from_str::<GroqJson>(extension).ok()?.usage?.usage()
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

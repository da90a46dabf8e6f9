//! Token counts, which leave out of the input what the cache held, and the words for the end of a reply.

use serde::{Deserialize, Serialize};
use weighbridge_domain::usage::Usage;

use crate::reply::{Finish, FinishReason};

/// `usage` as it is read. In streams the counts are of all so far, and may be told in parts.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct UsageJson {
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    cache_creation_input_tokens: Option<u32>,
    cache_read_input_tokens: Option<u32>,
    output_tokens_details: Option<DetailsJson>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct DetailsJson {
    thinking_tokens: Option<u32>,
}

/// `usage` as it is written.
#[derive(Debug, Serialize)]
pub(super) struct UsageOut {
    input_tokens: u32,
    cache_creation_input_tokens: u32,
    cache_read_input_tokens: u32,
    output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<DetailsOut>,
}

#[derive(Debug, Serialize)]
struct DetailsOut {
    thinking_tokens: u32,
}

impl UsageJson {
    /// The counts of `raw`; odd ones must not fail a good reply.
    pub(super) fn read(raw: &str) -> Self {
        serde_json::from_str(raw).unwrap_or_default()
    }

    /// Takes over what `newer` says.
    pub(super) fn update(&mut self, newer: Self) {
        self.input_tokens = newer.input_tokens.max(self.input_tokens);
        self.output_tokens = newer.output_tokens.max(self.output_tokens);
        self.cache_creation_input_tokens = newer.cache_creation_input_tokens.max(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = newer.cache_read_input_tokens.max(self.cache_read_input_tokens);
        self.output_tokens_details = newer.output_tokens_details.or(self.output_tokens_details);
    }

    /// The counts; `None` when there are none at all.
    pub(super) fn usage(&self) -> Option<Usage> {
        let cache_read_tokens = self.cache_read_input_tokens.unwrap_or(0);
        let cache_write_tokens = self.cache_creation_input_tokens.unwrap_or(0);
        let fresh = self.input_tokens.unwrap_or(0);
        let usage = Usage {
            prompt_tokens: fresh.saturating_add(cache_read_tokens).saturating_add(cache_write_tokens),
            completion_tokens: self.output_tokens.unwrap_or(0),
            cache_read_tokens,
            cache_write_tokens,
            reasoning_tokens: self.output_tokens_details.unwrap_or_default().thinking_tokens.unwrap_or(0),
        };
        (usage.total_tokens() > 0).then_some(usage)
    }
}

impl UsageOut {
    pub(super) fn of(usage: &Usage) -> Self {
        let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
        let thinking_tokens = usage.reasoning_tokens;
        Self {
            input_tokens: usage.prompt_tokens.saturating_sub(cached),
            cache_creation_input_tokens: usage.cache_write_tokens,
            cache_read_input_tokens: usage.cache_read_tokens,
            output_tokens: usage.completion_tokens,
            output_tokens_details: (thinking_tokens > 0).then_some(DetailsOut { thinking_tokens }),
        }
    }
}

/// The end that `word` is. A reply with calls ends for them, whatever the word.
pub(super) fn finish(word: Option<&str>, stop_sequence: Option<String>, has_calls: bool) -> Finish {
    let reason = match word.map_or(FinishReason::Stop, reason) {
        FinishReason::Stop if has_calls => FinishReason::ToolCalls,
        reason => reason,
    };
    Finish { reason, native: word.map(str::to_owned), stop_sequence }
}

fn reason(word: &str) -> FinishReason {
    match word {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        // `pause_turn` is of tools that Anthropic runs.
        _ => FinishReason::Stop,
    }
}

/// The word for `finish`: the provider's own if that is one of Anthropic's and says the same.
pub(super) fn word(finish: &Finish) -> &'static str {
    const WORDS: [&str; 6] =
        ["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "model_context_window_exceeded"];
    let native = finish.native.as_deref();
    if let Some(word) = WORDS.into_iter().find(|word| Some(*word) == native && reason(word) == finish.reason) {
        return word;
    }
    match finish.reason {
        FinishReason::Stop if finish.stop_sequence.is_some() => "stop_sequence",
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
    }
}

#[cfg(test)]
mod tests {
    use super::{UsageJson, UsageOut, finish, word};
    use crate::reply::{Finish, FinishReason};

    #[test]
    fn input_has_the_cache_apart() {
        let rows = [
            (r#"{"input_tokens":3,"output_tokens":4}"#, "3+4 0/0 0"),
            (
                r#"{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":4}"#,
                "123+4 100/20 0",
            ),
            (r#"{"input_tokens":3,"output_tokens":40,"output_tokens_details":{"thinking_tokens":30}}"#, "3+40 0/0 30"),
            (r#"{"input_tokens":3,"cache_read_input_tokens":null,"output_tokens":4}"#, "3+4 0/0 0"),
            (r#"{}"#, "none"),
            (r#""odd""#, "none"),
        ];
        for (text, expected) in rows {
            let usage = UsageJson::read(text).usage();
            let seen = usage.map_or("none".to_owned(), |u| {
                let cache = format!("{}/{}", u.cache_read_tokens, u.cache_write_tokens);
                format!("{}+{} {cache} {}", u.prompt_tokens, u.completion_tokens, u.reasoning_tokens)
            });
            assert_eq!(seen, expected, "{text}");
            if let Some(usage) = usage {
                let written = serde_json::to_string(&UsageOut::of(&usage)).unwrap();
                assert_eq!(UsageJson::read(&written).usage(), Some(usage), "{written}");
            }
        }
    }

    #[test]
    fn ends_have_their_words() {
        let rows = [
            (Some("end_turn"), false, FinishReason::Stop, "end_turn"),
            (Some("end_turn"), true, FinishReason::ToolCalls, "tool_use"),
            (Some("stop_sequence"), false, FinishReason::Stop, "stop_sequence"),
            (Some("max_tokens"), true, FinishReason::Length, "max_tokens"),
            (Some("model_context_window_exceeded"), false, FinishReason::Length, "model_context_window_exceeded"),
            (Some("tool_use"), true, FinishReason::ToolCalls, "tool_use"),
            (Some("refusal"), false, FinishReason::ContentFilter, "refusal"),
            (Some("pause_turn"), false, FinishReason::Stop, "end_turn"),
            (Some("news"), false, FinishReason::Stop, "end_turn"),
            (None, false, FinishReason::Stop, "end_turn"),
        ];
        for (native, has_calls, reason, expected) in rows {
            let seen = finish(native, None, has_calls);
            assert_eq!((seen.reason, word(&seen)), (reason, expected), "{native:?}");
        }
        let met = Finish { stop_sequence: Some("END".to_owned()), ..Finish::of(FinishReason::Stop) };
        assert_eq!(word(&met), "stop_sequence");
    }
}

//! Token counts, wherever and under whatever name a provider puts them.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, Visitor};
use weighbridge_domain::usage::Usage;

/// A `usage` object as providers write it. `OpenAI`'s names first; the others are `Anthropic`'s,
/// `DeepSeek`'s and those of the responses API.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UsageJson {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    input_tokens: Count,
    output_tokens: Count,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
    output_tokens_details: Option<Details>,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    prompt_cache_hit_tokens: Count,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Count,
    cache_write_tokens: Count,
    reasoning_tokens: Count,
}

/// A count that tolerates null, fractions and text: an odd `usage` must not fail a good reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

impl UsageJson {
    /// The counts; `None` when there are none at all.
    pub(crate) fn usage(&self) -> Option<Usage> {
        // Anthropic's count leaves out what the cache was read or written for.
        let beside = if self.prompt_tokens.0 == 0 && self.input_tokens_details.is_none() {
            self.cache_read_input_tokens.0.saturating_add(self.cache_creation_input_tokens.0)
        } else {
            0
        };
        let prompt = self.prompt_tokens.or(self.input_tokens).saturating_add(beside);
        let total = self.total_tokens.0;
        let read = self.prompt_tokens_details.or(self.input_tokens_details).unwrap_or_default();
        let written = self.completion_tokens_details.or(self.output_tokens_details).unwrap_or_default();
        let usage = Usage {
            // Embeddings and rerankers report the total only.
            prompt_tokens: if prompt == 0 { total.saturating_sub(self.completion_tokens.0) } else { prompt },
            completion_tokens: self.completion_tokens.or(self.output_tokens),
            cache_read_tokens: read.cached_tokens.or(self.cache_read_input_tokens).max(self.prompt_cache_hit_tokens.0),
            cache_write_tokens: read.cache_write_tokens.or(self.cache_creation_input_tokens),
            reasoning_tokens: written.reasoning_tokens.0,
        };
        (usage.total_tokens() > 0).then_some(usage)
    }
}

impl Count {
    /// This count, or `other` when it is none.
    pub(crate) fn or(self, other: Self) -> u32 {
        if self.0 == 0 { other.0 } else { self.0 }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;
        impl<'de> Visitor<'de> for AnyNumber {
            type Value = Count;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a count")
            }

            fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
                Ok(Count(u32::try_from(count).unwrap_or(u32::MAX)))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Count, E> {
                Ok(Count(0))
            }

            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
            fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
                Ok(Count(count as u32))
            }

            fn visit_str<E>(self, text: &str) -> Result<Count, E> {
                Ok(Count(text.parse().unwrap_or_default()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
                Ok(Count(0))
            }

            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count(0))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Count(0))
            }
        }
        deserializer.deserialize_any(AnyNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::UsageJson;

    #[test]
    fn every_dialect_is_understood() {
        let rows = [
            (r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#, "3+4 0/0 0"),
            (r#"{"input_tokens":3,"output_tokens":4}"#, "3+4 0/0 0"),
            (r#"{"total_tokens":9}"#, "9+0 0/0 0"),
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":2}}"#,
                "9+5 6/0 2",
            ),
            (r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":8,"completion_tokens":1}"#, "9+1 8/0 0"),
            (r#"{"input_tokens":9,"cache_read_input_tokens":4,"cache_creation_input_tokens":2}"#, "15+0 4/2 0"),
            (
                r#"{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":3},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":6},"total_tokens":17}"#,
                "9+8 4/3 6",
            ),
            (r#"{"prompt_tokens":9,"cache_creation_input_tokens":2}"#, "9+0 0/2 0"),
            (
                r#"{"input_tokens":9,"output_tokens":5,"input_tokens_details":{"cached_tokens":6},"output_tokens_details":{"reasoning_tokens":2}}"#,
                "9+5 6/0 2",
            ),
            (r#"{"prompt_tokens":"12","completion_tokens":2.0,"prompt_tokens_details":null}"#, "12+2 0/0 0"),
            (r#"{"prompt_tokens":null}"#, "none"),
        ];
        for (text, expected) in rows {
            let usage = serde_json::from_str::<UsageJson>(text).unwrap().usage();
            let seen = usage.map_or("none".to_owned(), |u| {
                let cache = format!("{}/{}", u.cache_read_tokens, u.cache_write_tokens);
                format!("{}+{} {cache} {}", u.prompt_tokens, u.completion_tokens, u.reasoning_tokens)
            });
            assert_eq!(seen, expected, "{text}");
        }
    }
}

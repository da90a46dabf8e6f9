//! The fields that a request may have, to a provider that knows them all.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::form::invalid;
use crate::refusal::Refusal;
use crate::target::Operation;

/// The fields of OpenAI's chat completions, and Azure's `data_sources`.
const CHAT_FIELDS: &[&str] = &[
    "audio",
    "data_sources",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];
/// The fields of OpenAI's legacy completions.
const COMPLETION_FIELDS: &[&str] = &[
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];
/// The fields of OpenAI's embeddings.
const EMBEDDING_FIELDS: &[&str] = &["dimensions", "encoding_format", "input", "model", "user"];
/// What clients tell a router. Where a provider's fields are not listed above, these are refused.
const ROUTER_FIELDS: &[&str] = &[
    "backoff",
    "content_policy_fallbacks",
    "context_window_fallback_dict",
    "context_window_fallbacks",
    "cooldown_time",
    "default",
    "fallbacks",
    "max_retries",
    "metadata",
    "mock_response",
    "mock_testing_content_policy_fallbacks",
    "mock_testing_context_fallbacks",
    "mock_testing_fallbacks",
    "mock_timeout",
    "model_messages",
    "models",
    "num_retries",
    "provider",
    "route",
    "tags",
    "timeout",
    "tradeoff",
];

/// Refuses fields that the operation does not have. What is not a JSON object has none.
pub(super) fn check_fields(operation: Operation, body: &[u8]) -> Result<(), Refusal> {
    let Ok(form) = serde_json::from_slice::<Form>(body) else { return Ok(()) };
    let is_known = |field: &str| match operation {
        Operation::Chat => CHAT_FIELDS.contains(&field),
        Operation::Completions => COMPLETION_FIELDS.contains(&field),
        Operation::Embeddings => EMBEDDING_FIELDS.contains(&field),
        _ => !ROUTER_FIELDS.contains(&field),
    };
    let unknown: Vec<_> = form.fields.iter().filter(|field| !is_known(field)).map(String::as_str).collect();
    match unknown[..] {
        [] => {}
        [field] => {
            return Err(invalid(&format!("Unrecognized request argument supplied: {field}"), None, None));
        }
        _ => {
            let message = format!("Unrecognized request arguments supplied: {}", unknown.join(", "));
            return Err(invalid(&message, None, None));
        }
    }
    if !form.metadata_is_text {
        return Err(invalid("Invalid 'metadata': expected a map of strings", Some("metadata"), None));
    }
    if form.fields.iter().any(|field| field == "stream_options") && !form.stream {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(invalid(message, Some("stream_options"), None));
    }
    Ok(())
}

/// The names of a body's fields, and what else only strictness cares about.
struct Form {
    fields: Vec<String>,
    metadata_is_text: bool,
    stream: bool,
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Form;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Form, A::Error> {
                let mut form = Form { fields: Vec::new(), metadata_is_text: true, stream: false };
                while let Some(field) = map.next_key::<String>()? {
                    match field.as_str() {
                        "metadata" => {
                            let value = map.next_value::<serde_json::Value>()?;
                            form.metadata_is_text =
                                serde_json::from_value::<Option<BTreeMap<String, String>>>(value).is_ok();
                        }
                        "stream" => form.stream = map.next_value::<Option<bool>>()?.unwrap_or_default(),
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                    form.fields.push(field);
                }
                Ok(form)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

//! What `model_info` says of how a deployment works and what it keeps, for requests that prefer by it.

use weighbridge_domain::deployment::Traits;

use crate::entry::Entry;

/// `LiteLLM`'s switches, and the body fields that go with them.
const SWITCHES: &[(&str, &[&str])] = &[
    ("supports_function_calling", &["tools", "tool_choice", "functions", "function_call"]),
    ("supports_tool_choice", &["tool_choice"]),
    ("supports_parallel_function_calling", &["parallel_tool_calls"]),
    ("supports_response_schema", &["response_format"]),
    ("supports_reasoning", &["reasoning", "reasoning_effort"]),
    ("supports_web_search", &["web_search_options"]),
];

pub(crate) fn read(entry: &Entry<'_>) -> Traits {
    let info = &entry.info;
    let is_no = |key: &str| info.get(key).and_then(|field| field.flag()) == Some(false);
    let keeps_no_data = info.get("data_collection").is_some_and(|field| match field.text().as_deref() {
        Some("deny") => true,
        Some("allow") | None => false,
        Some(_) => {
            field.warn(format!("{} says nothing here", field.shown()), "write deny or allow");
            false
        }
    });
    Traits {
        keeps_no_data,
        retains_nothing: info.get("zdr").and_then(|field| field.flag()).unwrap_or_default(),
        quantization: info.get("quantization").and_then(|field| field.text()),
        parameters: info.get("supported_openai_params").map(|field| field.texts()),
        lacks: SWITCHES.iter().filter(|(key, _)| is_no(key)).flat_map(|(_, fields)| *fields).copied().collect(),
    }
}

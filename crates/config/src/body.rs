//! What a deployment adds to request bodies, and takes out of them.

use serde_json::value::RawValue;

use crate::entry::Entry;
use crate::json;
use crate::known::{PARAMS, PARAMS_ELSEWHERE};
use crate::limits::Defaults;
use crate::reader::Field;
use crate::suggest;
use crate::yaml::Value;

/// Settings whose misspellings are told apart from body parameters of a provider.
const EASILY_MISSPELT: &[&str] = &[
    "rpm",
    "tpm",
    "weight",
    "timeout",
    "stream_timeout",
    "api_key",
    "api_base",
    "api_version",
    "num_retries",
    "cooldown_time",
    "max_parallel_requests",
    "order",
    "quota_group",
    "tags",
];

/// Body parameters that look like misspellings and are none.
const NO_MISTAKE: &[&str] = &["top_p", "top_k", "min_p", "n", "seed", "stop", "user", "tools", "store", "logprobs"];

/// Describes the model to `LiteLLM`'s users; it belongs in `model_info`.
fn is_description(key: &str) -> bool {
    key.starts_with("supports_")
        || matches!(key, "context_window" | "model_info" | "base_model" | "mode" | "max_input_tokens")
}

/// Settings of clouds that are not served, and of prices by other measures than tokens.
fn is_of_no_provider(key: &str) -> bool {
    const STEMS: &[&str] = &["litellm_", "mock_", "watsonx_", "gcs_", "input_cost_per_", "output_cost_per_"];
    STEMS.iter().any(|stem| key.starts_with(stem))
}

/// Settings of clouds that are served.
fn is_of_cloud(key: &str) -> bool {
    ["vertex_", "aws_", "azure_"].iter().any(|stem| key.starts_with(stem))
}

/// Body fields that are sent when the client did not send them: every setting that is none of
/// the router's own.
pub(crate) fn defaults(entry: &Entry<'_>) -> Vec<(String, Box<RawValue>)> {
    let mut defaults = Vec::new();
    let mut add = |key: &str, field: &Field<'_>| {
        if let Some(value) = json::raw(field) {
            defaults.retain(|(known, _)| known != key);
            defaults.push((key.to_owned(), value));
        }
    };
    for (key, field) in entry.params() {
        if field.node.value == Value::Null || PARAMS_ELSEWHERE.contains(&key) || is_of_no_provider(key) {
            continue;
        }
        if key == "extra_body" {
            for (key, field) in field.section().iter().flat_map(|section| section.fields().collect::<Vec<_>>()) {
                add(key, &field);
            }
        } else if PARAMS.contains(&key) {
            continue;
        } else if is_of_cloud(key) {
            let near = suggest::did_you_mean(key, PARAMS.iter().copied().filter(|known| is_of_cloud(known)));
            let hint = if near.is_empty() { String::new() } else { format!("; {near}") };
            field.warn(format!("`{key}` has no effect here"), format!("it is not sent to the provider{hint}"));
        } else if is_description(key) {
            field.warn(format!("`{key}` belongs in model_info"), "it is not sent to the provider");
        } else if key == "stream" {
            field.warn("whether it is a stream is the client's choice", "it is not sent to the provider");
        } else if let Some(near) = misspelt(key) {
            field.warn(
                format!("there is no setting `{key}`"),
                format!("did you mean `{near}`? As it is, it has no effect"),
            );
        } else {
            add(key, &field);
        }
    }
    defaults
}

fn misspelt(key: &str) -> Option<&'static str> {
    let near = suggest::nearest(key, EASILY_MISSPELT.iter().copied())?;
    (!NO_MISTAKE.contains(&key) && key.len() > 2).then_some(near)
}

/// Body fields that are never sent: `additional_drop_params`, and `drop_params` where it is a list.
pub(crate) fn drops(entry: &Entry<'_>) -> Vec<String> {
    let mut drops = entry.param("additional_drop_params").map_or_else(Vec::new, |field| field.texts());
    if let Some(field) = entry.param("drop_params").filter(|field| field.items().is_some()) {
        drops.extend(field.texts());
    }
    drops
}

/// Whether a request is refused that says what the deployment's format cannot: `drop_params: false`, its own or the file's.
pub(crate) fn refuses_losses(entry: &Entry<'_>, defaults: &Defaults) -> bool {
    let own = entry.param("drop_params").filter(|field| field.items().is_none());
    !own.and_then(|field| field.flag()).unwrap_or(defaults.drops_params)
}

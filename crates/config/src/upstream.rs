//! Which provider a deployment is at, and what its model is called there.

use weighbridge_domain::provider::{Known, Provider, Wire};

use crate::auth::is_region;
use crate::entry::Entry;
use crate::reader::{Field, Lookup};
use crate::sections::providers::Providers;
use crate::suggest;

/// The provider of a deployment, and its model there.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// The provider's row; a made-up one when `unusable` says why there is none.
    pub(crate) provider: Provider,
    /// The name sent to the provider.
    pub(crate) model: String,
    /// Whether it is asked by `/responses`, as `openai/responses/name` says.
    pub(crate) by_responses: bool,
    /// `litellm_params.model` in full.
    pub(crate) written: String,
    /// Why the deployment has to be left out.
    pub(crate) unusable: Option<String>,
}

/// How unprefixed names begin, and the provider that is meant.
const NAME_PATTERNS: &[(&str, &str)] = &[
    ("gpt-", "openai"),
    ("chatgpt", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("text-moderation-", "openai"),
    ("omni-moderation-", "openai"),
    ("dall-e", "openai"),
    ("whisper", "openai"),
    ("tts-", "openai"),
    ("ft:gpt-", "openai"),
    ("claude", "anthropic"),
    ("gemini", "gemini"),
    ("mistral", "mistral"),
    ("ministral", "mistral"),
    ("magistral", "mistral"),
    ("open-mistral", "mistral"),
    ("open-mixtral", "mistral"),
    ("codestral", "mistral"),
    ("pixtral", "mistral"),
    ("command", "cohere"),
    ("embed-", "cohere"),
    ("rerank-", "cohere"),
    ("deepseek-", "deepseek"),
    ("grok-", "xai"),
    ("sonar", "perplexity"),
    ("moonshot-", "moonshot"),
    ("kimi-", "moonshot"),
    ("glm-", "zai"),
];

/// Prefixes that are provider names misspelt, but also organisations in models' own names.
const ORGANISATIONS: &[&str] = &["meta-llama", "google", "mistralai", "qwen", "nvidia", "x-ai"];

/// The provider and model of `entry`; `None` after an error.
pub(crate) fn find(entry: &Entry<'_>, providers: &Providers) -> Option<Upstream> {
    let Some(field) = entry.param("model") else {
        entry.params.error("`model` is missing", "write `model: provider/name`, as in openai/gpt-4o");
        return None;
    };
    let written = match field.lookup()? {
        Lookup::Found(model) => model,
        Lookup::Unset(name) => return Some(left_out("unknown", &format!("${name}"), format!("{name} is not set"))),
    };
    let prefix = entry.param("custom_llm_provider").and_then(|field| field.text());
    let (prefix, model) = match (&prefix, written.split_once('/')) {
        (Some(custom), Some((prefix, model))) if custom == prefix => (Some(custom.as_str()), model),
        (Some(custom), _) => (Some(custom.as_str()), written.as_str()),
        (None, Some((prefix, model))) => (Some(prefix), model),
        (None, None) => (None, written.as_str()),
    };
    let has_base = has_base(entry);
    Some(match prefix {
        None => unprefixed(&field, &written, has_base, providers),
        Some(prefix) => prefixed(&field, (prefix, model, &written), has_base, providers),
    })
}

fn has_base(entry: &Entry<'_>) -> bool {
    entry.param("api_base").or_else(|| entry.param("base_url")).is_some()
}

fn unprefixed(field: &Field<'_>, model: &str, has_base: bool, providers: &Providers) -> Upstream {
    if has_base {
        field.warn(
            format!("the model {} names no provider", field.shown()),
            "it is taken as an OpenAI-compatible one at its api_base; write openai/ before it",
        );
        return upstream(Provider::openai_compatible("openai_like"), model, model);
    }
    let known = NAME_PATTERNS.iter().find(|(pattern, _)| model.starts_with(pattern));
    let guess = if model == "*" { Some("openai") } else { known.map(|(_, provider)| *provider) };
    match guess.map(|name| (name, providers.catalog.find(name))) {
        Some((name, Known::Served(provider))) => {
            if model == "*" || !matches!(name, "openai" | "anthropic") {
                let hint = format!("{name} is used; write {name}/{model}");
                field.warn(format!("the model {} names no provider", field.shown()), hint);
            }
            upstream(provider.clone(), model, model)
        }
        _ => {
            let reason = "its model names no provider; write provider/model, as in openai/gpt-4o".to_owned();
            left_out("unknown", model, reason)
        }
    }
}

fn prefixed(field: &Field<'_>, names: (&str, &str, &str), has_base: bool, providers: &Providers) -> Upstream {
    let (prefix, model, written) = names;
    match providers.catalog.find(prefix) {
        Known::Served(provider) => upstream(provider.clone(), model, written),
        Known::MeantProbably(_) if has_base && ORGANISATIONS.contains(&prefix.to_ascii_lowercase().as_str()) => {
            compatible(field, prefix, written)
        }
        Known::MeantProbably(provider) => {
            let hint = format!("{} is used; write {}/{model}", provider.name, provider.name);
            field.warn(format!("there is no provider `{prefix}`"), hint);
            upstream(provider.clone(), model, written)
        }
        Known::Unsupported(_) if has_base && prefix == "replicate" => compatible(field, prefix, written),
        Known::Unsupported(why) => {
            Upstream { model: model.to_owned(), ..left_out(prefix, written, format!("{prefix} is not served: {why}")) }
        }
        Known::Unknown if has_base => compatible(field, prefix, written),
        Known::Unknown => {
            let names = providers.catalog.providers().iter().map(|provider| provider.name.as_str());
            let mut reason = format!("there is no provider `{prefix}`");
            if let Some(near) = suggest::nearest(prefix, names) {
                reason += &format!("; did you mean {near}/{model}?");
            } else {
                reason += "; give it an api_base, or a row in `providers`";
            }
            left_out(prefix, written, reason)
        }
    }
}

/// A model whose own name holds a slash, at an OpenAI-compatible server of somebody's.
fn compatible(field: &Field<'_>, prefix: &str, written: &str) -> Upstream {
    field.warn(
        format!("there is no provider `{prefix}`"),
        format!("{written} is taken as the name of a model at an OpenAI-compatible api_base; write openai/{written}"),
    );
    upstream(Provider::openai_compatible(prefix), written, written)
}

fn upstream(provider: Provider, model: &str, written: &str) -> Upstream {
    let model = if provider.wire == Wire::Bedrock { bedrock_model(model) } else { model };
    let (model, by_responses) = match model.strip_prefix("responses/").filter(|_| provider.responses) {
        Some(rest) => (rest, true),
        None => (model, false),
    };
    Upstream { provider, model: model.to_owned(), by_responses, written: written.to_owned(), unusable: None }
}

/// A model of Bedrock without what `LiteLLM` puts before it: the API and the region.
fn bedrock_model(model: &str) -> &str {
    let is_ahead = |part: &str| {
        matches!(part, "converse" | "invoke") || (part.contains('-') && is_region(part) && !part.contains('.'))
    };
    match model.split_once('/') {
        Some((part, rest)) if is_ahead(part) => bedrock_model(rest),
        _ => model,
    }
}

fn left_out(prefix: &str, written: &str, reason: String) -> Upstream {
    Upstream { unusable: Some(reason), ..upstream(Provider::openai_compatible(prefix), written, written) }
}

//! What is known of models: windows and prices, from the table that is built in.

use std::collections::HashMap;
use std::sync::LazyLock;

use weighbridge_domain::usage::Price;

/// Columns: model, provider, mode, windows in and out, USD per million tokens (input, output,
/// cache read, cache write), capabilities.
const TABLE: &str = include_str!("../data/models.tsv");

static MODELS: LazyLock<HashMap<&str, Vec<Model>>> = LazyLock::new(|| read(TABLE));

/// What is known of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    provider: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) max_input_tokens: Option<u32>,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) price: Option<Price>,
}

/// The entry for `model` at `provider`, or the nearest thing to it: with the provider's prefix,
/// under the bare name at that provider, and at last under that name at the provider that makes
/// it. A price is only told for the provider itself.
pub(crate) fn find(provider: &str, model: &str) -> Option<Model> {
    let family = match provider {
        "ollama_chat" | "ollama_openai" => "ollama",
        "bedrock_converse" => "bedrock",
        "vertex_ai_beta" => "vertex_ai",
        "azure_text" => "azure",
        other => other,
    };
    let is_here = |row: &&Model| match family {
        "cohere" => matches!(row.provider, "cohere" | "cohere_chat"),
        // By the API that serves a model, and by its publisher.
        "bedrock" | "vertex_ai" => row.provider.starts_with(family),
        family => row.provider == family,
    };
    let prefixed = format!("{family}/{model}");
    let bare = model.rsplit('/').next().unwrap_or(model);
    let here = [prefixed.as_str(), model].into_iter().find_map(|name| MODELS.get(name)?.iter().find(is_here));
    if let Some(row) = here {
        return Some(row.clone());
    }
    let elsewhere = MODELS.get(model).or_else(|| MODELS.get(bare))?.first()?;
    Some(Model { price: None, ..elsewhere.clone() })
}

/// What `model` costs at `provider`, as far as the table knows.
pub(crate) fn price(provider: &str, model: &str) -> Option<Price> {
    find(provider, model)?.price
}

fn read(table: &'static str) -> HashMap<&'static str, Vec<Model>> {
    let mut models: HashMap<&str, Vec<Model>> = HashMap::new();
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let column = |at: usize| columns.get(at).copied().unwrap_or_default();
        let usd = |at: usize| column(at).parse::<f64>().ok().map(|per_million| per_million / 1e6);
        let price = match (usd(5), usd(6)) {
            (None, None) => None,
            (input, output) => Some(Price {
                input: input.unwrap_or_default(),
                output: output.unwrap_or_default(),
                cache_read: usd(7),
                cache_write: usd(8),
            }),
        };
        models.entry(column(0)).or_default().push(Model {
            provider: column(1),
            mode: column(2),
            max_input_tokens: column(3).parse().ok(),
            max_output_tokens: column(4).parse().ok(),
            price,
        });
    }
    models
}

#[cfg(test)]
mod tests {
    use super::{MODELS, find};

    #[test]
    fn models_are_found_by_provider_and_name() {
        assert!(MODELS.len() > 3000);
        let window = |provider, model| find(provider, model).and_then(|model| model.max_input_tokens);
        assert_eq!(window("openai", "gpt-4"), Some(8192));
        assert_eq!(window("azure", "gpt-4o"), Some(128_000));
        assert_eq!(window("anthropic", "claude-sonnet-4-5"), Some(200_000));
        assert_eq!(window("openai_like", "meta/gpt-4o"), Some(128_000));
        assert_eq!(window("openai", "no-such-model"), None);
        let price = |provider, model| find(provider, model).and_then(|model| model.price);
        assert!((price("openai", "gpt-4o").unwrap().input - 2.5e-6).abs() < 1e-12);
        assert_eq!(price("hosted_vllm", "gpt-4o"), None);
    }
}

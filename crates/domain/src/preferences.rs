//! What a request prefers among the deployments of a model: `OpenRouter`'s `provider` and what goes with it.

use crate::deployment::Deployment;

/// What a request prefers among the deployments of a model. The default prefers nobody.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preferences {
    /// Providers in the order in which they are asked; those that are not named come after them.
    pub order: Vec<Slug>,
    /// The only providers that may be asked; `None` is all.
    pub only: Option<Vec<Slug>>,
    /// Providers that may not be asked.
    pub ignore: Vec<Slug>,
    /// Whether nobody is asked after the first of a model, or after those in `order`: `allow_fallbacks: false`.
    pub stays: bool,
    /// By what deployments are ordered, instead of the group's strategy.
    pub sort: Option<SortBy>,
    /// Whether the deployments of all models of the request are ordered as one: `partition: none`.
    pub across_models: bool,
    /// The most a deployment may cost.
    pub max_price: PriceCap,
    /// Whether every parameter of the body must be understood.
    pub require_parameters: bool,
    /// Whether whoever keeps prompts is left out: `data_collection: deny`.
    pub deny_data_collection: bool,
    /// Whether only those that retain nothing may be asked: `zdr`.
    pub zero_retention: bool,
    /// The only quantizations that may be asked; empty is all.
    pub quantizations: Vec<String>,
    /// Whoever is slower comes after the others, in completion tokens per second.
    pub min_throughput: Option<f64>,
    /// Whoever takes longer to its first token comes after the others, in seconds.
    pub max_latency: Option<f64>,
    /// Names a conversation, which stays with its deployment: a digest, no text of a client's.
    pub session: Option<u64>,
    /// What the client wrote that has no effect here.
    pub unknown: Vec<String>,
}

/// By what deployments are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// The lowest price first.
    Price,
    /// The most completion tokens per second first.
    Throughput,
    /// The shortest time to the first token first.
    Latency,
}

/// The most a deployment may cost, in USD per million tokens; `None` is any price.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PriceCap {
    /// Prompt tokens.
    pub prompt: Option<f64>,
    /// Completion tokens.
    pub completion: Option<f64>,
}

/// Names a provider, or some of its deployments: `azure`, `azure/eastus`, a tag, or a deployment's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

/// Providers that `OpenRouter` calls otherwise.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("amazon-bedrock", "bedrock"),
    ("fireworks", "fireworks_ai"),
    ("google", "gemini"),
    ("google-ai-studio", "gemini"),
    ("google-vertex", "vertex_ai"),
    ("together", "together_ai"),
    ("x-ai", "xai"),
];

impl Slug {
    /// A slug as a client writes it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What the client wrote.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names `deployment`. A provider's name covers all there is of it; with a region, a quantization or a
    /// tag behind a slash it covers only that.
    pub fn names(&self, deployment: &Deployment) -> bool {
        let is = |name: &str| name.eq_ignore_ascii_case(&self.0);
        if is(deployment.id.as_str()) || deployment.tags.iter().any(|tag| is(tag)) || is_provider(deployment, &self.0) {
            return true;
        }
        let Some((provider, variant)) = self.0.rsplit_once('/') else { return false };
        let is = |name: &str| name.eq_ignore_ascii_case(variant);
        is_provider(deployment, provider)
            && (deployment.region.as_deref().is_some_and(is)
                || deployment.traits.quantization.as_deref().is_some_and(is)
                || deployment.tags.iter().any(|tag| is(tag)))
    }
}

/// Whether `deployment` is at the provider that a client calls `name`.
pub fn is_provider(deployment: &Deployment, name: &str) -> bool {
    let own = deployment.endpoint.provider.as_str();
    let other = OTHER_NAMES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, own)| *own);
    own.eq_ignore_ascii_case(name) || other == Some(own)
}

#[cfg(test)]
mod tests {
    use super::Slug;
    use crate::deployment::{Deployment, Endpoint, ModelTemplate};

    #[test]
    fn a_base_covers_its_variants_and_a_variant_only_itself() {
        let mut deployment =
            Deployment::new("d-1", "g", ModelTemplate::new("m"), Endpoint::new("vertex_ai", "http://h"));
        deployment.region = Some("us-east1".to_owned());
        deployment.tags = vec!["turbo".to_owned()];
        deployment.traits.quantization = Some("fp8".to_owned());
        let rows = [
            ("vertex_ai", true),
            ("Google-Vertex", true),
            ("google-vertex/us-east1", true),
            ("vertex_ai/turbo", true),
            ("vertex_ai/fp8", true),
            ("turbo", true),
            ("d-1", true),
            ("vertex_ai/eu", false),
            ("azure/turbo", false),
            ("azure", false),
            ("", false),
        ];
        for (slug, covered) in rows {
            assert_eq!(Slug::new(slug).names(&deployment), covered, "{slug}");
        }
    }
}

//! A deployment: one model at one provider with one credential.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde_json::value::RawValue;

use crate::credential::{AwsCredential, EntraCredential, GoogleCredential};
use crate::derived::Derived;
use crate::limits::Limits;
use crate::name::{DeploymentId, GroupName, ProviderName, QuotaName};
use crate::policy::{CooldownPolicy, Timeouts};
use crate::provider::Wire;
use crate::secret::Secret;
use crate::usage::Price;

/// One model at one provider with one credential, every setting in force.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Stable over reloads and equal on all replicas.
    pub id: DeploymentId,
    /// The group it serves.
    pub group: GroupName,
    /// The model's name at the provider.
    pub model: ModelTemplate,
    /// Where and how the provider is reached.
    pub endpoint: Endpoint,
    /// What it may take.
    pub limits: Limits,
    /// The window its usage is counted in. Deployments that share one are each held against their
    /// own limits by what all of them used.
    pub quota: QuotaName,
    /// Its share where a strategy goes by weights; `None` when not set.
    pub weight: Option<f64>,
    /// Its level: a higher one is used when all lower ones failed.
    pub order: u32,
    /// Tags that requests may ask for.
    pub tags: Vec<String>,
    /// Patterns that match `User-Agent: …` in place of a tag.
    pub tag_patterns: Vec<Regex>,
    /// The region it runs in.
    pub region: Option<String>,
    /// What it costs; `None` when unknown.
    pub price: Option<Price>,
    /// The longest prompt, in tokens.
    pub max_input_tokens: Option<u32>,
    /// The longest reply, in tokens.
    pub max_output_tokens: Option<u32>,
    /// What the operator says of how it works and what it keeps.
    pub traits: Traits,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Retries when it is the first to fail, instead of the group's.
    pub retries: Option<u32>,
    /// When it rests.
    pub cooldown: CooldownPolicy,
    /// Body fields sent when the client did not send them.
    pub body_defaults: Vec<(String, Box<RawValue>)>,
    /// Body fields that are never sent.
    pub body_drops: Vec<String>,
    /// Whether a request is refused that says what this deployment's format cannot (`drop_params: false`), instead of being sent
    /// without it.
    pub refuses_losses: bool,
    /// A canned reply instead of a call.
    pub mock: Option<Mock>,
    /// Whether a client may bring its own key and base URL.
    pub client_credentials: bool,
    /// Whether nothing of it need be remembered once its requests have ended: it has no limits and never rests.
    pub is_fleeting: bool,
    /// What the model is for (`chat`, `embedding`, …), as `model_info.mode` says.
    pub mode: Option<String>,
    /// The rest of `model_info` as JSON, for `GET /model/info`.
    pub info: Option<Box<RawValue>>,
    /// What every request to it begins with, made by whoever sends it.
    pub sent: Derived,
    /// What every response tells of it, made by whoever writes that.
    pub told: Derived,
}

impl Deployment {
    /// A deployment without limits, weights, tags or habits of its own.
    pub fn new(
        id: impl Into<DeploymentId>,
        group: impl Into<GroupName>,
        model: ModelTemplate,
        endpoint: Endpoint,
    ) -> Self {
        let id = id.into();
        Self {
            quota: QuotaName::new(id.as_str()),
            id,
            group: group.into(),
            model,
            endpoint,
            limits: Limits::default(),
            weight: None,
            order: 1,
            tags: Vec::new(),
            tag_patterns: Vec::new(),
            region: None,
            price: None,
            max_input_tokens: None,
            max_output_tokens: None,
            traits: Traits::default(),
            timeouts: Timeouts::default(),
            retries: None,
            cooldown: CooldownPolicy::default(),
            body_defaults: Vec::new(),
            body_drops: Vec::new(),
            refuses_losses: false,
            mock: None,
            client_credentials: false,
            is_fleeting: false,
            mode: None,
            info: None,
            sent: Derived::default(),
            told: Derived::default(),
        }
    }

    /// Whether it understands the body field `parameter`, as far as is known, and gets it.
    pub fn understands(&self, parameter: &str) -> bool {
        let is = |name: &String| name == parameter;
        !self.traits.lacks.contains(&parameter)
            && !self.body_drops.iter().any(is)
            && self.traits.parameters.as_ref().is_none_or(|known| known.iter().any(is))
    }
}

/// What the operator says of how a deployment works and what it keeps, in `model_info`. Requests may prefer by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// `data_collection: deny`: it keeps no prompts to learn from. Taken for no where nothing is said.
    pub keeps_no_data: bool,
    /// `zdr`: it retains nothing at all. Taken for no where nothing is said.
    pub retains_nothing: bool,
    /// `quantization`: how its weights are stored (`fp8`, `bf16`, …).
    pub quantization: Option<String>,
    /// `supported_openai_params`: the body fields it understands; `None` where nothing is said.
    pub parameters: Option<Vec<String>>,
    /// Body fields that it is said not to understand: `supports_function_calling: false` and the like.
    pub lacks: Vec<&'static str>,
}

/// The model name sent upstream; each `*` is filled with what the client's name had in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelTemplate(String);

impl ModelTemplate {
    /// A template from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, stars and all.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name to send: stars filled in order from `captures`, or `requested` itself when there
    /// are more stars than captures (`LiteLLM`'s rule).
    pub fn fill(&self, captures: &[String], requested: &str) -> String {
        let stars = self.0.matches('*').count();
        if stars == 0 {
            return self.0.clone();
        }
        if stars > captures.len() {
            return requested.to_owned();
        }
        let mut captures = captures.iter();
        let mut name = String::new();
        for (i, part) in self.0.split('*').enumerate() {
            if i > 0 {
                name.push_str(captures.next().map_or("", String::as_str));
            }
            name.push_str(part);
        }
        name
    }
}

/// Where and how a provider is reached.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Who it is, for logs and metrics.
    pub provider: ProviderName,
    /// The JSON and stream shape it speaks.
    pub wire: Wire,
    /// Where its API begins, without a trailing slash.
    pub base_url: String,
    /// How paths are made from the base URL.
    pub paths: Paths,
    /// The credential, ready to send.
    pub auth: Auth,
    /// Further headers to send.
    pub headers: Vec<(String, Secret)>,
    /// Whether it accepts `stream_options.include_usage`.
    pub stream_usage: bool,
    /// Whether it has `/responses` itself.
    pub responses: bool,
    /// Whether a client named the host rather than the operator: then it may not be just anywhere.
    pub is_foreign: bool,
}

impl Endpoint {
    /// An `OpenAI`-shaped API at `base_url` that needs no credential.
    pub fn new(provider: impl Into<ProviderName>, base_url: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            wire: Wire::OpenAi,
            base_url: base_url.into(),
            paths: Paths::Plain,
            auth: Auth::None,
            headers: Vec::new(),
            stream_usage: true,
            responses: false,
            is_foreign: false,
        }
    }
}

impl Endpoint {
    /// The format in which `model` is spoken to. Vertex AI serves the models of many publishers, each in its own.
    pub fn wire_of(&self, model: &str) -> Wire {
        match self.paths {
            Paths::Vertex { .. } if model.starts_with("claude") => Wire::Anthropic,
            Paths::Vertex { .. } if model.contains('/') => Wire::OpenAi,
            Paths::Vertex { .. } | Paths::Plain | Paths::AzureDeployment { .. } | Paths::AzureV1 { .. } => self.wire,
        }
    }
}

/// How paths are made from the base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paths {
    /// The wire format's own, below the base URL: `<base>/chat/completions`, `<base>/messages`.
    Plain,
    /// `<base>/v1/projects/<project>/locations/<location>/publishers/<publisher>/models/<model>:…`.
    Vertex {
        /// Google Cloud's project.
        project: String,
        /// The region, or `global`.
        location: String,
    },
    /// `<base>/openai/deployments/<model>/chat/completions?api-version=<version>`.
    AzureDeployment {
        /// The `api-version`.
        api_version: String,
    },
    /// `<base>/openai/v1/chat/completions`, with `?api-version=` when one is set.
    AzureV1 {
        /// The `api-version` (`preview`, `latest`), when set.
        api_version: Option<String>,
    },
}

/// A credential and how it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Nothing is sent.
    None,
    /// `Authorization: Bearer <secret>`.
    Bearer(Secret),
    /// `<name>: <secret>`.
    Header {
        /// The header's name.
        name: String,
        /// What it holds.
        secret: Secret,
    },
    /// `?<name>=<secret>`.
    Query {
        /// The parameter's name.
        name: String,
        /// What it holds.
        secret: Secret,
    },
    /// A signature of AWS.
    Aws(Arc<AwsCredential>),
    /// `Authorization: Bearer <token>`, with a token of Google Cloud.
    Google(Arc<GoogleCredential>),
    /// `Authorization: Bearer <token>`, with a token of Microsoft Entra.
    Entra(Arc<EntraCredential>),
}

impl Auth {
    /// Every text that tells it from others, secrets among them: for digests, and nothing else.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer(secret) | Self::Header { secret, .. } | Self::Query { secret, .. } => vec![secret.reveal()],
            Self::Aws(credential) => credential.texts(),
            Self::Google(credential) => credential.texts(),
            Self::Entra(credential) => credential.texts(),
        }
    }
}

/// A canned reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Mock {
    /// What it says or fails with.
    pub reply: MockReply,
    /// How long it takes.
    pub delay: Duration,
}

/// What a canned reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MockReply {
    /// A completion with this text.
    Text(String),
    /// A failure, as `LiteLLM`'s `litellm.RateLimitError` and the like.
    Failure(crate::failure::FailureKind),
}

#[cfg(test)]
mod tests {
    use super::ModelTemplate;

    fn fill(template: &str, captures: &[&str], requested: &str) -> String {
        let captures: Vec<String> = captures.iter().map(|c| (*c).to_owned()).collect();
        ModelTemplate::new(template).fill(&captures, requested)
    }

    #[test]
    fn stars_take_the_captures_in_order() {
        assert_eq!(fill("gpt-4o", &["x"], "y"), "gpt-4o");
        assert_eq!(fill("*", &["gpt-4o"], "openai/gpt-4o"), "gpt-4o");
        assert_eq!(fill("a-*-b-*", &["1", "2"], "r"), "a-1-b-2");
        assert_eq!(fill("*-*", &["1"], "asked"), "asked");
    }
}

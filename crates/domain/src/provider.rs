//! A provider as a row of data: where it is, how it is spoken to, what it is known for.

use crate::limits::ChargeBasis;

/// One provider. A new OpenAI-compatible one is one more of these, in code or in YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The prefix in `provider/model`.
    pub name: String,
    /// Other spellings of the prefix that mean the same.
    pub aliases: Vec<String>,
    /// Where its API begins, without a trailing slash; `None` when every deployment names its own `api_base`.
    pub base_url: Option<String>,
    /// How the credential is sent.
    pub auth: AuthStyle,
    /// Environment variables that hold the key by custom, first match wins.
    pub key_variables: Vec<String>,
    /// Environment variables that hold the base URL by custom.
    pub base_variables: Vec<String>,
    /// Whether a deployment can do without a key (servers of one's own).
    pub key_optional: bool,
    /// How paths are made from the base URL.
    pub paths: PathStyle,
    /// The JSON and stream shape it speaks.
    pub wire: Wire,
    /// Whether it accepts `stream_options.include_usage`.
    pub stream_usage: bool,
    /// Whether it has `/responses` itself. Elsewhere they are said as chats.
    pub responses: bool,
    /// Whether it gives back reserved tokens.
    pub basis: ChargeBasis,
}

impl Provider {
    /// A row for a server of which nothing is known but that it speaks `OpenAI`'s format.
    pub fn openai_compatible(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            base_url: None,
            auth: AuthStyle::Bearer,
            key_variables: Vec::new(),
            base_variables: Vec::new(),
            key_optional: true,
            paths: PathStyle::Plain,
            wire: Wire::OpenAi,
            stream_usage: true,
            responses: false,
            basis: ChargeBasis::ReserveSettle,
        }
    }
}

/// How a credential travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthStyle {
    /// `Authorization: Bearer <key>`.
    Bearer,
    /// A header of its own, such as `api-key`.
    Header(String),
    /// A query parameter, such as `key`.
    Query(String),
    /// A signature of AWS for `service`; a key is sent as `Bearer`.
    Aws {
        /// The name that requests are signed for, such as `bedrock`.
        service: String,
    },
    /// A token of Google Cloud; a key is taken for one.
    Google,
    /// A key in a header of its own, or a token of Microsoft Entra.
    Entra {
        /// The header of a key, such as `api-key`.
        key_header: String,
    },
    /// None at all.
    None,
}

/// How a provider's paths look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStyle {
    /// The wire format's own, below the base URL: `<base>/chat/completions`, `<base>/messages`.
    Plain,
    /// `<base>/v1/projects/<project>/locations/<location>/publishers/…`.
    Vertex,
    /// `<base>/openai/deployments/<model>/chat/completions?api-version=…`, or `<base>/openai/v1/…`.
    Azure,
}

/// The JSON and stream shape of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// `OpenAI`'s chat, completions and embeddings.
    OpenAi,
    /// `OpenAI`'s responses, of models that answer nowhere else.
    Responses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Cohere's chat, version 2.
    Cohere,
    /// Ollama's own chat.
    Ollama,
    /// Answers made in this process, no network.
    Simulated,
}

/// What stands behind a provider prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<'a> {
    /// It is served.
    Served(&'a Provider),
    /// The prefix means another one, which is named.
    MeantProbably(&'a Provider),
    /// It is known but not served; the text says why and what to use instead.
    Unsupported(&'a str),
    /// Nobody here has heard of it.
    Unknown,
}

/// Every provider there is a row for.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    providers: Vec<Provider>,
    unsupported: Vec<(String, String)>,
}

impl Catalog {
    /// A catalog of `providers`, and of names that are `unsupported` with the reason.
    pub fn new(providers: Vec<Provider>, unsupported: Vec<(String, String)>) -> Self {
        Self { providers, unsupported }
    }

    /// Adds `provider`, in place of one of the same name.
    pub fn put(&mut self, provider: Provider) {
        self.unsupported.retain(|(name, _)| *name != provider.name);
        match self.providers.iter_mut().find(|known| known.name == provider.name) {
            Some(known) => *known = provider,
            None => self.providers.push(provider),
        }
    }

    /// What `prefix` stands for.
    pub fn find(&self, prefix: &str) -> Known<'_> {
        if let Some(provider) = self.providers.iter().find(|p| p.name == prefix) {
            return Known::Served(provider);
        }
        if let Some(provider) = self.providers.iter().find(|p| p.aliases.iter().any(|alias| alias == prefix)) {
            return Known::MeantProbably(provider);
        }
        match self.unsupported.iter().find(|(name, _)| name == prefix) {
            Some((_, why)) => Known::Unsupported(why),
            None => Known::Unknown,
        }
    }

    /// All rows.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }
}

//! A client's request, read once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::json::JsonObject;
use crate::limits::Tokens;
use crate::plan::{ConfigObject, Credentials};
use crate::preferences::Preferences;
use crate::secret::Secret;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Names this request in headers, logs and errors.
    pub id: Arc<str>,
    /// What its client calls the trace that it belongs to; its own id without one.
    pub trace_id: Arc<str>,
    /// What is to be done.
    pub operation: Operation,
    /// The model as the client wrote it; empty where a config object names it.
    pub model: String,
    /// What to send on.
    pub payload: Payload,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client wants usage in its stream.
    pub stream_usage: bool,
    /// What it will use at most, by estimate: the prompt, and the larger of `max_tokens` and
    /// `max_completion_tokens`; `None` for output when the client set no bound.
    pub estimate: Estimate,
    /// What this request wants otherwise than the configuration says.
    pub controls: Controls,
    /// Headers that belong to the format it is written in (`anthropic-beta`), names in lower case: sent on to deployments
    /// that speak it.
    pub format_headers: Vec<(String, String)>,
}

/// What a request will use, by estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Prompt tokens, rather too many than too few.
    pub input: u32,
    /// The bound the client set on output.
    pub output: Option<u32>,
}

impl Estimate {
    /// What to reserve when `learned` output tokens are usual.
    pub fn reservation(self, learned: u32) -> Tokens {
        Tokens { input: self.input, output: self.output.unwrap_or(learned) }
    }
}

/// What is to be done; each has a path at `OpenAI`-shaped providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `/chat/completions`
    Chat,
    /// `/messages`: a chat in Anthropic's words.
    Messages,
    /// `/responses`: a chat in the words of `OpenAI`'s newer API.
    Responses,
    /// `/messages/count_tokens`: how long a prompt in Anthropic's words is.
    CountTokens,
    /// `/completions`
    Completions,
    /// `/embeddings`
    Embeddings,
    /// `/moderations`
    Moderations,
    /// `/rerank`
    Rerank,
    /// `/images/generations`
    ImageGenerations,
    /// `/images/edits`
    ImageEdits,
    /// `/images/variations`
    ImageVariations,
    /// `/audio/speech`
    Speech,
    /// `/audio/transcriptions`
    Transcriptions,
    /// `/audio/translations`
    Translations,
}

impl Operation {
    /// The path below the provider's base URL, with its leading slash.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Messages => "/messages",
            Self::Responses => "/responses",
            Self::CountTokens => "/messages/count_tokens",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
            Self::Moderations => "/moderations",
            Self::Rerank => "/rerank",
            Self::ImageGenerations => "/images/generations",
            Self::ImageEdits => "/images/edits",
            Self::ImageVariations => "/images/variations",
            Self::Speech => "/audio/speech",
            Self::Transcriptions => "/audio/transcriptions",
            Self::Translations => "/audio/translations",
        }
    }

    /// All operations.
    pub const ALL: [Self; 14] = [
        Self::Chat,
        Self::Messages,
        Self::Responses,
        Self::CountTokens,
        Self::Completions,
        Self::Embeddings,
        Self::Moderations,
        Self::Rerank,
        Self::ImageGenerations,
        Self::ImageEdits,
        Self::ImageVariations,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
    ];

    /// Whether a reply may be a stream of events.
    pub const fn may_stream(self) -> bool {
        self.is_chat() || matches!(self, Self::Completions)
    }

    /// Whether it is a conversation that wants a reply, in whosever words.
    pub const fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::Messages | Self::Responses)
    }
}

/// What to send on.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A JSON object.
    Json(JsonObject),
    /// A form with files; the model is one of its parts.
    Form(Form),
}

impl Payload {
    /// The JSON object, when it is one.
    pub const fn json(&self) -> Option<&JsonObject> {
        match self {
            Self::Json(object) => Some(object),
            Self::Form(_) => None,
        }
    }
}

/// A `multipart/form-data` body, and where its `model` part's value stands.
#[derive(Debug, Clone)]
pub struct Form {
    /// The body as it came.
    pub bytes: Bytes,
    /// Its `Content-Type`, boundary included.
    pub content_type: String,
    /// The place of the model's name in `bytes`.
    pub model: std::ops::Range<usize>,
}

impl Form {
    /// The body with `model` in place of the name the client wrote.
    pub fn with_model(&self, model: &str) -> Bytes {
        let parts = [&self.bytes[..self.model.start], model.as_bytes(), &self.bytes[self.model.end..]];
        parts.concat().into()
    }
}

/// What one request wants otherwise than the configuration says. None of it is sent upstream.
#[derive(Debug, Clone, Default)]
pub struct Controls {
    /// `num_retries`.
    pub num_retries: Option<u32>,
    /// `fallbacks`, instead of the configured ones.
    pub fallbacks: Option<Vec<ClientFallback>>,
    /// `context_window_fallbacks`, for the asked model.
    pub context_window_fallbacks: Option<Vec<String>>,
    /// `content_policy_fallbacks`, for the asked model.
    pub content_policy_fallbacks: Option<Vec<String>>,
    /// `disable_fallbacks`.
    pub disable_fallbacks: bool,
    /// `max_fallbacks`.
    pub max_fallbacks: Option<u32>,
    /// `timeout` or `request_timeout`: a whole reply; for streams what `stream_timeout` is.
    pub timeout: Option<Duration>,
    /// `stream_timeout`: a stream's first content event, and the silence between two.
    pub stream_timeout: Option<Duration>,
    /// `cooldown_time`, for what this request makes cool.
    pub cooldown_time: Option<Duration>,
    /// `mock_response`.
    pub mock_response: Option<String>,
    /// Failures to be made up, as `LiteLLM`'s `mock_testing_…` switches.
    pub mock_failure: Option<crate::failure::FailureKind>,
    /// `tags`, from body, metadata and header.
    pub tags: Vec<String>,
    /// `metadata` of the body.
    pub metadata: Option<Box<RawValue>>,
    /// `allowed_model_region`.
    pub region: Option<String>,
    /// `api_key` and `api_base`, where clients may bring them.
    pub credentials: Option<Credentials>,
    /// `models` and what goes with it.
    pub models: Option<ModelChoice>,
    /// What it prefers among the deployments of a model, where it says so.
    pub preferences: Option<Box<Preferences>>,
    /// The client's `User-Agent`, for tag patterns.
    pub user_agent: Option<String>,
    /// The config object it goes by, instead of the plan of its model.
    pub config: Option<ConfigUse>,
}

/// A config object that a request goes by, and what of the request it looks at.
#[derive(Debug, Clone)]
pub struct ConfigUse {
    /// The config object.
    pub object: Arc<ConfigObject>,
    /// The path of the URL, as the client wrote it.
    pub path: String,
    /// Those headers of the client that the config object wants, by their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Tells whose sessions these are: the key that the client showed to this router.
    pub tenant: Option<Secret>,
}

/// Further models of a request.
#[derive(Debug, Clone)]
pub struct ModelChoice {
    /// The model that is asked for, whether it is one of them or not. A name that nobody has leaves the choice to them.
    /// `None` for a route, whose name stands for its models.
    pub asked: Option<ModelTerms>,
    /// In order; none where there is a default.
    pub models: Vec<ModelTerms>,
    /// Whether they are drawn by weight rather than asked in order.
    pub is_weighted: bool,
    /// `default`: who is asked when none of them is configured, or none can be asked.
    pub default: Option<ModelTerms>,
}

/// A model and its terms; where it has none of its own, those of its group hold.
#[derive(Debug, Clone)]
pub struct ModelTerms {
    /// Its name.
    pub model: String,
    /// How often it is drawn, relative to the others; 0 is never.
    pub weight: f64,
    /// How often it is tried, the first time included.
    pub attempts: Option<u32>,
    /// How long one attempt may take until its first byte.
    pub timeout: Option<Duration>,
    /// The pause before attempt `n + 1` is this to the power of `n`, in seconds.
    pub backoff: Option<f64>,
    /// Messages put before the request's own.
    pub messages: Option<Vec<Box<RawValue>>>,
}

/// One entry of a request's `fallbacks`.
#[derive(Debug, Clone, Default)]
pub struct ClientFallback {
    /// Another model; `None` keeps the one that failed.
    pub model: Option<String>,
    /// A credential and base URL of the client's own.
    pub credentials: Option<Credentials>,
    /// Body fields set on this fallback (`messages`, `temperature`, …).
    pub overrides: Vec<(String, Box<RawValue>)>,
}

/// The body fields that control the router. They are read once and never sent upstream.
pub const CONTROL_FIELDS: &[&str] = &[
    "num_retries",
    "max_retries",
    "fallbacks",
    "context_window_fallbacks",
    "context_window_fallback_dict",
    "content_policy_fallbacks",
    "disable_fallbacks",
    "max_fallbacks",
    "include_fallback_errors",
    "timeout",
    "request_timeout",
    "stream_timeout",
    "cooldown_time",
    "mock_response",
    "mock_delay",
    "mock_timeout",
    "mock_testing_fallbacks",
    "mock_testing_context_fallbacks",
    "mock_testing_content_policy_fallbacks",
    "mock_testing_rate_limit_error",
    "tags",
    "priority",
    "router_settings_override",
    "allowed_model_region",
    "api_key",
    "api_base",
    "base_url",
    "keepalive_seconds",
    "user_config",
    "models",
    "route",
    "backoff",
    "model_messages",
    "default",
    "tradeoff",
    "provider",
    "session_id",
    "plugins",
    "transforms",
];

/// Text as a JSON string.
pub fn quoted(text: &str) -> Cow<'static, str> {
    // Printing a str as JSON cannot fail.
    Cow::Owned(serde_json::to_string(text).unwrap_or_default())
}

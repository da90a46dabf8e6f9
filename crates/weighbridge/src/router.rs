//! A router without a server.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;
use serde_json::Value;
use weighbridge_config::env::ProcessEnvironment;
use weighbridge_config::{Loaded, Refused, load, load_text};
use weighbridge_domain::event::{Observer, Silent};
use weighbridge_domain::request::Operation;
use weighbridge_domain::store::StoreSettings;
use weighbridge_engine::answer::EventStream;
use weighbridge_engine::{Answer, AnswerBody, Engine, Failed, Parts};
use weighbridge_providers::catalog::catalog;
use weighbridge_providers::transport::HttpTransport;
use weighbridge_server::Configs;
use weighbridge_server::request::{Arrival, Setting, read};

/// A router in this process, on the state that its configuration names. Cheap to share behind an `Arc`; must be made
/// and used within a tokio runtime.
#[derive(Debug)]
pub struct Router {
    engine: Arc<Engine>,
    configs: Configs,
    requests: AtomicU64,
}

/// Why a router cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration cannot serve.
    #[error("{}", problems(.0))]
    Config(#[from] Box<Refused>),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Transport(String),
    /// The metrics cannot be set up.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(String),
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request is not one: a field is missing or wrong.
    #[error("{0}")]
    Request(String),
    /// Every stop of its itinerary failed; says which attempts were made.
    #[error("{}", .0.failure.message)]
    Failed(Box<Failed>),
    /// The provider's reply is not what this call is for: a stream for a whole reply, or no JSON.
    #[error("the provider's reply is not {0}")]
    Reply(&'static str),
}

impl Router {
    /// A router by the configuration file at `path`.
    ///
    /// # Errors
    /// When the configuration cannot serve, with every problem it has.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        Self::from_loaded(load(path.as_ref(), &catalog(), &ProcessEnvironment)?)
    }

    /// A router by configuration text.
    ///
    /// # Errors
    /// When the configuration cannot serve, with every problem it has.
    pub fn from_yaml(text: &str) -> Result<Self, BuildError> {
        Self::from_loaded(load_text(text, &catalog(), &ProcessEnvironment)?)
    }

    /// A router by the configuration file at `path` that shares nothing with anybody, whatever the file says: for
    /// looking at what it would do.
    ///
    /// # Errors
    /// When the configuration cannot serve, with every problem it has.
    pub fn apart_from_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        let mut loaded = load(path.as_ref(), &catalog(), &ProcessEnvironment)?;
        loaded.table.store = StoreSettings::Memory;
        Self::from_loaded(loaded)
    }

    fn from_loaded(loaded: Loaded) -> Result<Self, BuildError> {
        let engine = engine(loaded, Arc::new(Silent))?;
        Ok(Self { engine: Arc::new(engine), configs: Configs::default(), requests: AtomicU64::new(0) })
    }

    /// A chat completion, by `OpenAI`'s request body.
    ///
    /// # Errors
    /// When the body is not a request, or nobody answered it.
    pub async fn completion(&self, body: Value) -> Result<Value, CallError> {
        self.whole(Operation::Chat, body).await
    }

    /// Embeddings, by `OpenAI`'s request body.
    ///
    /// # Errors
    /// When the body is not a request, or nobody answered it.
    pub async fn embedding(&self, body: Value) -> Result<Value, CallError> {
        self.whole(Operation::Embeddings, body).await
    }

    /// A chat completion as server-sent events, `data: [DONE]` last. One that breaks ends with an
    /// event that holds an error, and without `[DONE]`.
    ///
    /// # Errors
    /// When the body is not a request, or nobody answered it.
    pub async fn stream(&self, mut body: Value) -> Result<EventStream, CallError> {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("stream".to_owned(), true.into());
        }
        match self.call(Operation::Chat, body).await?.body {
            AnswerBody::Stream(events) => Ok(events),
            AnswerBody::Whole(_) => Err(CallError::Reply("a stream")),
        }
    }

    /// The engine, for whoever needs more than this.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    async fn whole(&self, operation: Operation, body: Value) -> Result<Value, CallError> {
        let bytes = match self.call(operation, body).await?.body {
            AnswerBody::Whole(bytes) => bytes,
            AnswerBody::Stream(events) => events.collect::<Vec<Bytes>>().await.concat().into(),
        };
        serde_json::from_slice(&bytes).map_err(|_| CallError::Reply("JSON"))
    }

    async fn call(&self, operation: Operation, body: Value) -> Result<Answer, CallError> {
        let table = self.engine.table();
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let headers = HeaderMap::new();
        let body = Bytes::from(body.to_string());
        let path = operation.path();
        let arrival =
            Arrival { id: format!("call-{number}").into(), operation, path, path_model: None, headers: &headers, body };
        let setting = Setting { table: &table, engine: &self.engine, configs: &self.configs };
        let request = read(arrival, setting).map_err(|refusal| CallError::Request(refusal.message().to_owned()))?;
        self.engine.execute(&table, &request).await.map_err(CallError::Failed)
    }
}

/// An engine on the state that its configuration names, which reaches providers over HTTP.
pub(crate) fn engine(loaded: Loaded, observer: Arc<dyn Observer>) -> Result<Engine, BuildError> {
    let transport = HttpTransport::new().map_err(|error| BuildError::Transport(error.to_string()))?;
    let parts = Parts {
        state: weighbridge_state::open(&loaded.table.store, Arc::clone(&observer)),
        transport: Arc::new(transport),
        observer,
        seed: None,
    };
    Ok(Engine::new(Arc::new(loaded.table), parts))
}

fn problems(refused: &Refused) -> String {
    let mut text = refused.to_string();
    for problem in &refused.problems {
        text.push('\n');
        text.push_str(&problem.to_string());
    }
    text
}

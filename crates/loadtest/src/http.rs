//! A client that speaks HTTP/1.1 to one address over a bounded number of connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections when nobody says how many.
const CONNECTIONS: usize = 256;

/// Speaks to one address. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    idle: Arc<Mutex<Vec<SendRequest<Full<Bytes>>>>>,
    most: Arc<Semaphore>,
    headers: Vec<(&'static str, String)>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What `Retry-After` says, in seconds.
    pub retry_after: Option<u64>,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// Why there is no answer.
pub type Broken = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    /// A client of `address` with many connections.
    pub fn new(address: SocketAddr) -> Self {
        Self::with_connections(address, CONNECTIONS)
    }

    /// A client of `address` with at most so many connections: further requests wait for one.
    pub fn with_connections(address: SocketAddr, most: usize) -> Self {
        Self { address, idle: Arc::default(), most: Arc::new(Semaphore::new(most)), headers: Vec::new() }
    }

    /// The same, with one more header for every request.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Where it sends to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request and reads the answer to its end.
    ///
    /// # Errors
    /// When the connection cannot be made, or breaks.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Broken> {
        let _place = self.most.acquire().await?;
        let mut connection = self.connection().await?;
        let mut request = Request::builder();
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .body(Full::new(body.map(Value::to_string).unwrap_or_default().into()))?;
        let (parts, body) = connection.send_request(request).await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        let retry_after = parts.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer { status: parts.status.as_u16(), retry_after, headers: parts.headers, body })
    }

    /// `GET`; panics when there is no answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// `POST`; panics when there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await.unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// `PUT`; panics when there is no answer.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await.unwrap_or_else(|error| panic!("PUT {path}: {error}"))
    }

    /// `DELETE`; panics when there is no answer.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await.unwrap_or_else(|error| panic!("DELETE {path}: {error}"))
    }

    /// A chat to its end.
    ///
    /// # Errors
    /// When the connection cannot be made, or breaks.
    pub async fn try_chat(&self, body: &Value) -> Result<Answer, Broken> {
        self.send(Method::POST, "/v1/chat/completions", Some(body)).await
    }

    /// A chat to its end; panics when there is no answer.
    pub async fn chat(&self, body: &Value) -> Answer {
        self.try_chat(body).await.unwrap_or_else(|error| panic!("a chat: {error}"))
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(mut connection) = idle() {
            // One that its other end has closed is of no use.
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}

impl Answer {
    /// What somebody gets who is above a limit.
    pub(crate) fn limited() -> Self {
        Self { status: 429, retry_after: None, headers: HeaderMap::new(), body: String::new() }
    }

    /// The text of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; panics when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// The body of a chat of one message for `group` that allows `most` tokens for the answer.
pub fn chat(group: &str, most: u32) -> Value {
    json!({ "model": group, "max_tokens": most, "messages": [{ "role": "user", "content": "Hey" }] })
}

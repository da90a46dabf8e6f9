//! A client that speaks HTTP to a router over loopback.

use std::net::SocketAddr;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use weighbridge_providers::transport::HttpTransport;

/// Speaks to one router; every request has a connection of its own, so that none outlives it.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    http: reqwest::Client,
    key: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
    /// Whether the connection broke before the body's end.
    pub(crate) is_cut: bool,
}

/// The body of a chat of one message for `model`.
pub(crate) fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hey" }] })
}

/// The same as a stream.
pub(crate) fn chat_stream(model: &str) -> Value {
    json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": "Hey" }] })
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        // Installs the process's TLS provider, without which no client can be built.
        HttpTransport::new().expect("a transport");
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).tcp_nodelay(true).build();
        Self { address, http: http.expect("a client"), key: None, headers: Vec::new() }
    }

    /// The same, with a key for every request.
    pub(crate) fn with_key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The same, with one more header for every request.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Where the router listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request; the answer's body is still arriving.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<reqwest::Response> {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await
    }

    /// Begins a chat; panics when the router cannot be reached.
    pub(crate) async fn begin(&self, body: &Value) -> reqwest::Response {
        self.open(Method::POST, "/v1/chat/completions", Some(body)).await.expect("the router answers")
    }

    /// A chat to its end.
    pub(crate) async fn chat(&self, body: &Value) -> Reply {
        Reply::read(self.begin(body).await).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        Reply::read(self.open(Method::POST, path, Some(body)).await.expect("the router answers")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::read(self.open(Method::GET, path, None).await.expect("the router answers")).await
    }

    /// The row of `id` in `GET /router/deployments`; null when there is none.
    pub(crate) async fn deployment(&self, id: &str) -> Value {
        let page = self.get("/router/deployments").await.json();
        let rows = page["deployments"].as_array().expect("rows").iter();
        rows.clone().find(|row| row["id"] == id).cloned().unwrap_or_default()
    }

    /// What `GET /v1/models` lists.
    pub(crate) async fn models(&self) -> Vec<String> {
        let page = self.get("/v1/models").await.json();
        let rows = page["data"].as_array().expect("rows").iter();
        rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// Requests being served, as `GET /health` tells.
    pub(crate) async fn in_flight(&self) -> u64 {
        self.get("/health").await.json()["in_flight"].as_u64().expect("a number")
    }
}

impl Reply {
    /// Reads `response` to its end, whatever that is.
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (mut bytes, mut is_cut) = (Vec::new(), false);
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(_) => is_cut = true,
            }
        }
        Self { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), is_cut }
    }

    /// The body as JSON; panics when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Whether it is a stream that ended as it should.
    pub(crate) fn is_whole_stream(&self) -> bool {
        self.status == 200 && !self.is_cut && self.body.ends_with("data: [DONE]\n\n")
    }

    /// The text of the first choice: of a whole reply, or of a stream's chunks put together.
    pub(crate) fn text(&self) -> String {
        if self.header("content-type") == "application/json" {
            return self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        }
        let chunks = self.events().into_iter();
        chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
    }

    /// The JSON of every event of a stream, `[DONE]` left out.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("JSON")).collect()
    }
}

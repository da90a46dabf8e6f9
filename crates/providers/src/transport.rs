//! The one way out: sends a request and hands back status, headers and the bytes as they come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use http_body_util::BodyExt;
use weighbridge_domain::failure::{Failure, FailureKind};

/// A provider's answer, its body still arriving.
pub type UpstreamResponse = http::Response<BodyStream>;

/// The bytes of a body as they arrive. Dropping it closes the connection to the provider.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// A response on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<UpstreamResponse, Failure>> + Send + 'a>>;

/// Sends requests to providers. Redirects are not followed. Timeouts but the one for connecting
/// are the caller's: dropping the future or the body cancels the call.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request`; answers when the response's headers are there.
    ///
    /// # Errors
    /// [`weighbridge_domain::failure::FailureKind::Unreachable`] when there was no connection,
    /// `Timeout` when connecting took too long, `BrokenReply` when it broke before the headers.
    fn send(&self, request: http::Request<Bytes>) -> Sending<'_>;
}

/// Connections kept alive per provider while nobody uses them.
const IDLE_CONNECTIONS: usize = 256;
/// How long connecting may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends over HTTP: one pool of connections for the whole process.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A transport with a fresh pool.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    #[expect(
        clippy::let_underscore_must_use,
        reason = "a second installation is refused, and the first one is the same"
    )]
    pub fn new() -> Result<Self, reqwest::Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            // A redirect would carry credentials to somebody the operator never named.
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()?;
        Ok(Self { client })
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: http::Request<Bytes>) -> Sending<'_> {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(|error| failed(&error))?;
            let response = self.client.execute(request).await.map_err(|error| failed(&error))?;
            let response = http::Response::<reqwest::Body>::from(response);
            let (parts, body) = response.into_parts();
            let stream = BodyExt::into_data_stream(body).map_err(|error| {
                Failure::new(FailureKind::BrokenReply, format!("the provider's reply broke off: {}", cause(&error)))
            });
            Ok(http::Response::from_parts(parts, Box::pin(stream) as BodyStream))
        })
    }
}

/// A call that came to nothing, without the URL: its host and path are configuration, but a
/// query may hold a secret.
fn failed(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::new(FailureKind::Timeout, "connecting to the provider took too long");
    }
    if error.is_connect() {
        return Failure::new(FailureKind::Unreachable, format!("the provider cannot be reached: {}", cause(error)));
    }
    Failure::new(FailureKind::BrokenReply, format!("the provider broke the connection: {}", cause(error)))
}

/// The innermost reason, which is the one that says something.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

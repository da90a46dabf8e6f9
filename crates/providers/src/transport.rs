//! The one way out: sends a request and hands back status, headers and the bytes as they come.

mod connect;
mod foreign;
mod gather;
mod http1;
mod http2;
mod pool;
mod resolver;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use http_body_util::BodyExt;
use hyper_util::client::proxy::matcher::Matcher;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::hosts::Border;

use self::foreign::Foreign;
use self::pool::Pool;
pub use self::resolver::{Resolved, Resolver, SystemResolver};

/// A provider's answer, its body still arriving.
pub type UpstreamResponse = http::Response<BodyStream>;

/// The bytes of a body as they arrive. Dropping it closes the connection to the provider.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// A response on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<UpstreamResponse, Failure>> + Send + 'a>>;

/// Sends requests to providers. Redirects are not followed. Timeouts but the one for connecting
/// are the caller's: dropping the future or the body cancels the call.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` as far as `reach` goes; answers when the response's headers are there.
    ///
    /// # Errors
    /// [`weighbridge_domain::failure::FailureKind::Unreachable`] when there was no connection,
    /// `Timeout` when connecting took too long, `BrokenReply` when it broke before the headers, `BadRequest` when a
    /// client may not name this host.
    fn send(&self, request: http::Request<Bytes>, reach: Reach) -> Sending<'_>;

    /// Goes by `border` from now on where a client named the host. One that reaches nobody real need not care.
    fn adopt(&self, _border: Border) {}
}

/// Who named the host that a request goes to, and with it how far it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The operator: anywhere.
    Configured,
    /// A client: to public addresses, and what the rules allow.
    Foreign,
}

/// Sends over HTTP.
///
/// Where the operator named the host, which is every request of most routers, over connections of our own
/// ([`pool`]). What those cannot do goes through a client that can, at a few times the cost: proxies of the
/// environment, URLs with a user's name, and hosts that clients name, which have connections of their own so that what
/// is checked is the address connected to.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    pool: Arc<Pool>,
    proxies: Arc<Matcher>,
    general: reqwest::Client,
    foreign: Arc<ArcSwap<Foreign>>,
    resolver: Arc<dyn Resolver>,
}

impl HttpTransport {
    /// A transport without connections. Clients may name public hosts until [`Transport::adopt`] says more.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::with_resolver(Arc::new(SystemResolver))
    }

    /// The same, with names of hosts that clients name resolved by `resolver`.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    #[expect(
        clippy::let_underscore_must_use,
        reason = "a second installation is refused, and the first one is the same"
    )]
    pub fn with_resolver(resolver: Arc<dyn Resolver>) -> Result<Self, reqwest::Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let foreign = Foreign::new(Border::default(), Arc::clone(&resolver));
        Ok(Self {
            pool: Pool::new(),
            proxies: Arc::new(Matcher::from_env()),
            general: builder().build()?,
            foreign: Arc::new(ArcSwap::from_pointee(foreign)),
            resolver,
        })
    }

    /// The client for a request that our own connections are not for.
    fn client(&self, uri: &http::Uri, reach: Reach) -> Result<Option<reqwest::Client>, Failure> {
        if reach == Reach::Foreign {
            return self.foreign.load().client(uri).map(Some);
        }
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let is_general = has_user || self.proxies.intercept(uri).is_some();
        Ok(is_general.then(|| self.general.clone()))
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: http::Request<Bytes>, reach: Reach) -> Sending<'_> {
        Box::pin(async move {
            match self.client(request.uri(), reach)? {
                None => self.pool.send(request).await,
                Some(client) => Box::pin(send_by(&client, request)).await,
            }
        })
    }

    fn adopt(&self, border: Border) {
        if *self.foreign.load().border() != border {
            // Connections that are open go with the old one: the new rules may forbid them.
            self.foreign.store(Arc::new(Foreign::new(border, Arc::clone(&self.resolver))));
        }
    }
}

/// A client to be, with what holds for all.
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(connect::CONNECT_TIMEOUT)
        // A redirect would carry credentials to somebody the operator never named.
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
}

async fn send_by(client: &reqwest::Client, request: http::Request<Bytes>) -> Result<UpstreamResponse, Failure> {
    let request = reqwest::Request::try_from(request).map_err(|error| failed(&error))?;
    let response = client.execute(request).await.map_err(|error| failed(&error))?;
    let response = http::Response::<reqwest::Body>::from(response);
    let stream = |body| Box::pin(BodyExt::into_data_stream(body).map_err(|error| broken_off(&error))) as BodyStream;
    Ok(response.map(stream))
}

/// A call that came to nothing, without the URL: its host and path are configuration, but a
/// query may hold a secret.
fn failed(error: &reqwest::Error) -> Failure {
    if let Some(refusal) = foreign::refusal(error) {
        return foreign::refused(refusal);
    }
    if error.is_timeout() {
        return connect::took_too_long();
    }
    if error.is_connect() { connect::unreachable(&cause(error)) } else { broken(error) }
}

/// A connection that broke before an answer.
fn broken(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureKind::BrokenReply, format!("the provider broke the connection: {}", cause(error)))
}

/// An answer that has no end.
fn broken_off(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureKind::BrokenReply, format!("the provider's reply broke off: {}", cause(error)))
}

/// The innermost reason, which is the one that says something.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

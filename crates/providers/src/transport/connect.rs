//! New connections: TCP, and TLS where the URL asks for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tower::ServiceExt;
use weighbridge_domain::failure::{Failure, FailureKind};

use super::cause;

/// How long connecting may take, TLS included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// When a connection that says nothing is asked whether it is still there, by TCP.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// The bytes of a connection.
pub(super) type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections.
#[derive(Debug)]
pub(super) struct Connector {
    plain: HttpConnector,
    /// Made when first needed: reading certificates takes time, and not every router needs any.
    secure: OnceLock<HttpsConnector<HttpConnector>>,
}

impl Connector {
    pub(super) fn new() -> Self {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        plain.set_keepalive(Some(KEEP_ALIVE));
        Self { plain, secure: OnceLock::new() }
    }

    /// One whose TLS goes by `config`.
    #[cfg(test)]
    pub(super) fn trusting(config: ClientConfig) -> Self {
        let connector = Self::new();
        connector.secure.get_or_init(|| secured(&connector.plain, config));
        connector
    }

    /// A connection to the host of `uri`, and whether HTTP/2 was agreed on.
    ///
    /// # Errors
    /// `Unreachable` when there is none to be had, `Timeout` when that takes too long.
    pub(super) async fn connect(&self, uri: Uri) -> Result<(Io, bool), Failure> {
        let opening = async {
            let opened = if uri.scheme_str() == Some("https") {
                self.secure()?.clone().oneshot(uri).await
            } else {
                self.plain.clone().oneshot(uri).await.map(MaybeHttpsStream::Http).map_err(Into::into)
            };
            opened.map_err(|error| unreachable(&cause(&*error)))
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
            Ok(opened) => opened.map(|io| {
                let is_http2 = io.connected().is_negotiated_h2();
                (io, is_http2)
            }),
            Err(_) => Err(took_too_long()),
        }
    }

    fn secure(&self) -> Result<&HttpsConnector<HttpConnector>, Failure> {
        if let Some(made) = self.secure.get() {
            return Ok(made);
        }
        let config = client_config().map_err(|error| unreachable(&error.to_string()))?;
        Ok(self.secure.get_or_init(|| secured(&self.plain, config)))
    }
}

/// TLS by `config` over connections of `plain`, with HTTP/2 where the server has it.
fn secured(plain: &HttpConnector, config: ClientConfig) -> HttpsConnector<HttpConnector> {
    let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_all_versions();
    builder.wrap_connector(plain.clone())
}

/// TLS that trusts whom this machine trusts.
fn client_config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_platform_verifier()?.with_no_client_auth())
}

/// What says that no connection is to be had.
pub(super) fn unreachable(why: &str) -> Failure {
    Failure::new(FailureKind::Unreachable, format!("the provider cannot be reached: {why}"))
}

pub(super) fn took_too_long() -> Failure {
    Failure::new(FailureKind::Timeout, "connecting to the provider took too long")
}

//! The way to hosts that clients name: no further than the border, whatever a name server says.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::hosts::{Border, HostRefusal};

use super::{Resolver, builder};

/// The connections to such hosts under one border.
///
/// A resolver is not told the port, which the border may ask for. So every port that it mentions has a client of its
/// own, and all others share one.
#[derive(Debug)]
pub(super) struct Foreign {
    border: Arc<Border>,
    resolver: Arc<dyn Resolver>,
    by_port: BTreeMap<u16, OnceLock<reqwest::Client>>,
    elsewhere: OnceLock<reqwest::Client>,
}

impl Foreign {
    pub(super) fn new(border: Border, resolver: Arc<dyn Resolver>) -> Self {
        let by_port = border.ports().map(|port| (port, OnceLock::new())).collect();
        Self { border: Arc::new(border), resolver, by_port, elsewhere: OnceLock::new() }
    }

    pub(super) fn border(&self) -> &Border {
        &self.border
    }

    /// A client for `uri`, whose connections do not cross the border.
    ///
    /// # Errors
    /// When the host may not be named at all: addresses are not resolved, so this is where they are checked.
    pub(super) fn client(&self, uri: &http::Uri) -> Result<reqwest::Client, Failure> {
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let checked = self.border.check_url(&format!("{scheme}://{authority}/"));
        let port = checked.inspect_err(warn).map_err(|refusal| refused(&refusal))?.port;
        match self.by_port.get(&port) {
            Some(client) => self.made(client, Some(port)),
            None => self.made(&self.elsewhere, None),
        }
    }

    /// The client in `slot`, made when first needed: most routers never need one, and certificates take time to read.
    fn made(&self, slot: &OnceLock<reqwest::Client>, port: Option<u16>) -> Result<reqwest::Client, Failure> {
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let guard = Guard { border: Arc::clone(&self.border), resolver: Arc::clone(&self.resolver), port };
        // A proxy would resolve names itself.
        let made = builder().no_proxy().dns_resolver(Arc::new(guard)).build();
        let client = made.map_err(|_| Failure::new(FailureKind::Unreachable, "the HTTP client cannot be set up"))?;
        Ok(slot.get_or_init(|| client).clone())
    }
}

/// What a client is told of `refusal`.
pub(super) fn refused(refusal: &HostRefusal) -> Failure {
    Failure { status: Some(400), ..Failure::new(FailureKind::BadRequest, refusal.to_string()) }
}

/// The refusal that made `error`, when one did.
pub(super) fn refusal(error: &reqwest::Error) -> Option<&HostRefusal> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref() {
            return Some(refusal);
        }
        cause = inner.source();
    }
    None
}

/// Resolves names to addresses that may be connected to at `port`, and to nothing else.
struct Guard {
    border: Arc<Border>,
    resolver: Arc<dyn Resolver>,
    port: Option<u16>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (border, port, found) = (Arc::clone(&self.border), self.port, self.resolver.resolve(name.as_str()));
        Box::pin(async move {
            let kept = border.screen(name.as_str(), port, found.await?).inspect_err(warn)?;
            // The URL's port takes the place of 0.
            Ok(Box::new(kept.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// Tells the operator: somebody tries to get where they may not, or a rule is missing.
fn warn(refusal: &HostRefusal) {
    tracing::warn!(host = %refusal.host, reason = %refusal.why, "a client named a host that it may not reach");
}

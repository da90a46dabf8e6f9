//! The one way out: sends a request and hands back status, headers and the bytes as they come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use weighbridge_domain::failure::Failure;

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

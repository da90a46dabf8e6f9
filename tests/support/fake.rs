//! The way to simulated providers without a network, so that time can be virtual.

use bytes::Bytes;
use futures_util::TryStreamExt;
use tower::ServiceExt;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_fakellm::FakeLlm;
use weighbridge_providers::transport::{BodyStream, Sending, Transport};

/// Reaches the simulated providers below `http://fake/`; every other host refuses connections.
#[derive(Debug)]
pub(crate) struct FakeTransport {
    router: axum::Router,
}

impl FakeTransport {
    pub(crate) fn new(fake: &FakeLlm) -> Self {
        Self { router: fake.router() }
    }
}

impl Transport for FakeTransport {
    fn send(&self, request: http::Request<Bytes>) -> Sending<'_> {
        Box::pin(async move {
            if request.uri().host() != Some("fake") {
                return Err(Failure::new(
                    FailureKind::Unreachable,
                    "the provider cannot be reached: connection refused",
                ));
            }
            let Ok(response) = self.router.clone().oneshot(request.map(axum::body::Body::from)).await;
            let (parts, body) = response.into_parts();
            let broken = |error| Failure::new(FailureKind::BrokenReply, format!("the reply broke off: {error}"));
            let stream = body.into_data_stream().map_err(broken);
            Ok(http::Response::from_parts(parts, Box::pin(stream) as BodyStream))
        })
    }
}

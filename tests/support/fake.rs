//! The way to simulated providers without a network, so that time can be virtual.

use bytes::Bytes;
use futures_util::TryStreamExt;
use tower::ServiceExt;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::request::Operation;
use weighbridge_fakellm::FakeLlm;
use weighbridge_providers::transport::{BodyStream, Reach, Sending, Transport};

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
    fn send(&self, request: http::Request<Bytes>, _: Reach) -> Sending<'_> {
        Box::pin(async move {
            if request.uri().host() != Some("fake") {
                return Err(Failure::new(
                    FailureKind::Unreachable,
                    "the provider cannot be reached: connection refused",
                ));
            }
            answer(&self.router, request).await
        })
    }
}

/// Reaches one simulated provider, whatever host and base a request is for.
#[derive(Debug)]
pub(crate) struct Redirected {
    router: axum::Router,
    provider: &'static str,
}

impl Redirected {
    pub(crate) fn new(fake: &FakeLlm, provider: &'static str) -> Self {
        Self { router: fake.router(), provider }
    }
}

/// How the paths of formats begin that are not `OpenAI`'s, below wherever a proxy puts them.
const OWN_PATHS: [&str; 5] = ["/v1/projects/", "/model/", "/api/chat", "/api/embed", "/v2/"];

impl Transport for Redirected {
    fn send(&self, mut request: http::Request<Bytes>, _: Reach) -> Sending<'_> {
        let path = request.uri().path();
        // Formats of a provider's own are told by how their paths begin.
        let own = OWN_PATHS.iter().find_map(|start| path.find(start));
        let google = path.find("/models/").filter(|_| path.contains(':'));
        let ends = Operation::ALL.iter().map(|operation| operation.path()).filter(|end| path.ends_with(end));
        // `/chat/completions` ends in `/completions` too.
        let operation = ends.max_by_key(|end| end.len());
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let base = match (own, google) {
            (Some(at), _) => format!("/{}{}{query}", self.provider, &path[at..]),
            (None, Some(at)) => format!("/{}/v1beta{}{query}", self.provider, &path[at..]),
            (None, None) => format!("/{}/v1{}", self.provider, operation.unwrap_or(path)),
        };
        *request.uri_mut() = base.parse().expect("a path");
        Box::pin(answer(&self.router, request))
    }
}

async fn answer(router: &axum::Router, request: http::Request<Bytes>) -> Result<http::Response<BodyStream>, Failure> {
    let Ok(response) = router.clone().oneshot(request.map(axum::body::Body::from)).await;
    let (parts, body) = response.into_parts();
    let broken = |error| Failure::new(FailureKind::BrokenReply, format!("the reply broke off: {error}"));
    let stream = body.into_data_stream().map_err(broken);
    Ok(http::Response::from_parts(parts, Box::pin(stream) as BodyStream))
}

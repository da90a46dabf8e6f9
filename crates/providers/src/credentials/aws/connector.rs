//! The way out for AWS' own crates: through this process's one transport.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use weighbridge_domain::failure::Failure;

use crate::credentials::token;
use crate::transport::{Reach, Transport};

/// How long a call may take at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls over a transport.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    transport: Arc<dyn Transport>,
    patience: Duration,
}

impl Connector {
    /// Calls over `transport`.
    pub(super) fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, patience: PATIENCE }
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let asked = settings.connect_timeout().zip(settings.read_timeout());
        let patience = asked.map_or(PATIENCE, |(connect, read)| PATIENCE.min(connect + read));
        SharedHttpConnector::new(Self { transport: Arc::clone(&self.transport), patience })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { transport, patience } = self.clone();
        HttpConnectorFuture::new(async move {
            match tokio::time::timeout(patience, call(transport.as_ref(), request)).await {
                Ok(response) => response,
                Err(elapsed) => Err(ConnectorError::timeout(elapsed.into())),
            }
        })
    }
}

async fn call(transport: &dyn Transport, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    // What finds keys sends short forms, never streams.
    let request = request.map(|body| body.bytes().map(Bytes::copy_from_slice).unwrap_or_default());
    let response = transport.send(request, Reach::Configured).await.map_err(|failure| broken(&failure))?;
    let (parts, stream) = response.into_parts();
    let body = token::read(stream).await.map_err(|why| ConnectorError::io(why.into()))?;
    let response = http::Response::from_parts(parts, SdkBody::from(body));
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

fn broken(failure: &Failure) -> ConnectorError {
    ConnectorError::io(failure.message.clone().into())
}

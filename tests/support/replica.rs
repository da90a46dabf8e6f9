//! A router in this process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use tower::ServiceExt;
use weighbridge_config::load_text;
use weighbridge_domain::event::Silent;
use weighbridge_domain::table::RoutingTable;
use weighbridge_engine::{Engine, Parts};
use weighbridge_fakellm::FakeLlm;
use weighbridge_providers::catalog::catalog;
use weighbridge_providers::transport::Transport;
use weighbridge_server::{App, AppParts, Drain, MetricsPage, Reload, Reloaded, Reloading, Snapshot, router};
use weighbridge_state::memory::MemoryStore;

use super::fake::FakeTransport;

/// A router whose providers are simulated in this process.
pub(crate) struct InProcess {
    router: axum::Router,
}

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl InProcess {
    /// A router by `config`; panics with every problem when it cannot serve.
    pub(crate) fn new(config: &str, env: &HashMap<String, String>, fake: &FakeLlm) -> Self {
        Self::of(table(config, env), Arc::new(FakeTransport::new(fake)))
    }

    /// A router by `table` that reaches providers by `transport`.
    pub(crate) fn of(table: RoutingTable, transport: Arc<dyn Transport>) -> Self {
        let engine = Engine::new(
            Arc::new(table),
            Parts {
                state: Arc::new(MemoryStore::new(Arc::new(Silent))),
                transport,
                observer: Arc::new(Silent),
                seed: Some(7),
            },
        );
        let app = App::new(AppParts {
            engine: Arc::new(engine),
            metrics: Arc::new(NoPage),
            reload: Arc::new(NoPage),
            drain: Drain::new(),
        });
        Self { router: router(app) }
    }

    /// Sends `request` from loopback; reads the answer to its end.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("bodies end");
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Response { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// The table of a configuration; panics with every problem when it cannot serve.
pub(crate) fn table(config: &str, env: &HashMap<String, String>) -> RoutingTable {
    match load_text(config, &catalog(), env) {
        Ok(loaded) => loaded.table,
        Err(refused) => {
            let problems: Vec<String> = refused.problems.iter().map(ToString::to_string).collect();
            panic!("{}\n{config}", problems.join("\n"));
        }
    }
}

/// No metrics and no reload: both have tests of their own.
#[derive(Debug)]
struct NoPage;

impl MetricsPage for NoPage {
    fn render(&self, _: &Snapshot) -> Result<String, String> {
        Ok(String::new())
    }
}

impl Reload for NoPage {
    fn reload(&self) -> Reloading<'_> {
        Box::pin(async { Ok(Reloaded { generation: 1, warnings: Vec::new() }) })
    }
}

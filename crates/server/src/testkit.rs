//! A small table, an engine over it that can call nobody, and an app around both.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use weighbridge_domain::deployment::{Auth, Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::event::Silent;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::plan::Plan;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::table::{Entry, LeftOut, ListedModel, RoutingTable};
use weighbridge_domain::usage::Price;
use weighbridge_domain::view::{DeploymentView, Health, WindowUsage};
use weighbridge_engine::{Engine, Parts};
use weighbridge_providers::transport::{Reach, Sending, Transport};
use weighbridge_state::memory::MemoryStore;

use crate::app::{App, AppParts, MetricsPage, Reload, Reloaded, Reloading};
use crate::drain::Drain;
use crate::snapshot::Snapshot;

/// `gpt-4o` with `dep-1` and `dep/2`, and `dep-3` left out.
pub(crate) fn table() -> RoutingTable {
    let deployments = vec![Arc::new(deployment("dep-1")), Arc::new(deployment("dep/2"))];
    let mut table = RoutingTable::default();
    table.fingerprint = "f00d".into();
    let name = "gpt-4o".into();
    table.add_entry("gpt-4o", Entry { plan: Arc::new(Plan::group(name)), group: Some("gpt-4o".into()) });
    table.list(ListedModel { name: "gpt-4o".into(), group: Some("gpt-4o".into()) });
    table.add_group(ModelGroup::new("gpt-4o", deployments));
    let left_out = LeftOut { deployment: Arc::new(deployment("dep-3")), reason: "os.environ/KEY is not set".into() };
    table.add_left_out(left_out);
    table
}

fn deployment(id: &str) -> Deployment {
    let endpoint = Endpoint {
        auth: Auth::Bearer(Secret::new("sk-provider")),
        ..Endpoint::new("openai", "https://api.example/v1")
    };
    Deployment {
        limits: Limits { rpm: Some(10), tpm: Some(1000), ..Limits::default() },
        tags: vec!["paid".into()],
        price: Some(Price { input: 1e-6, output: 2e-6, ..Price::default() }),
        max_input_tokens: Some(128_000),
        mode: Some("chat".into()),
        info: RawValue::from_string(r#"{"team":"blue","id":"written"}"#.into()).ok(),
        ..Deployment::new(id, "gpt-4o", ModelTemplate::new("gpt-4o-2024"), endpoint)
    }
}

/// What is known of a deployment that has done nothing yet.
pub(crate) fn idle() -> DeploymentView {
    DeploymentView {
        health: Health::Ready,
        usage: WindowUsage::default(),
        in_flight: 0,
        latency: None,
        oldest_waiting: Duration::ZERO,
    }
}

/// An engine over `table`.
pub(crate) fn engine(table: RoutingTable) -> Arc<Engine> {
    let observer = Arc::new(Silent);
    let parts = Parts {
        state: Arc::new(MemoryStore::new(observer.clone())),
        transport: Arc::new(Nobody),
        observer,
        seed: Some(1),
    };
    Arc::new(Engine::new(Arc::new(table), parts))
}

/// An app over `table`.
pub(crate) fn app(table: RoutingTable, drain: Drain) -> Arc<App> {
    let engine = engine(table);
    App::new(AppParts { engine, metrics: Arc::new(Page), reload: Arc::new(Refused), drain })
}

/// Reaches nobody.
#[derive(Debug)]
struct Nobody;

impl Transport for Nobody {
    fn send(&self, _: http::Request<Bytes>, _: Reach) -> Sending<'_> {
        Box::pin(async { Err(Failure::new(FailureKind::Unreachable, "nobody is there")) })
    }
}

#[derive(Debug)]
struct Page;

impl MetricsPage for Page {
    fn render(&self, snapshot: &Snapshot) -> Result<String, String> {
        Ok(format!("weighbridge_store_mode{{mode=\"{}\"}} 1\n", snapshot.status.mode.label()))
    }
}

/// A configuration that has become bad.
#[derive(Debug)]
struct Refused;

impl Reload for Refused {
    fn reload(&self) -> Reloading<'_> {
        let refused: Result<Reloaded, _> = Err(vec!["error: router_config.yaml:3: model_list: missing".to_owned()]);
        Box::pin(async { refused })
    }
}

//! Deployments and views for tests.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::view::{DeploymentView, Health, Latency, WindowUsage};

pub(crate) fn deployment(id: &str, edit: impl FnOnce(&mut Deployment)) -> Arc<Deployment> {
    let endpoint = Endpoint::new("openai", "http://localhost/v1");
    let mut deployment = Deployment::new(id, "g", ModelTemplate::new("m"), endpoint);
    edit(&mut deployment);
    Arc::new(deployment)
}

pub(crate) fn group(deployments: Vec<Arc<Deployment>>) -> ModelGroup {
    ModelGroup::new("g", deployments)
}

pub(crate) fn view(health: Health) -> DeploymentView {
    DeploymentView {
        health,
        usage: WindowUsage::default(),
        in_flight: 0,
        latency: None,
        oldest_waiting: Duration::ZERO,
    }
}

/// A ready deployment with `in_flight` requests that used `tokens`.
pub(crate) fn busy(in_flight: u32, tokens: u64) -> DeploymentView {
    let usage = WindowUsage { requests: 1, input: tokens, output: 0 };
    DeploymentView { in_flight, usage, ..view(Health::Ready) }
}

/// A ready deployment that takes `ms` to its first token.
pub(crate) fn paced(ms: f64, in_flight: u32) -> DeploymentView {
    let latency = Latency { first_token_ms: ms, per_token_ms: 0.0, tokens: 10.0 };
    DeploymentView { in_flight, latency: Some(latency), ..view(Health::Ready) }
}

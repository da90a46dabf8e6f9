//! Deployments and views for tests.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::{Auth, Deployment, Endpoint, ModelTemplate, Paths};
use weighbridge_domain::group::{ModelGroup, Strategy};
use weighbridge_domain::limits::Limits;
use weighbridge_domain::policy::{CooldownPolicy, RetryPolicy, Timeouts};
use weighbridge_domain::provider::Wire;
use weighbridge_domain::rotation::Rotation;
use weighbridge_domain::view::{DeploymentView, Health, Latency, WindowUsage};

pub(crate) fn deployment(id: &str, edit: impl FnOnce(&mut Deployment)) -> Arc<Deployment> {
    let mut deployment = Deployment {
        id: id.into(),
        group: "g".into(),
        model: ModelTemplate::new("m"),
        endpoint: Endpoint {
            provider: "openai".into(),
            wire: Wire::OpenAi,
            base_url: "http://localhost/v1".to_owned(),
            paths: Paths::OpenAi,
            auth: Auth::None,
            headers: Vec::new(),
            stream_usage: true,
        },
        limits: Limits::default(),
        weight: None,
        order: 0,
        tags: Vec::new(),
        tag_patterns: Vec::new(),
        region: None,
        price: None,
        max_input_tokens: None,
        max_output_tokens: None,
        timeouts: Timeouts::default(),
        retries: None,
        cooldown: CooldownPolicy::default(),
        body_defaults: Vec::new(),
        body_drops: Vec::new(),
        mock: None,
        client_credentials: false,
        mode: None,
        info: None,
    };
    edit(&mut deployment);
    Arc::new(deployment)
}

pub(crate) fn group(deployments: Vec<Arc<Deployment>>) -> ModelGroup {
    let weights: Vec<f64> = deployments.iter().map(|d| d.weight.unwrap_or(1.0)).collect();
    ModelGroup {
        name: "g".into(),
        strategy: Strategy::LeastUsage,
        retry: RetryPolicy::default(),
        peers: deployments.iter().map(|d| d.id.clone()).collect(),
        rotation: Rotation::new(&weights),
        listed: true,
        tag_filtering: None,
        paused: false,
        deployments,
    }
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

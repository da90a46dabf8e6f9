//! A small table with secrets in every place that can hold one, for tests.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::{Auth, Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::event::{AttemptRecord, RequestRecord};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::request::Operation;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::table::{LeftOut, RoutingTable};
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::usage::Usage;
use weighbridge_domain::view::{DeploymentView, Health, WindowUsage};

/// What must show up nowhere.
pub(crate) const SECRET: &str = "sk-very-secret";

/// Group `gpt-4o` of `azure-eu` and `azure-us`; `openai` is left out.
pub(crate) fn table() -> RoutingTable {
    table_of(&["azure-eu", "azure-us"])
}

/// Group `gpt-4o` of `ids`; `openai` is left out.
pub(crate) fn table_of(ids: &[&str]) -> RoutingTable {
    let mut table = RoutingTable::default();
    table.fingerprint = "f00d".to_owned();
    let deployments: Vec<_> = ids.iter().map(|id| Arc::new(deployment(id))).collect();
    table.add_group(ModelGroup::new("gpt-4o", deployments));
    table.add_left_out(LeftOut {
        deployment: Arc::new(deployment("openai")),
        reason: "OPENAI_API_KEY is not set".into(),
    });
    table
}

fn deployment(id: &str) -> Deployment {
    let endpoint = Endpoint {
        auth: Auth::Bearer(Secret::new(SECRET)),
        headers: vec![("x-extra".into(), Secret::new(SECRET))],
        ..Endpoint::new("azure", format!("https://user:{SECRET}@example.invalid"))
    };
    Deployment {
        limits: Limits { rpm: Some(60), tpm: Some(10_000), ..Limits::default() },
        ..Deployment::new(id, "gpt-4o", ModelTemplate::new("gpt-4o-2024"), endpoint)
    }
}

/// What is known of a deployment in that health.
pub(crate) fn view(health: Health) -> DeploymentView {
    DeploymentView {
        health,
        usage: WindowUsage { requests: 3, input: 900, output: 100 },
        in_flight: 2,
        latency: None,
        oldest_waiting: Duration::from_millis(1500),
    }
}

/// A request that met a rate limit at `azure-eu` and was served by `azure-us`.
pub(crate) fn served() -> RequestRecord {
    RequestRecord {
        request_id: "req-1".into(),
        trace_id: "trace-1".into(),
        metadata: Some(r#"{"user":"u"}"#.into()),
        time: Timestamp::from_millis(0),
        operation: Operation::Chat,
        model: "gpt-4o".into(),
        group: Some("gpt-4o".into()),
        deployment: Some("azure-us".into()),
        status: 200,
        kind: None,
        stream: true,
        client_gone: false,
        attempts: vec![
            attempt("azure-eu", 429, Some(FailureKind::RateLimited), 12),
            attempt("azure-us", 200, None, 310),
        ],
        retries: 1,
        fallbacks: 0,
        plan_path: "config.targets[0]".into(),
        usage: Some(Usage { prompt_tokens: 20, completion_tokens: 7, cache_read_tokens: 5, ..Usage::default() }),
        cost: Some(0.00025),
        ms: 330,
        first_token_ms: Some(120),
    }
}

/// A request for a model that there is not.
pub(crate) fn refused(model: &str) -> RequestRecord {
    RequestRecord {
        model: model.to_owned(),
        group: None,
        deployment: None,
        status: 404,
        kind: Some(FailureKind::NotFound),
        stream: false,
        attempts: Vec::new(),
        retries: 0,
        plan_path: "".into(),
        usage: None,
        cost: None,
        ms: 0,
        first_token_ms: None,
        ..served()
    }
}

/// One attempt.
pub(crate) fn attempt(id: &str, status: u16, kind: Option<FailureKind>, ms: u64) -> AttemptRecord {
    AttemptRecord { deployment: Some(id.into()), status, kind, ms }
}

//! What is read at scrape time: the state of every deployment as this replica sees the fleet.
//!
//! With shared state every replica says the same, so take the maximum over replicas, not the sum.

use std::time::Duration;

use prometheus::{Error, GaugeVec, IntGauge, IntGaugeVec};
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health};

use super::register::Register;

/// What a scrape reads.
#[derive(Debug, Clone, Copy)]
pub struct Scrape<'a> {
    /// The table in force.
    pub table: &'a RoutingTable,
    /// What is known of its deployments, in the order of [`RoutingTable::deployments`].
    pub views: &'a [DeploymentView],
    /// Where the shared truth is at present, as one of `modes`.
    pub mode: &'a str,
    /// Every mode there is.
    pub modes: &'a [&'a str],
    /// Replicas of the fleet, this one included.
    pub replicas: u32,
    /// How far each deployment's limits might be exceeded, in the order of `views`.
    pub overshoot: &'a [Overshoot],
    /// The instant that `views` are of.
    pub now: Timestamp,
}

/// How far beyond its limits a deployment might be used in any minute; infinite without a bound.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Overshoot {
    /// Requests beyond `rpm`.
    pub requests: f64,
    /// Tokens beyond `tpm`.
    pub tokens: f64,
}

/// Every state a deployment can be in.
const STATES: [&str; 5] = ["ready", "cooling", "half_open", "drained", "left_out"];

/// Gauges made for one scrape.
#[derive(Debug)]
pub(super) struct FleetGauges {
    info: IntGaugeVec,
    state: IntGaugeVec,
    left_out: IntGauge,
    usage: UsageGauges,
    limits: LimitGauges,
    in_flight: IntGaugeVec,
    cooldown_remaining: GaugeVec,
    latency: GaugeVec,
    latency_first_token: GaugeVec,
    oldest_waiting: GaugeVec,
    store_mode: IntGaugeVec,
    replicas: IntGauge,
    overshoot_requests: GaugeVec,
    overshoot_tokens: GaugeVec,
    config_info: IntGaugeVec,
}

#[derive(Debug)]
struct UsageGauges {
    requests: GaugeVec,
    tokens: GaugeVec,
    input: GaugeVec,
    output: GaugeVec,
}

#[derive(Debug)]
struct LimitGauges {
    rpm: IntGaugeVec,
    tpm: IntGaugeVec,
    itpm: IntGaugeVec,
    otpm: IntGaugeVec,
    parallel: IntGaugeVec,
}

impl FleetGauges {
    pub(super) fn register(r: &mut Register) -> Result<Self, Error> {
        let by = &["deployment"];
        Ok(Self {
            info: r.int_gauges(
                "weighbridge_deployment_info",
                "1, labelled with what a deployment is.",
                &["deployment", "group", "provider", "model"],
            )?,
            state: r.int_gauges(
                "weighbridge_deployment_state",
                "1 for the state a deployment is in, 0 for the others.",
                &["deployment", "group", "state"],
            )?,
            left_out: r.int_gauge(
                "weighbridge_deployments_left_out",
                "Deployments of the configuration that cannot be called.",
            )?,
            usage: UsageGauges::register(r)?,
            limits: LimitGauges::register(r)?,
            in_flight: r.int_gauges("weighbridge_in_flight", "Calls to a deployment in flight.", by)?,
            cooldown_remaining: r.gauges(
                "weighbridge_cooldown_remaining_seconds",
                "Until a deployment that rests is back; 0 for one that does not, or rests until it is restored.",
                by,
            )?,
            latency: r.gauges(
                "weighbridge_latency_seconds",
                "The moving average of a whole reply's time, in seconds.",
                by,
            )?,
            latency_first_token: r.gauges(
                "weighbridge_latency_first_token_seconds",
                "The moving average of the time to a first token, in seconds.",
                by,
            )?,
            oldest_waiting: r.gauges(
                "weighbridge_oldest_waiting_seconds",
                "The age of the oldest call in flight that has had no token yet.",
                by,
            )?,
            store_mode: r.int_gauges(
                "weighbridge_store_mode",
                "1 for where the shared truth is at present.",
                &["mode"],
            )?,
            replicas: r.int_gauge(
                "weighbridge_replicas",
                "Replicas that share the limits, this one included, as far as it knows.",
            )?,
            overshoot_requests: r.gauges(
                "weighbridge_worst_case_overshoot_requests",
                "Requests beyond its rpm that a deployment might get in a minute because this replica is cut off.",
                by,
            )?,
            overshoot_tokens: r.gauges(
                "weighbridge_worst_case_overshoot_tokens",
                "Tokens beyond its tpm that a deployment might get in a minute because this replica is cut off.",
                by,
            )?,
            config_info: r.int_gauges(
                "weighbridge_config_info",
                "1, labelled with the configuration's fingerprint; equal on replicas that agree.",
                &["fingerprint"],
            )?,
        })
    }

    pub(super) fn set(&self, scrape: &Scrape<'_>) {
        for (deployment, view) in scrape.table.deployments().zip(scrape.views) {
            self.describe(deployment, state(view.health));
            self.view(deployment, view, scrape.now);
        }
        for left_out in scrape.table.left_out() {
            self.describe(&left_out.deployment, "left_out");
        }
        self.left_out.set(i64::try_from(scrape.table.left_out().len()).unwrap_or(i64::MAX));
        for mode in scrape.modes {
            self.store_mode.with_label_values(&[*mode]).set(0);
        }
        self.store_mode.with_label_values(&[scrape.mode]).set(1);
        self.replicas.set(scrape.replicas.into());
        for (deployment, overshoot) in scrape.table.deployments().zip(scrape.overshoot) {
            let by = &[deployment.id.as_str()];
            self.overshoot_requests.with_label_values(by).set(overshoot.requests);
            self.overshoot_tokens.with_label_values(by).set(overshoot.tokens);
        }
        self.config_info.with_label_values(&[&scrape.table.fingerprint]).set(1);
    }

    fn describe(&self, deployment: &Deployment, state: &str) {
        let (id, group) = (deployment.id.as_str(), deployment.group.as_str());
        let (provider, model) = (deployment.endpoint.provider.as_str(), deployment.model.as_str());
        self.info.with_label_values(&[id, group, provider, model]).set(1);
        for known in STATES {
            self.state.with_label_values(&[id, group, known]).set((known == state).into());
        }
    }

    fn view(&self, deployment: &Deployment, view: &DeploymentView, now: Timestamp) {
        let by = &[deployment.id.as_str()];
        self.usage.set(by, view);
        self.limits.set(by, &deployment.limits);
        self.in_flight.with_label_values(by).set(view.in_flight.into());
        self.cooldown_remaining.with_label_values(by).set(remaining(view.health, now).as_secs_f64());
        self.oldest_waiting.with_label_values(by).set(view.oldest_waiting.as_secs_f64());
        if let Some(latency) = view.latency {
            self.latency.with_label_values(by).set(latency.expected_ms(latency.tokens) / 1000.0);
            self.latency_first_token.with_label_values(by).set(latency.first_token_ms / 1000.0);
        }
    }
}

impl UsageGauges {
    fn register(r: &mut Register) -> Result<Self, Error> {
        let by = &["deployment"];
        Ok(Self {
            requests: r.gauges("weighbridge_usage_requests", "Requests granted in the last minute.", by)?,
            tokens: r.gauges("weighbridge_usage_tokens", "Tokens granted in the last minute, input and output.", by)?,
            input: r.gauges("weighbridge_usage_input_tokens", "Input tokens granted in the last minute.", by)?,
            output: r.gauges("weighbridge_usage_output_tokens", "Output tokens granted in the last minute.", by)?,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "tokens of a minute are far below 2^53")]
    fn set(&self, by: &[&str; 1], view: &DeploymentView) {
        self.requests.with_label_values(by).set(view.usage.requests.into());
        self.tokens.with_label_values(by).set(view.usage.tokens() as f64);
        self.input.with_label_values(by).set(view.usage.input as f64);
        self.output.with_label_values(by).set(view.usage.output as f64);
    }
}

impl LimitGauges {
    fn register(r: &mut Register) -> Result<Self, Error> {
        let by = &["deployment"];
        Ok(Self {
            rpm: r.int_gauges("weighbridge_limit_rpm", "Requests a minute a deployment may take.", by)?,
            tpm: r.int_gauges("weighbridge_limit_tpm", "Tokens a minute a deployment may take.", by)?,
            itpm: r.int_gauges("weighbridge_limit_itpm", "Input tokens a minute a deployment may take.", by)?,
            otpm: r.int_gauges("weighbridge_limit_otpm", "Output tokens a minute a deployment may take.", by)?,
            parallel: r.int_gauges(
                "weighbridge_limit_max_parallel_requests",
                "Requests in flight at once a deployment may take.",
                by,
            )?,
        })
    }

    /// Sets what is limited; what is not has no series.
    fn set(&self, by: &[&str; 1], limits: &Limits) {
        let rows = [
            (&self.rpm, limits.rpm),
            (&self.tpm, limits.tpm),
            (&self.itpm, limits.itpm),
            (&self.otpm, limits.otpm),
            (&self.parallel, limits.max_parallel_requests),
        ];
        for (gauges, limit) in rows {
            if let Some(limit) = limit {
                gauges.with_label_values(by).set(limit.into());
            }
        }
    }
}

const fn state(health: Health) -> &'static str {
    match health {
        Health::Ready => "ready",
        Health::Cooling { .. } => "cooling",
        Health::HalfOpen { .. } => "half_open",
        Health::Drained { .. } => "drained",
    }
}

fn remaining(health: Health, now: Timestamp) -> Duration {
    match health {
        Health::Cooling { until, .. } | Health::Drained { until: Some(until) } => until.since(now),
        Health::Ready | Health::HalfOpen { .. } | Health::Drained { until: None } => Duration::ZERO,
    }
}

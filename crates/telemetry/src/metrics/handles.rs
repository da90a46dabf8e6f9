//! Series that nearly every request counts in, found by their labels once.
//!
//! Each is looked up when it is first counted in, so that nothing stands on the page that did not
//! happen, and kept as long as the table that has its group or deployment is in force.

use std::sync::OnceLock;

use prometheus::{Counter, Histogram, IntCounter};
use weighbridge_domain::request::Operation;

use super::labels;
use super::series::{DeploymentSeries, Series};

/// The series of a group.
#[derive(Debug, Default)]
pub(super) struct GroupHandles {
    /// Requests answered with 200, by operation.
    answered: [OnceLock<IntCounter>; Operation::ALL.len()],
    seconds: OnceLock<Histogram>,
}

/// The series of a deployment.
#[derive(Debug, Default)]
pub(super) struct DeploymentHandles {
    succeeded: OnceLock<IntCounter>,
    attempt_seconds: OnceLock<Histogram>,
    input: OnceLock<IntCounter>,
    output: OnceLock<IntCounter>,
    cost: OnceLock<Counter>,
    reserved: OnceLock<IntCounter>,
    settled: OnceLock<IntCounter>,
    reservation_ratio: OnceLock<Histogram>,
    estimate_ratio: OnceLock<Histogram>,
}

impl GroupHandles {
    pub(super) fn answered(&self, series: &Series, operation: Operation, group: &str) -> &IntCounter {
        let find = || series.requests.with_label_values(&[labels::operation(operation), group, "200"]);
        let place = Operation::ALL.iter().position(|known| *known == operation).unwrap_or_default();
        self.answered[place].get_or_init(find)
    }

    pub(super) fn seconds(&self, series: &Series, group: &str) -> &Histogram {
        self.seconds.get_or_init(|| series.request_seconds.with_label_values(&[group]))
    }
}

impl DeploymentHandles {
    pub(super) fn succeeded(&self, series: &DeploymentSeries, id: &str, provider: &str) -> &IntCounter {
        self.succeeded.get_or_init(|| series.attempts.with_label_values(&[id, provider, "success"]))
    }

    pub(super) fn attempt_seconds(&self, series: &DeploymentSeries, id: &str) -> &Histogram {
        self.attempt_seconds.get_or_init(|| series.attempt_seconds.with_label_values(&[id]))
    }

    pub(super) fn input(&self, series: &DeploymentSeries, id: &str) -> &IntCounter {
        self.input.get_or_init(|| series.tokens.with_label_values(&[id, "input"]))
    }

    pub(super) fn output(&self, series: &DeploymentSeries, id: &str) -> &IntCounter {
        self.output.get_or_init(|| series.tokens.with_label_values(&[id, "output"]))
    }

    pub(super) fn cost(&self, series: &DeploymentSeries, id: &str) -> &Counter {
        self.cost.get_or_init(|| series.cost.with_label_values(&[id]))
    }

    pub(super) fn reserved(&self, series: &DeploymentSeries, id: &str) -> &IntCounter {
        self.reserved.get_or_init(|| series.reserved_tokens.with_label_values(&[id]))
    }

    pub(super) fn settled(&self, series: &DeploymentSeries, id: &str) -> &IntCounter {
        self.settled.get_or_init(|| series.settled_tokens.with_label_values(&[id]))
    }

    pub(super) fn reservation_ratio(&self, series: &DeploymentSeries, id: &str) -> &Histogram {
        self.reservation_ratio.get_or_init(|| series.reservation_ratio.with_label_values(&[id]))
    }

    pub(super) fn estimate_ratio(&self, series: &DeploymentSeries, id: &str) -> &Histogram {
        self.estimate_ratio.get_or_init(|| series.prompt_estimate_ratio.with_label_values(&[id]))
    }
}

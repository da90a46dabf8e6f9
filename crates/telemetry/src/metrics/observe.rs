//! Which event counts where.

use std::sync::PoisonError;
use std::time::Duration;

use weighbridge_domain::event::{AttemptRecord, Event, Observer, RequestRecord, StoreOutcome};
use weighbridge_domain::name::{DeploymentId, ProviderName};
use weighbridge_domain::usage::Usage;

use super::Metrics;
use super::handles::DeploymentHandles;
use super::labels::{self, Known};
use super::series::{DeploymentSeries, LOADED, REFUSED, Series, StoreSeries};

impl Observer for Metrics {
    fn observe(&self, event: &Event<'_>) {
        // Held while counting, so that no series comes back behind `adopt`.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        self.series.count(event, &known);
    }
}

impl Series {
    fn count(&self, event: &Event<'_>, known: &Known) {
        let of = &self.deployments;
        match *event {
            Event::RequestStarted { .. } => self.requests_in_flight.inc(),
            Event::RequestFinished(record) => self.request(record, known),
            Event::AttemptFinished { attempt, provider, .. } => of.attempt(attempt, provider, known),
            Event::Retried { group, kind } => {
                self.retries.with_label_values(&[known.group(Some(group)), kind.label()]).inc();
            }
            Event::FellBack { from, to, kind } => {
                self.fallbacks.with_label_values(&[known.stop(from), known.stop(to), kind.label()]).inc();
            }
            Event::FirstToken { deployment, after } => {
                of.first_token_seconds
                    .with_label_values(&[known.deployment(Some(deployment))])
                    .observe(after.as_secs_f64());
            }
            Event::InterToken { deployment, mean } => {
                of.inter_token_seconds
                    .with_label_values(&[known.deployment(Some(deployment))])
                    .observe(mean.as_secs_f64());
            }
            Event::PromptCounted { deployment, ratio } => {
                known.count_deployment(Some(deployment), |id, handles| handles.estimate_ratio(of, id).observe(ratio));
            }
            Event::Settled { deployment, reserved, used } => of.settled(deployment, reserved, used, known),
            Event::CooldownStarted { deployment, cause, .. } => {
                of.cooldowns.with_label_values(&[known.deployment(Some(deployment)), cause.label()]).inc();
            }
            // Whether one cools is read at scrape time.
            Event::CooldownEnded { .. } => {}
            Event::LeastBadTried { deployment } => {
                of.least_bad.with_label_values(&[known.deployment(Some(deployment))]).inc();
            }
            Event::StoreCalled { took, asks, outcome, .. } => self.store.called(took, asks, outcome),
            Event::StoreModeChanged { mode, .. } => self.store.mode_changes.with_label_values(&[mode]).inc(),
            Event::StoreReplayed { windows } => self.store.replayed_windows.inc_by(windows as u64),
            Event::ReplicaReaped { in_flight } => self.store.reaped_in_flight.inc_by(in_flight),
            Event::StoreWarned { .. } => self.store.warnings.inc(),
            Event::ConfigLoaded { generation, .. } => {
                self.config_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
                self.config_reloads.with_label_values(&[LOADED]).inc();
            }
            Event::ConfigRefused { .. } => self.config_reloads.with_label_values(&[REFUSED]).inc(),
        }
    }

    fn request(&self, record: &RequestRecord, known: &Known) {
        self.requests_in_flight.dec();
        known.count_group(record.group.as_ref(), |group, handles| {
            let (operation, status) = (labels::operation(record.operation), labels::status(record.status));
            match record.status {
                200 => handles.answered(self, record.operation, group).inc(),
                _ => self.requests.with_label_values(&[operation, group, status]).inc(),
            }
            handles.seconds(self, group).observe(Duration::from_millis(record.ms).as_secs_f64());
        });
        // A counter takes no negative amount, whatever a price list says.
        let cost = record.cost.filter(|cost| *cost >= 0.0);
        if record.usage.is_none() && cost.is_none() {
            return;
        }
        known.count_deployment(record.deployment.as_ref(), |id, handles| {
            if let Some(usage) = &record.usage {
                self.deployments.used(id, handles, usage);
            }
            if let Some(cost) = cost {
                handles.cost(&self.deployments, id).inc_by(cost);
            }
        });
    }
}

impl StoreSeries {
    fn called(&self, took: Duration, asks: usize, outcome: StoreOutcome) {
        let by = &[outcome.label()];
        self.calls.with_label_values(by).inc();
        self.seconds.with_label_values(by).observe(took.as_secs_f64());
        // Calls that only tell something would pull down what coalescing is judged by.
        if asks > 0 {
            self.batch_size.observe(float(asks as u64));
        }
    }
}

impl DeploymentSeries {
    fn attempt(&self, attempt: &AttemptRecord, provider: &ProviderName, known: &Known) {
        known.count_deployment(attempt.deployment.as_ref(), |id, handles| {
            match attempt.kind {
                None => handles.succeeded(self, id, provider.as_str()).inc(),
                Some(kind) => self.attempts.with_label_values(&[id, provider.as_str(), kind.label()]).inc(),
            }
            handles.attempt_seconds(self, id).observe(Duration::from_millis(attempt.ms).as_secs_f64());
        });
    }

    fn used(&self, id: &str, handles: &DeploymentHandles, usage: &Usage) {
        // Most providers never report most parts: no series for those.
        if usage.prompt_tokens > 0 {
            handles.input(self, id).inc_by(usage.prompt_tokens.into());
        }
        if usage.completion_tokens > 0 {
            handles.output(self, id).inc_by(usage.completion_tokens.into());
        }
        let parts = [
            ("cache_read", usage.cache_read_tokens),
            ("cache_write", usage.cache_write_tokens),
            ("reasoning", usage.reasoning_tokens),
        ];
        for (direction, tokens) in parts.into_iter().filter(|(_, tokens)| *tokens > 0) {
            self.tokens.with_label_values(&[id, direction]).inc_by(tokens.into());
        }
    }

    fn settled(&self, deployment: &DeploymentId, reserved: u64, used: u64, known: &Known) {
        known.count_deployment(Some(deployment), |id, handles| {
            handles.reserved(self, id).inc_by(reserved);
            handles.settled(self, id).inc_by(used);
            if reserved > 0 {
                handles.reservation_ratio(self, id).observe(float(used) / float(reserved));
            }
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

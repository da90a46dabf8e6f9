//! What is counted as it happens: every name, its labels and what it means.

use std::collections::HashMap;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{CounterVec, Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::labels::Known;
use super::register::Register;

/// Bounds for whole requests and attempts, in seconds.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Bounds for the time to a first token, in seconds.
const FIRST_TOKEN_SECONDS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0];

/// Bounds for the time between two tokens, in seconds.
const INTER_TOKEN_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5];

/// Bounds for used over reserved tokens; 1 tells reservations that were too small from the rest.
const RATIOS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0];

/// Bounds for estimated over counted tokens, fine around 1.
const ESTIMATES: &[f64] = &[0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 4.0];

/// Bounds for calls to the shared store, in seconds.
const STORE_SECONDS: &[f64] =
    &[0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5];

/// Bounds for how many requests ask in one call to the shared store.
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// How loading a configuration can end, as `weighbridge_config_reloads_total` says it.
pub(super) const RELOADS: [&str; 2] = [LOADED, REFUSED];
pub(super) const LOADED: &str = "loaded";
pub(super) const REFUSED: &str = "refused";

/// What is counted as it happens.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) requests: IntCounterVec,
    pub(super) requests_in_flight: IntGauge,
    pub(super) request_seconds: HistogramVec,
    pub(super) retries: IntCounterVec,
    pub(super) fallbacks: IntCounterVec,
    pub(super) deployments: DeploymentSeries,
    pub(super) store: StoreSeries,
    pub(super) config_generation: IntGauge,
    pub(super) config_reloads: IntCounterVec,
    pub(super) build_info: IntGaugeVec,
}

/// What is counted of the shared store.
#[derive(Debug)]
pub(super) struct StoreSeries {
    pub(super) seconds: HistogramVec,
    pub(super) batch_size: Histogram,
    pub(super) calls: IntCounterVec,
    pub(super) mode_changes: IntCounterVec,
    pub(super) replayed_windows: IntCounter,
    pub(super) reaped_in_flight: IntCounter,
    pub(super) warnings: IntCounter,
}

/// What is counted by deployment.
#[derive(Debug)]
pub(super) struct DeploymentSeries {
    pub(super) attempts: IntCounterVec,
    pub(super) attempt_seconds: HistogramVec,
    pub(super) first_token_seconds: HistogramVec,
    pub(super) inter_token_seconds: HistogramVec,
    pub(super) cooldowns: IntCounterVec,
    pub(super) least_bad: IntCounterVec,
    pub(super) tokens: IntCounterVec,
    pub(super) cost: CounterVec,
    pub(super) reserved_tokens: IntCounterVec,
    pub(super) settled_tokens: IntCounterVec,
    pub(super) reservation_ratio: HistogramVec,
    pub(super) prompt_estimate_ratio: HistogramVec,
}

impl Series {
    pub(super) fn register(r: &mut Register) -> Result<Self, Error> {
        Ok(Self {
            requests: r.int_counters(
                "weighbridge_requests_total",
                "Requests that are over, by the HTTP status the client got (rare codes by class; 499: the client hung up).",
                &["operation", "group", "status"],
            )?,
            requests_in_flight: r
                .int_gauge("weighbridge_requests_in_flight", "Requests of clients that are being served.")?,
            request_seconds: r.histograms(
                "weighbridge_request_seconds",
                "From a request's arrival to its last byte, in seconds.",
                &["group"],
                SECONDS,
            )?,
            retries: r.int_counters(
                "weighbridge_retries_total",
                "Further attempts within one stop, by what went wrong before.",
                &["group", "kind"],
            )?,
            fallbacks: r.int_counters(
                "weighbridge_fallbacks_total",
                "Next stops taken, by what went wrong at the one before.",
                &["from", "to", "kind"],
            )?,
            deployments: DeploymentSeries::register(r)?,
            store: StoreSeries::register(r)?,
            config_generation: r.int_gauge(
                "weighbridge_config_generation",
                "The number of the configuration in force, counted from 1 in each process.",
            )?,
            config_reloads: r.int_counters(
                "weighbridge_config_reloads_total",
                "Configurations that were loaded or refused, the first one included.",
                &["result"],
            )?,
            build_info: r.int_gauges("weighbridge_build_info", "1, labelled with this build's version.", &["version"])?,
        })
    }

    /// Drops the series of groups and deployments that are not known.
    pub(super) fn prune(&self, known: &Known) {
        let group = |value: &str| known.keeps_group(value);
        let stop = |value: &str| known.stop(value) == value;
        prune(&self.requests, "group", group);
        prune(&self.request_seconds, "group", group);
        prune(&self.retries, "group", group);
        prune(&self.fallbacks, "from", stop);
        prune(&self.fallbacks, "to", stop);
        self.deployments.prune(|value| known.keeps_deployment(value));
    }
}

impl StoreSeries {
    fn register(r: &mut Register) -> Result<Self, Error> {
        Ok(Self {
            seconds: r.histograms(
                "weighbridge_store_seconds",
                "Calls to the shared store, by how they ended, in seconds.",
                &["outcome"],
                STORE_SECONDS,
            )?,
            batch_size: r.histogram(
                "weighbridge_store_batch_size",
                "Requests that asked for admission in one call to the shared store, where any did.",
                BATCHES,
            )?,
            calls: r.int_counters(
                "weighbridge_store_calls_total",
                "Calls to the shared store, by how they ended.",
                &["outcome"],
            )?,
            mode_changes: r.int_counters(
                "weighbridge_store_mode_changes_total",
                "How often the shared truth moved, by where to.",
                &["mode"],
            )?,
            replayed_windows: r.int_counter(
                "weighbridge_store_replayed_windows_total",
                "Windows told to a store that might have forgotten them.",
            )?,
            reaped_in_flight: r.int_counter(
                "weighbridge_store_reaped_in_flight_total",
                "Requests in flight taken off the books because their replica vanished.",
            )?,
            warnings: r.int_counter(
                "weighbridge_store_warnings_total",
                "Warnings about the shared store that stand in the log.",
            )?,
        })
    }
}

impl DeploymentSeries {
    fn register(r: &mut Register) -> Result<Self, Error> {
        Ok(Self {
            attempts: r.int_counters(
                "weighbridge_attempts_total",
                "Calls to providers that are over, by outcome: success, or what went wrong.",
                &["deployment", "provider", "outcome"],
            )?,
            attempt_seconds: r.histograms(
                "weighbridge_attempt_seconds",
                "From sending a call to a provider to its end, in seconds.",
                &["deployment"],
                SECONDS,
            )?,
            first_token_seconds: r.histograms(
                "weighbridge_first_token_seconds",
                "From sending a call to the first content event of its stream, in seconds.",
                &["deployment"],
                FIRST_TOKEN_SECONDS,
            )?,
            inter_token_seconds: r.histograms(
                "weighbridge_inter_token_seconds",
                "Between two content events, averaged over each stream, in seconds.",
                &["deployment"],
                INTER_TOKEN_SECONDS,
            )?,
            cooldowns: r.int_counters(
                "weighbridge_cooldowns_total",
                "Cooldowns that began here, by cause.",
                &["deployment", "cause"],
            )?,
            least_bad: r.int_counters(
                "weighbridge_least_bad_total",
                "Attempts on a cooling deployment because its whole group cooled.",
                &["deployment"],
            )?,
            tokens: r.int_counters(
                "weighbridge_tokens_total",
                "Tokens used. Of the directions, cache_read and cache_write are parts of input, reasoning of output.",
                &["deployment", "direction"],
            )?,
            cost: r.counters(
                "weighbridge_cost_usd_total",
                "What requests cost, in USD, where the price is known.",
                &["deployment"],
            )?,
            reserved_tokens: r.int_counters(
                "weighbridge_reserved_tokens_total",
                "Tokens reserved before calls that are settled.",
                &["deployment"],
            )?,
            settled_tokens: r.int_counters(
                "weighbridge_settled_tokens_total",
                "Tokens that those calls really used.",
                &["deployment"],
            )?,
            reservation_ratio: r.histograms(
                "weighbridge_reservation_ratio",
                "Used over reserved tokens of a call: far below 1 blocks capacity, above 1 exceeds what was granted.",
                &["deployment"],
                RATIOS,
            )?,
            prompt_estimate_ratio: r.histograms(
                "weighbridge_prompt_estimate_ratio",
                "Prompt tokens as they were estimated, over what the provider counted: 1 is right.",
                &["deployment"],
                ESTIMATES,
            )?,
        })
    }

    fn prune(&self, keep: impl Fn(&str) -> bool + Copy) {
        for counters in [
            &self.attempts,
            &self.cooldowns,
            &self.least_bad,
            &self.tokens,
            &self.reserved_tokens,
            &self.settled_tokens,
        ] {
            prune(counters, "deployment", keep);
        }
        prune(&self.cost, "deployment", keep);
        for histograms in [
            &self.attempt_seconds,
            &self.first_token_seconds,
            &self.inter_token_seconds,
            &self.reservation_ratio,
            &self.prompt_estimate_ratio,
        ] {
            prune(histograms, "deployment", keep);
        }
    }
}

/// Drops the series of `vec` whose `label` has a value that `keep` does not want.
fn prune<B: MetricVecBuilder>(vec: &MetricVec<B>, label: &str, keep: impl Fn(&str) -> bool) {
    for family in Collector::collect(vec) {
        for metric in family.get_metric() {
            let labels: HashMap<&str, &str> = metric.get_label().iter().map(|l| (l.name(), l.value())).collect();
            if labels.get(label).is_some_and(|value| !keep(value)) {
                // It was there a moment ago, and only an equal call could have dropped it since.
                drop(vec.remove(&labels));
            }
        }
    }
}

//! Events counted for Prometheus. Metric names stand in [`metrics`](self) and nowhere else.
//!
//! Labels are bounded by the configuration: `group` and `deployment` take the names of the table
//! in force, `none` or `other`; what a client writes never becomes a label.

mod fleet;
mod handles;
mod labels;
mod observe;
mod register;
mod series;

use std::sync::{PoisonError, RwLock};

use prometheus::{Registry, TextEncoder};
use weighbridge_domain::event::StoreOutcome;
use weighbridge_domain::table::RoutingTable;

use self::fleet::FleetGauges;
pub use self::fleet::{Overshoot, Scrape};
use self::labels::Known;
use self::register::Register;
use self::series::{RELOADS, Series};

/// The `Content-Type` of [`Metrics::render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is counted. One a process; it has a registry of its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    series: Series,
    known: RwLock<Known>,
}

/// Metrics cannot be set up or printed: a fault of ours, never of an operator.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be kept")]
pub struct MetricsError(#[from] prometheus::Error);

impl Metrics {
    /// Everything at zero; `version` is what `weighbridge_build_info` says.
    ///
    /// # Errors
    /// When two metrics were given one name.
    pub fn new(version: &str) -> Result<Self, MetricsError> {
        let mut register = Register::default();
        let series = Series::register(&mut register)?;
        series.build_info.with_label_values(&[version]).set(1);
        for result in RELOADS {
            // A counter that begins at zero shows its first increase to `rate`.
            series.config_reloads.with_label_values(&[result]).inc_by(0);
        }
        for outcome in StoreOutcome::ALL {
            series.store.calls.with_label_values(&[outcome.label()]).inc_by(0);
        }
        Ok(Self { registry: register.registry, series, known: RwLock::new(Known::anything()) })
    }

    /// Learns that `table` is in force: series of groups and deployments that are not in it are
    /// dropped, and what still happens to them counts as `other`. Until the first table, names
    /// are taken as they come.
    pub fn adopt(&self, table: &RoutingTable) {
        let new = Known::of(table);
        // Whoever counts waits for as long as this is held. Nobody who has counted by the old names is still at it afterwards.
        let old = std::mem::replace(&mut *self.known.write().unwrap_or_else(PoisonError::into_inner), new);
        self.series.prune(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        drop(old);
    }

    /// All metrics in Prometheus' text format, sorted by name and labels; `scrape` adds what is
    /// read rather than counted.
    ///
    /// # Errors
    /// When two metrics were given one name, or one is empty.
    pub fn render(&self, scrape: &Scrape<'_>) -> Result<String, MetricsError> {
        let mut register = Register::default();
        FleetGauges::register(&mut register)?.set(scrape);
        let mut families = self.registry.gather();
        families.extend(register.registry.gather());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }
}

/// The name of every sample that [`Metrics::render`] can print, sorted; a histogram has three.
///
/// # Errors
/// When two metrics were given one name.
pub fn names() -> Result<Vec<String>, MetricsError> {
    let mut register = Register::default();
    Series::register(&mut register)?;
    FleetGauges::register(&mut register)?;
    register.names.sort();
    Ok(register.names)
}

#[cfg(test)]
mod tests;

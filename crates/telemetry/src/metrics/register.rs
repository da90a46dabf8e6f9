//! Metrics made and registered in one go.

use prometheus::core::Collector;
use prometheus::{
    CounterVec, Error, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

/// A registry, and the names of the samples it can give.
#[derive(Debug, Default)]
pub(super) struct Register {
    pub(super) registry: Registry,
    pub(super) names: Vec<String>,
}

impl Register {
    pub(super) fn int_counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.add(name, IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn int_counter(&mut self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.add(name, IntCounter::new(name, help)?)
    }

    pub(super) fn counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<CounterVec, Error> {
        self.add(name, CounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn int_gauge(&mut self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.add(name, IntGauge::new(name, help)?)
    }

    pub(super) fn int_gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.add(name, IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Error> {
        self.add(name, GaugeVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.registry.register(Box::new(histogram.clone()))?;
        self.names.extend(["bucket", "count", "sum"].map(|part| format!("{name}_{part}")));
        Ok(histogram)
    }

    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let vec = HistogramVec::new(options, labels)?;
        self.registry.register(Box::new(vec.clone()))?;
        self.names.extend(["bucket", "count", "sum"].map(|part| format!("{name}_{part}")));
        Ok(vec)
    }

    fn add<C: Collector + Clone + 'static>(&mut self, name: &str, collector: C) -> Result<C, Error> {
        self.registry.register(Box::new(collector.clone()))?;
        self.names.push(name.to_owned());
        Ok(collector)
    }
}

//! What a run came to, as a table.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use weighbridge_fakellm::Report;

use crate::load::{Shot, count, quantile};
use crate::redis::Info;

/// One deployment in one run.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which run.
    pub run: String,
    /// The seed of its arrivals.
    pub seed: u64,
    /// The deployment's limit.
    pub limit: Limit,
    /// What was asked of it: `3x poisson`.
    pub demand: String,
    /// Requests that were sent.
    pub asked: usize,
    /// Of these, requests that a provider got.
    pub granted: u64,
    /// Requests that arrived above the limit, as the judge has it.
    pub violations: u64,
    /// The most requests above the limit that the replicas themselves thought possible, as long as they
    /// were cut off from Redis. 0 means exact.
    pub foretold: f64,
    /// The most that any interval of 60 s held, in the limit's unit.
    pub most: u64,
    /// The share of the limit that was used, where demand exceeded it.
    pub used: Option<f64>,
    /// What half of the requests took beyond the provider's own time.
    pub half: Duration,
    /// What one in a hundred exceeded.
    pub slowest: Duration,
}

/// A limit per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests.
    Requests(u64),
    /// Tokens.
    Tokens(u64),
}

/// What a run cost Redis.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Which run.
    pub run: String,
    /// Requests that were routed, granted or not.
    pub requests: usize,
    /// Redis's processor time, in microseconds a request.
    pub cpu_us: f64,
    /// Commands a request, those that scripts call among them.
    pub commands: f64,
    /// Script calls a request.
    pub scripts: f64,
    /// Redis's processor time while nobody asks, in microseconds a second: heartbeats and snapshots.
    pub idle_us: f64,
    /// Redis's processor time beyond that, in microseconds a request.
    pub own_us: f64,
    /// Reservations in a call; nothing where nobody counts them.
    pub batch: Option<f64>,
}

/// Everything that was run.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// By deployment.
    pub rows: Vec<Row>,
    /// By run.
    pub costs: Vec<Cost>,
}

impl Limit {
    /// How much.
    pub const fn amount(self) -> u64 {
        match self {
            Self::Requests(amount) | Self::Tokens(amount) => amount,
        }
    }
}

impl Row {
    /// The figures of a run: what the judge counted, and what clients saw. `own` is what the
    /// provider itself takes.
    pub fn new(run: &str, limit: Limit, shots: &[Shot], report: &Report, own: Duration) -> Self {
        let added = || shots.iter().filter(|shot| shot.status == 200).map(|shot| shot.took.saturating_sub(own));
        Self {
            run: run.to_owned(),
            seed: 0,
            limit,
            demand: String::new(),
            asked: shots.len(),
            granted: report.requests,
            violations: report.violations,
            foretold: 0.0,
            most: match limit {
                Limit::Requests(_) => report.per_minute_peak,
                Limit::Tokens(_) => report.tokens_per_minute_peak,
            },
            used: None,
            half: quantile(added(), 0.5),
            slowest: quantile(added(), 0.99),
        }
    }
}

impl Cost {
    /// The difference of what Redis said before and after `shots`.
    pub fn between(run: &str, before: &Info, after: &Info, shots: &[Shot]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "requests of minutes")]
        let requests = shots.len().max(1) as f64;
        let difference = |of: &dyn Fn(&Info) -> f64| (of(after) - of(before)) / requests;
        let scripts = difference(&|info| info.calls("evalsha") + info.calls("eval") + info.calls("fcall"));
        Self {
            run: run.to_owned(),
            requests: shots.len(),
            cpu_us: difference(&|info| info.cpu_seconds() * 1e6),
            commands: difference(&Info::commands),
            scripts,
            idle_us: 0.0,
            own_us: 0.0,
            batch: None,
        }
    }

    /// The same, told apart from what Redis does anyway: `idle` seconds of processor time a second.
    #[must_use]
    pub fn beside(self, idle: f64, length: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "requests of minutes")]
        let requests = self.requests.max(1) as f64;
        let own_us = self.cpu_us - idle * length.as_secs_f64() * 1e6 / requests;
        Self { idle_us: idle * 1e6, own_us, ..self }
    }
}

impl Table {
    /// Whether a limit was exceeded in `run` by more than was foretold.
    pub fn has_violations(&self, run: &str) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "requests of minutes")]
        self.rows.iter().filter(|row| row.run == run).any(|row| row.violations as f64 > row.foretold)
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests(amount) => write!(f, "{amount} rpm"),
            Self::Tokens(amount) => write!(f, "{amount} tpm"),
        }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| run | seed | limit | demand | asked | granted | violations | foretold | most in any 60 s | used | p50 added | p99 added |"
        )?;
        writeln!(f, "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            let used = row.used.map_or_else(|| "–".to_owned(), |used| format!("{:.1} %", used * 100.0));
            let Row { run, seed, limit, demand, asked, granted, violations, foretold, most, .. } = row;
            writeln!(
                f,
                "| {run} | {seed} | {limit} | {demand} | {asked} | {granted} | {violations} | {foretold:.1} | {most} of {} | {used} | {} | {} |",
                limit.amount(),
                Ms(row.half),
                Ms(row.slowest)
            )?;
        }
        writeln!(
            f,
            "\n| run | requests | Redis CPU a request | of it the request's own | Redis CPU a second, idle | commands a request, those of scripts too | scripts a request | reservations a script |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
        for Cost { run, requests, cpu_us, own_us, idle_us, commands, scripts, batch } in &self.costs {
            let batch = batch.map_or_else(|| "–".to_owned(), |batch| format!("{batch:.2}"));
            writeln!(
                f,
                "| {run} | {requests} | {cpu_us:.0} µs | {own_us:.0} µs | {idle_us:.0} µs | {commands:.1} | {scripts:.2} | {batch} |"
            )?;
        }
        Ok(())
    }
}

/// Milliseconds with a decimal.
struct Ms(Duration);

impl Display for Ms {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0)
    }
}

/// What clients saw that they should not: anything but an answer or a limit.
pub fn failures(shots: &[Shot]) -> usize {
    shots.len() - count(shots, 200) - count(shots, 429)
}

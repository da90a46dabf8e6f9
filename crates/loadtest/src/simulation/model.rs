//! The server as plain values: what its scripts do to its keys, call by call, without a server.
//!
//! It is written from what the scripts promise rather than from the replica's own books, so that the two check each
//! other; and it is held against the scripts on a real server in `tests/model.rs`. Time is an argument.
//! A server keeps for a day what nobody uses: no simulation lasts that long.

mod condition;
mod contribution;
mod fleet;
mod replay;
mod turn;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use weighbridge_domain::failure::ErrorClass;
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::time::Timestamp;
use weighbridge_state::Kept;
use weighbridge_state::fleet::link::News;
use weighbridge_state::fleet::mark;
use weighbridge_state::fleet::protocol::{Operated, Operation, Replay, ReplicaId, Report, Snapshot, WindowReport};

use self::condition::Condition;
use self::contribution::Contribution;
use self::window::Window;

/// What a server holds.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Which run of the server this is: it changes with every start.
    pub run_id: String,
    epoch: Option<Life>,
    beats: BTreeMap<ReplicaId, u64>,
    told: BTreeMap<ReplicaId, (String, u32)>,
    vanished: BTreeMap<ReplicaId, u64>,
    reaped: BTreeMap<ReplicaId, u64>,
    windows: HashMap<QuotaName, Window>,
    contributions: HashMap<QuotaName, HashMap<ReplicaId, Contribution>>,
    conditions: HashMap<DeploymentId, Condition>,
    counters: HashMap<(DeploymentId, Option<ErrorClass>), Counter>,
    tickets: HashMap<Arc<str>, u64>,
    records: Vec<String>,
    news: Vec<News>,
}

/// The epoch, and until when it is recovering in ms; 0: it is not.
#[derive(Debug, Clone)]
struct Life {
    id: String,
    recovering: u64,
}

/// Failures that were let pass: when, in ms, and in which era.
#[derive(Debug, Clone, Default)]
struct Counter {
    era: u32,
    times: Vec<u64>,
}

impl Model {
    /// An empty server.
    pub fn new(run_id: impl Into<String>) -> Self {
        Self { run_id: run_id.into(), ..Self::default() }
    }

    /// Forgets all that a flush forgets.
    pub fn flush(&mut self) {
        *self = Self::new(std::mem::take(&mut self.run_id));
    }

    /// What was published since this was last asked.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// What windows and deployments look like.
    pub fn snapshot(&self, windows: &[QuotaName], members: &[DeploymentId], now: u64) -> Snapshot {
        let window = |quota| self.windows.get(quota).map(|window| window.report_at(now)).unwrap_or_default();
        Snapshot {
            now: Timestamp::from_millis(now),
            windows: windows.iter().map(window).collect(),
            members: members.iter().map(|id| self.condition(id).report()).collect(),
        }
    }

    /// Keeps records of requests that have ended.
    pub fn keep(&mut self, records: &[String]) {
        self.records.extend_from_slice(records);
    }

    /// Records that were kept, the newest first.
    pub fn kept(&self, before: Option<&str>, most: usize) -> Vec<Kept> {
        let before = before.map_or(self.records.len(), |mark| mark.parse().unwrap_or_default());
        let numbered = self.records.iter().enumerate().take(before).rev();
        numbered.take(most).map(|(at, record)| Kept { mark: at.to_string(), record: record.clone() }).collect()
    }

    /// Carries out an operator's word.
    pub fn operate(&mut self, id: &DeploymentId, operation: Operation, now: u64) -> Operated {
        let mut condition = self.condition(id);
        let was_out = !condition.is_ready(now);
        match operation {
            Operation::Restore => condition.restore(),
            Operation::Drain(lasts) => condition.drain(lasts, now),
        }
        condition.changed(now);
        let report = condition.report();
        self.publish(id, report);
        self.keep_condition(id, condition);
        Operated { now: Timestamp::from_millis(now), was_out, report }
    }

    fn contribution(&self, quota: &QuotaName, replica: &ReplicaId) -> Option<Contribution> {
        self.contributions.get(quota)?.get(replica).copied()
    }

    fn condition(&self, id: &DeploymentId) -> Condition {
        self.conditions.get(id).cloned().unwrap_or_default()
    }

    fn keep_condition(&mut self, id: &DeploymentId, condition: Condition) {
        self.conditions.insert(id.clone(), condition.stored());
    }

    fn keep_window(&mut self, quota: &QuotaName, mut window: Window) {
        window.in_flight = window.in_flight.max(0);
        self.windows.insert(quota.clone(), window);
    }

    fn publish(&mut self, id: &DeploymentId, report: Report) {
        self.news.push(News::Standing(mark(id.as_str()), report));
    }
}

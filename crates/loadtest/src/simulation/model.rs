//! The server as plain values: what its scripts do to its keys, call by call, without a server.
//!
//! It is written from what the scripts promise rather than from the replica's own books, so that the two check each
//! other; and it is held against the scripts on a real server in `tests/model.rs`. Time is an argument.

mod condition;
mod contribution;
mod fleet;
mod replay;
mod turn;
mod window;

use std::collections::{BTreeMap, HashMap};

use weighbridge_domain::failure::ErrorClass;
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::time::Timestamp;
use weighbridge_state::fleet::link::News;
use weighbridge_state::fleet::mark;
use weighbridge_state::fleet::protocol::{Operated, Operation, Replay, ReplicaId, Report, Snapshot, WindowReport};

use self::condition::Condition;
use self::contribution::Contribution;
use self::window::Window;

/// How long a window is kept that nobody touches, in ms.
const KEPT: u64 = 180_000;
/// The same, with requests in flight.
const KEPT_IN_FLIGHT: u64 = 86_400_000;

/// What a server holds.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Which run of the server this is: it changes with every start.
    pub run_id: String,
    /// Whether keys are forgotten that nobody has used for long. Not where time is told, which Redis does not know of.
    pub forgets: bool,
    epoch: Option<Life>,
    beats: BTreeMap<ReplicaId, u64>,
    told: BTreeMap<ReplicaId, String>,
    vanished: BTreeMap<ReplicaId, u64>,
    windows: HashMap<QuotaName, Kept<Window>>,
    contributions: HashMap<QuotaName, Kept<HashMap<ReplicaId, Contribution>>>,
    conditions: HashMap<DeploymentId, Kept<Condition>>,
    counters: HashMap<(DeploymentId, Option<ErrorClass>), Kept<Counter>>,
    news: Vec<News>,
}

/// The epoch, and until when it is recovering in ms; 0: it is not.
#[derive(Debug, Clone)]
struct Life {
    id: String,
    recovering: u64,
}

/// A value that is forgotten at an instant, in ms.
#[derive(Debug, Clone, Default)]
struct Kept<T> {
    value: T,
    until: u64,
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
        Self { run_id: run_id.into(), forgets: true, ..Self::default() }
    }

    /// Forgets all that a flush forgets.
    pub fn flush(&mut self) {
        *self = Self { run_id: std::mem::take(&mut self.run_id), forgets: self.forgets, ..Self::default() };
    }

    /// What was published since this was last asked.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// What windows and deployments look like.
    pub fn snapshot(&self, windows: &[QuotaName], members: &[DeploymentId], now: u64) -> Snapshot {
        let window = |quota| {
            let mut window = self.window(quota, now).cloned().unwrap_or_default();
            window.roll(now);
            window.report(Contribution::default())
        };
        Snapshot {
            now: Timestamp::from_millis(now),
            windows: windows.iter().map(window).collect(),
            members: members.iter().map(|id| self.report(id, now)).collect(),
        }
    }

    /// Carries out an operator's word.
    pub fn operate(&mut self, id: &DeploymentId, operation: Operation, now: u64) -> Operated {
        let mut condition = self.condition(id, now);
        let was_out = !condition.is_ready(now);
        match operation {
            Operation::Restore => condition.restore(),
            Operation::Drain(lasts) => condition.drain(lasts, now),
        }
        condition.changed(now);
        self.publish(id, &condition);
        let report = condition.report();
        self.keep_condition(id, condition, now);
        Operated { now: Timestamp::from_millis(now), was_out, report }
    }

    fn report(&self, id: &DeploymentId, now: u64) -> Report {
        self.alive(self.conditions.get(id), now).map(Condition::report).unwrap_or_else(|| Condition::default().report())
    }

    // Keys, as far as they are there.

    fn alive<'a, T>(&self, kept: Option<&'a Kept<T>>, now: u64) -> Option<&'a T> {
        kept.filter(|kept| !self.forgets || now < kept.until).map(|kept| &kept.value)
    }

    fn window(&self, quota: &QuotaName, now: u64) -> Option<&Window> {
        self.alive(self.windows.get(quota), now)
    }

    fn contribution(&self, quota: &QuotaName, replica: &ReplicaId, now: u64) -> Option<Contribution> {
        self.alive(self.contributions.get(quota), now)?.get(replica).copied()
    }

    fn condition(&self, id: &DeploymentId, now: u64) -> Condition {
        self.alive(self.conditions.get(id), now).cloned().unwrap_or_default()
    }

    fn keep_condition(&mut self, id: &DeploymentId, condition: Condition, now: u64) {
        let until = condition.kept_until(now);
        self.conditions.insert(id.clone(), Kept { value: condition.stored(), until });
    }

    fn keep_window(&mut self, quota: &QuotaName, mut window: Window, now: u64) -> u64 {
        window.in_flight = window.in_flight.max(0);
        let until = now + if window.in_flight > 0 { KEPT_IN_FLIGHT } else { KEPT };
        self.windows.insert(quota.clone(), Kept { value: window, until });
        until
    }

    fn publish(&mut self, id: &DeploymentId, condition: &Condition) {
        self.news.push(News::Standing(mark(id.as_str()), condition.report()));
    }
}

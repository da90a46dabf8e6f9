//! A replica tells again what the server may have forgotten: `replay.lua`.

use weighbridge_domain::name::QuotaName;
use weighbridge_domain::time::Timestamp;

use super::condition::Condition;
use super::contribution::{Loss, Open, join};
use super::{Model, Replay, ReplicaId, Snapshot, WindowReport};

impl Model {
    /// Takes in what a replica tells again; `None` when the epoch is another one.
    pub fn replay(&mut self, replica: &ReplicaId, replay: &Replay, now: u64) -> Option<Snapshot> {
        if self.epoch.as_ref().is_none_or(|life| life.id != replay.epoch.0) {
            return None;
        }
        let mut snapshot = Snapshot { now: Timestamp::from_millis(now), ..Snapshot::default() };
        for (quota, stake) in &replay.windows {
            let stored = self.contribution(quota, replica);
            if let Some(open) = join(self.windows.get(quota), stored, stake, Loss::IsTold, now) {
                snapshot.windows.push(self.keep_open(quota, replica, open));
            }
        }
        for (id, report) in &replay.members {
            let mut condition = self.condition(id);
            let is_news = condition.hear(Condition::told(report));
            snapshot.members.push(condition.report());
            if is_news {
                self.keep_condition(id, condition);
            }
        }
        Some(snapshot)
    }

    /// Stores a window and the contribution of the replica whose stake was merged into it.
    pub(super) fn keep_open(&mut self, quota: &QuotaName, replica: &ReplicaId, mut open: Open) -> WindowReport {
        open.window.in_flight = open.window.in_flight.max(0);
        let report = open.window.report(open.mine);
        self.keep_window(quota, open.window);
        let contributions = self.contributions.entry(quota.clone()).or_default();
        if open.is_new {
            contributions.clear();
        }
        contributions.insert(replica.clone(), open.mine);
        report
    }
}

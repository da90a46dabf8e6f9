//! What one replica knows of one shard of the fleet's books.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::Instant;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Event, Observer};
use weighbridge_domain::limits::{Feedback, Limits, Tokens};
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::store::{OnStoreLoss, PartitionSafety};
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;

use super::clerk::Job;
use super::full::Full;
use super::link::Link;
use super::mark;
use super::protocol::{Epoch, Granted, Replay, ReplicaId, Report, Snapshot, Stake, WindowReport};
use super::roll::Roll;
use super::share::Seat;
use super::standings::{Heard, Standings};
use super::time::ServerTime;
use super::windows::{Own, Windows};
use crate::books::{Books, Change, admits};
use crate::{Candidate, Counted, Mode, Outcome, Refusal, Regard, Settlement, announce};

/// In so many beats every deployment is looked at once: 30 s.
const ROUND: usize = 150;
/// So many are looked at in any beat, should there be as many.
const LEAST: usize = 10;

/// How a replica behaves in a fleet.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    pub(crate) call_timeout: Duration,
    pub(crate) on_store_loss: OnStoreLoss,
    pub(crate) partition_safety: PartitionSafety,
    pub(crate) max_replicas: u32,
    pub(crate) local_max: Option<Duration>,
}

/// Where the truth is at present.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// In the store.
    Shared(Connection),
    /// In the store, once every replica has told it what it knows.
    Recovering(Connection),
    /// Out of reach.
    Local,
    /// Nowhere any more: the replica has left.
    Left,
}

/// A connection and the epoch that was joined over it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) epoch: Epoch,
}

/// What may befall a connection, as the clerk tells the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is of no use any more.
    Broken(String),
    /// It is too slow to be of use.
    Slow,
    /// It works, but the epoch must be joined again.
    Stale { saw_loss: bool },
}

/// What one replica knows and has done.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) replica: ReplicaId,
    pub(crate) habits: Habits,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) time: ServerTime,
    /// What this replica granted, and where deployments stand as far as it knows.
    pub(crate) books: Books,
    pub(crate) windows: Windows,
    pub(crate) full: Full,
    pub(crate) roll: Roll,
    standings: Standings,
    members: ArcSwap<Members>,
    phase: ArcSwap<Phase>,
    /// When the store was lost, in ms; 0 while it is not.
    lost_at: AtomicU64,
    jobs: mpsc::UnboundedSender<Job>,
    faults: mpsc::UnboundedSender<Fault>,
}

/// The deployments of the table in force.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub(crate) deployments: Vec<Arc<Deployment>>,
    by_mark: HashMap<String, DeploymentId>,
}

impl Shard {
    pub(crate) fn new(
        replica: ReplicaId,
        habits: Habits,
        observer: Arc<dyn Observer>,
        time: ServerTime,
        jobs: mpsc::UnboundedSender<Job>,
        faults: mpsc::UnboundedSender<Fault>,
    ) -> Self {
        Self {
            replica,
            habits,
            observer,
            time,
            books: Books::default(),
            windows: Windows::default(),
            full: Full::default(),
            roll: Roll::default(),
            standings: Standings::default(),
            members: ArcSwap::default(),
            phase: ArcSwap::from_pointee(Phase::Local),
            lost_at: AtomicU64::new(0),
            jobs,
            faults,
        }
    }

    pub(crate) fn phase(&self) -> Arc<Phase> {
        self.phase.load_full()
    }

    pub(crate) fn mode(&self) -> Mode {
        match **self.phase.load() {
            Phase::Shared(_) => Mode::Shared,
            Phase::Recovering(_) => Mode::Recovering,
            Phase::Local | Phase::Left => Mode::Local,
        }
    }

    pub(crate) fn has_left(&self) -> bool {
        matches!(**self.phase.load(), Phase::Left)
    }

    /// Moves to another phase, and tells observers when that is another mode to serve in.
    pub(crate) fn enter(&self, phase: Phase, reason: &str) {
        let before = self.mode();
        if matches!(phase, Phase::Shared(_)) {
            self.is_found();
        } else {
            self.is_lost(self.time.now());
        }
        self.phase.store(Arc::new(phase));
        let mode = self.mode();
        if mode != before && !self.has_left() {
            self.observer.observe(&Event::StoreModeChanged { mode: mode.label(), reason });
        }
    }

    /// The store carries out what it is told.
    pub(crate) fn is_found(&self) {
        self.lost_at.store(0, Ordering::Relaxed);
    }

    /// The store is out of reach; says since when.
    pub(crate) fn is_lost(&self, now: Timestamp) -> Timestamp {
        let now_ms = now.as_millis();
        let since = self.lost_at.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        Timestamp::from_millis(since.map_or_else(|before| before, |_| now_ms))
    }

    /// Tells the keeper what befell the connection; nothing is granted over it meanwhile.
    pub(crate) fn fault(&self, connection: &Connection, fault: Fault) {
        match &fault {
            Fault::Broken(reason) => self.enter(Phase::Local, reason),
            Fault::Slow => self.enter(Phase::Local, "the store answers too slowly"),
            Fault::Stale { saw_loss } => {
                let reason = if *saw_loss { "the store has lost something" } else { "the store began a new epoch" };
                self.enter(Phase::Recovering(connection.clone()), reason);
            }
        }
        // The keeper lives as long as the store.
        drop(self.faults.send(fault));
    }

    pub(crate) fn send(&self, job: Job) {
        // The clerk lives as long as the store; what comes after it has nobody to be told.
        drop(self.jobs.send(job));
    }

    /// Where this replica stands among the others for one window.
    pub(crate) fn seat(&self, quota: &QuotaName) -> Seat {
        self.roll.seat(&self.replica, quota, self.habits.max_replicas)
    }

    /// The limits to ask for: less the shares of replicas that vanished, where those are left alone.
    pub(crate) fn limits(&self, limits: &Limits) -> Limits {
        match self.habits.partition_safety {
            PartitionSafety::Off => *limits,
            PartitionSafety::Withhold => self.roll.withhold(limits),
        }
    }

    /// What this replica's own books say of a window.
    fn own(&self, quota: &QuotaName, now: Timestamp) -> Own {
        let own = self.books.window(quota, now, |window| (window.usage(), window.in_flight()));
        let (usage, in_flight) = own.unwrap_or_default();
        Own { usage, in_flight, at: now }
    }

    /// What this replica says of itself about a window.
    pub(crate) fn stake(&self, quota: &QuotaName, now: Timestamp) -> Stake {
        self.windows.stake(quota, self.own(quota, now))
    }

    /// Takes over what the store holds of a window, in reply to a `stake` and after granting `granted` more.
    pub(crate) fn heard_window(&self, quota: &QuotaName, report: &WindowReport, stake: &Stake, granted: Granted) {
        self.windows.heard(quota, report, stake, granted, self.own(quota, self.time.now()));
    }

    /// Takes over where a deployment stands, unless something newer is known.
    pub(crate) fn heard_member(&self, id: &DeploymentId, report: &Report, now: Timestamp) {
        if self.standings.hear(&self.books, id, report, now) == Heard::News {
            // What kept it out may have kept it from being asked as well.
            self.full.forget(id);
        }
    }

    /// Takes over what another replica told about the deployment of that mark.
    pub(crate) fn heard_news(&self, mark: &str, report: &Report) {
        let id = self.members.load().by_mark.get(mark).cloned().or_else(|| self.books.guests().by_mark(mark));
        if let Some(id) = id {
            self.heard_member(&id, report, self.time.now());
        }
    }

    /// Takes over what a snapshot of `quotas` and `members` shows.
    pub(crate) fn saw(&self, snapshot: &Snapshot, sent: Instant, quotas: &[QuotaName], members: &[DeploymentId]) {
        let now = snapshot.now;
        for (quota, report) in quotas.iter().zip(&snapshot.windows) {
            self.windows.saw(quota, report, self.own(quota, now), sent);
        }
        for (id, report) in members.iter().zip(&snapshot.members) {
            self.heard_member(id, report, now);
        }
    }

    /// All that this replica knows and the store may have lost.
    pub(crate) fn replay(&self, epoch: &Epoch) -> Replay {
        let windows = self.stakes(self.windows.quotas());
        Replay { epoch: epoch.clone(), windows, members: self.standings.all(&self.books) }
    }

    /// Sees to it that the next call tells what was granted here and the store has not been told of.
    pub(crate) fn tell_untold(&self) {
        let untold = self.windows.untold();
        if untold.is_empty() {
            return;
        }
        for deployment in &self.everybody().deployments {
            if untold.contains(&deployment.quota) {
                // Whatever is said of a window, what this replica holds of it is said as well.
                let deployment = Arc::clone(deployment);
                self.send(Job::Observe { deployment, feedback: Feedback::default(), counted: Counted::default() });
            }
        }
    }

    fn stakes(&self, quotas: Vec<QuotaName>) -> Vec<(QuotaName, Stake)> {
        let now = self.time.now();
        let stakes = quotas.into_iter().map(|quota| {
            let stake = self.stake(&quota, now);
            (quota, stake)
        });
        stakes
            .filter(|(quota, stake)| {
                stake.granted.requests > 0 || stake.in_flight > 0 || self.windows.is_in_doubt(quota)
            })
            .collect()
    }

    /// Counts an outcome here alone; the fleet hears of it when the store is back.
    pub(crate) fn report_alone(&self, settlement: &Settlement) {
        let now = self.time.now();
        let id = &settlement.deployment.id;
        let change = self.books.report(settlement, now);
        if change != Change::None {
            self.changed_here(id, now);
        }
        announce::changed(&*self.observer, id, change, now);
    }

    /// Takes an outcome that is certain to rest its deployment into account before the store has heard of it: whoever
    /// asks here next must not be sent there.
    pub(crate) fn foresee(&self, settlement: &Settlement) {
        if is_certain(settlement) {
            self.report_alone(settlement);
        }
    }

    /// Notes that a deployment stands otherwise by this replica's own word.
    pub(crate) fn changed_here(&self, id: &DeploymentId, now: Timestamp) {
        self.standings.changed_here(id, now);
        self.full.forget(id);
    }

    /// Notes that `candidates` had no room for `tokens`. One that rests was refused for that.
    pub(crate) fn note_full(&self, candidates: &[Candidate], tokens: Tokens, refusal: Refusal, now: Timestamp) {
        let is_up = |candidate: &&Candidate| {
            let health = self.books.health(&candidate.deployment.id, now);
            candidate.cooldown == Regard::Heed && admits(health, candidate.cooldown).is_ok()
        };
        self.full.note(candidates.iter().filter(is_up), tokens, refusal, now);
    }

    /// Learns which deployments there are; of those, the ones that `belongs` says are this shard's.
    pub(crate) fn adopt(&self, table: &RoutingTable, belongs: impl Fn(&Deployment) -> bool) {
        let deployments: Vec<_> = table.deployments().filter(|deployment| belongs(deployment)).cloned().collect();
        let by_mark = deployments.iter().map(|deployment| (mark(deployment.id.as_str()), deployment.id.clone()));
        let members = Arc::new(Members { by_mark: by_mark.collect(), deployments });
        self.members.store(members);
        self.books.adopt(table);
        self.forget_strangers();
    }

    /// Notes that a deployment is about to be used, in case it is a guest.
    pub(crate) fn note(&self, deployment: &Arc<Deployment>) {
        if self.books.note(deployment) {
            self.forget_strangers();
        }
    }

    /// Forgets what is neither in the table nor a guest's, and neither in use nor in the window.
    fn forget_strangers(&self) {
        let everybody = self.everybody();
        let (now, quotas) = (self.time.now(), everybody.quotas());
        let is_over = |quota: &QuotaName| {
            let own = self.own(quota, now);
            quotas.binary_search(quota).is_err() && own.usage.requests == 0 && own.in_flight == 0
        };
        let over: Vec<_> = self.windows.quotas().into_iter().filter(is_over).collect();
        self.windows.forget(&over);
        let ids: std::collections::HashSet<_> = everybody.deployments.iter().map(|deployment| &deployment.id).collect();
        self.standings.retain(|id| ids.contains(id));
        self.full.retain(|id| ids.contains(id));
    }

    /// Whether a deployment is in the table or a guest, and this shard's.
    pub(crate) fn has(&self, id: &DeploymentId) -> bool {
        self.members.load().deployments.iter().any(|deployment| deployment.id == *id) || self.books.guests().has(id)
    }

    /// The deployments of the table in force, and the guests.
    pub(crate) fn everybody(&self) -> Members {
        let mut deployments = self.members.load().deployments.clone();
        deployments.extend(self.books.guests().all());
        Members { deployments, ..Members::default() }
    }

    /// What one of many beats looks at: the deployments that somebody wanted to know of lately, and some of the others
    /// in turn. Should the store be lost, what is known of those is old, but not too old.
    pub(crate) fn to_look_at(&self, beat: u32) -> Members {
        let all = self.everybody();
        let quotas = all.deployments.iter().map(|deployment| &deployment.quota);
        let are_wanted = self.windows.are_wanted(quotas, self.time.now());
        let in_turn = in_turn(beat, all.deployments.len());
        let numbered = all.deployments.iter().zip(are_wanted).enumerate();
        let looked_at = numbered.filter(|(number, (_, is_wanted))| *is_wanted || in_turn.contains(number));
        let deployments = looked_at.map(|(_, (deployment, _))| Arc::clone(deployment)).collect();
        Members { deployments, ..Members::default() }
    }

    /// What was done before the store was first heard of went by a guess at its clock, which may be off by as much as
    /// this process's own.
    pub(crate) fn put_right(&self) {
        let behind = self.time.guess_behind_ms() / 1000;
        // A guess that was right to the second has done no harm.
        if behind != 0 {
            self.books.shift(behind);
            self.books.forget_standings();
            self.standings.retain(|_| false);
        }
    }

    /// The clock of the store jumped ahead: what was granted here is not older for it.
    pub(crate) fn jumped(&self, span: Duration) {
        self.books.shift(i64::try_from(span.as_secs()).unwrap_or(i64::MAX));
        let now = self.time.now();
        for quota in self.windows.quotas() {
            self.windows.grant_again(&quota, self.own(&quota, now).usage);
        }
    }
}

impl Members {
    /// The windows of all deployments, each once, sorted.
    pub(crate) fn quotas(&self) -> Vec<QuotaName> {
        let mut quotas: Vec<_> = self.deployments.iter().map(|deployment| deployment.quota.clone()).collect();
        quotas.sort_unstable();
        quotas.dedup();
        quotas
    }
}

/// Which of `count` a beat looks at whether anybody wants them or not: every one has its turn in [`ROUND`] beats.
fn in_turn(beat: u32, count: usize) -> Range<usize> {
    let piece = count.div_ceil(ROUND).max(LEAST);
    let pieces = u32::try_from(count.div_ceil(piece).max(1)).unwrap_or(u32::MAX);
    let begins = (beat % pieces) as usize * piece;
    begins..count.min(begins + piece)
}

/// Whether an outcome rests its deployment whatever else the fleet knows.
pub(crate) const fn is_certain(settlement: &Settlement) -> bool {
    matches!(settlement.outcome, Outcome::Failure { verdict: CooldownVerdict::AtOnce(_), .. })
}

#[cfg(test)]
mod tests {
    use super::{LEAST, ROUND, in_turn};

    #[test]
    fn every_deployment_has_its_turn() {
        for count in [0, 1, 9, 10, 11, 149, 150, 151, 1499, 1501, 3000, 100_000] {
            for first in [0, 7, u32::MAX - 400] {
                let mut is_looked_at = vec![false; count];
                for beat in (first..).take(ROUND) {
                    let piece = in_turn(beat, count);
                    assert!(piece.len() <= LEAST.max(count.div_ceil(ROUND)), "{count}: {piece:?}");
                    is_looked_at[piece].fill(true);
                }
                assert!(is_looked_at.iter().all(|is| *is), "{count}, from beat {first}");
            }
        }
    }
}

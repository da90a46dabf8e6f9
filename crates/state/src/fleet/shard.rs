//! What one replica knows of one shard of the fleet's books, and what it decides by that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Event, Observer};
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::store::{OnStoreLoss, PartitionSafety};
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, WindowUsage};

use super::clerk::Job;
use super::link::Link;
use super::mark;
use super::protocol::{Epoch, Granted, Replay, ReplicaId, Report, Snapshot, Stake, WindowReport};
use super::share::{self, Seat, SinceLoss};
use super::time::ServerTime;
use crate::books::{Books, admits};
use crate::{
    Admission, Candidate, Exposure, Grant, Mode, Outcome, Refusal, RefusalCause, Regard, Reserve, Settlement, announce,
};

/// How long what is known of the others' usage counts without being heard again.
const WINDOW: Duration = Duration::from_secs(61);
/// How long a deployment is looked at after somebody wanted to know of it.
const WANTED_FOR: Duration = Duration::from_secs(10);
/// How long a full deployment is not asked again, at most: refunds may free it sooner than it said.
const FULL_FOR: Duration = Duration::from_millis(250);
/// How long the others need to notice that a replica has vanished, and to forget what it may have been granted before.
const WITHHELD_AFTER: Duration = Duration::from_millis(62_500);

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
    jobs: mpsc::UnboundedSender<Job>,
    faults: mpsc::UnboundedSender<Fault>,
    phase: ArcSwap<Phase>,
    windows: Mutex<HashMap<QuotaName, Known>>,
    generations: RwLock<HashMap<DeploymentId, Generation>>,
    full: RwLock<HashMap<DeploymentId, Full>>,
    members: ArcSwap<Members>,
    roll: RwLock<Roll>,
    vanished: AtomicU32,
    /// When the store was lost, in ms; 0 while it is not.
    lost_at: AtomicU64,
}

/// What is known of one window beside what the books say.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    granted: Granted,
    acknowledged: u64,
    /// What the others have used, and when that was heard.
    others: WindowUsage,
    others_in_flight: u32,
    heard_at: Timestamp,
    /// When somebody last wanted to know.
    wanted_at: Timestamp,
    /// Since the store was lost.
    since: Option<SinceLoss>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Generation {
    number: u32,
    era: u32,
}

/// A deployment that had no room a moment ago.
#[derive(Debug, Clone, Copy)]
struct Full {
    until: Timestamp,
    /// For requests of at least so many tokens of each kind.
    tokens: Tokens,
    refusal: Refusal,
}

/// The deployments of the table in force.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub(crate) deployments: Vec<Arc<Deployment>>,
    by_mark: HashMap<String, DeploymentId>,
}

/// Who there is.
#[derive(Debug, Clone, Default)]
struct Roll {
    replicas: Vec<ReplicaId>,
    /// Whether the store was ever asked.
    is_known: bool,
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
            jobs,
            faults,
            phase: ArcSwap::from_pointee(Phase::Local),
            windows: Mutex::default(),
            generations: RwLock::default(),
            full: RwLock::default(),
            members: ArcSwap::default(),
            roll: RwLock::default(),
            vanished: AtomicU32::new(0),
            lost_at: AtomicU64::new(0),
        }
    }

    // Where the truth is.

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

    /// Moves to another phase, and tells observers when that is another mode.
    pub(crate) fn enter(&self, phase: Phase, reason: &str) {
        let before = self.mode();
        if matches!(phase, Phase::Shared(_)) {
            self.is_found();
        } else {
            self.is_lost(self.time.now());
        }
        self.phase.store(Arc::new(phase));
        let mode = self.mode();
        if mode != before {
            self.observer.observe(&Event::StoreModeChanged { mode: mode.label(), reason });
        }
    }

    /// The store carries out what it is told.
    pub(crate) fn is_found(&self) {
        self.lost_at.store(0, Ordering::Relaxed);
    }

    /// The store is out of reach; since when.
    fn is_lost(&self, now: Timestamp) -> Timestamp {
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

    // Who there is.

    pub(crate) fn set_roll(&self, replicas: Vec<ReplicaId>) {
        *self.roll.write().unwrap_or_else(PoisonError::into_inner) = Roll { replicas, is_known: true };
    }

    pub(crate) fn set_vanished(&self, vanished: u32) {
        self.vanished.store(vanished, Ordering::Relaxed);
    }

    /// How many replicas there are, as far as is known.
    pub(crate) fn replicas(&self) -> u32 {
        let roll = self.roll.read().unwrap_or_else(PoisonError::into_inner);
        u32::try_from(roll.replicas.len()).unwrap_or(u32::MAX).max(1)
    }

    fn seat(&self, window: &QuotaName) -> Seat {
        let roll = self.roll.read().unwrap_or_else(PoisonError::into_inner);
        if !roll.is_known {
            return Seat { replicas: self.habits.max_replicas, rank: None };
        }
        let replicas = u32::try_from(roll.replicas.len()).unwrap_or(u32::MAX).max(1);
        Seat { replicas, rank: Some(share::rank(&self.replica, &roll.replicas, window.as_str())) }
    }

    /// `limits` less the shares of replicas that vanished, where those are left alone.
    pub(crate) fn withheld(&self, limits: &Limits) -> Limits {
        let vanished = self.vanished.load(Ordering::Relaxed);
        if vanished == 0 || self.habits.partition_safety == PartitionSafety::Off {
            return *limits;
        }
        let (there, all) = (u64::from(self.replicas()), u64::from(self.replicas() + vanished));
        let part =
            |limit: Option<u32>| limit.map(|limit| u32::try_from(u64::from(limit) * there / all).unwrap_or(u32::MAX));
        Limits {
            rpm: part(limits.rpm),
            tpm: part(limits.tpm),
            itpm: part(limits.itpm),
            otpm: part(limits.otpm),
            ..*limits
        }
    }

    // Granting from this replica's share.

    /// Grants by what this replica may do alone.
    pub(crate) fn grant_alone(&self, ask: Reserve<'_>, server_now: Timestamp) -> Admission {
        if matches!(**self.phase.load(), Phase::Left) {
            return Admission::Refused(Refusal { retry_at: None, cause: RefusalCause::AtLimit });
        }
        let lost_at = self.is_lost(server_now);
        let limits = |deployment: &Deployment, own: WindowUsage| {
            self.limits_alone(deployment, own, ask.tokens, server_now, lost_at)
        };
        match self.books.grant(ask, limits, server_now) {
            Admission::Granted(grant) => {
                let deployment = &ask.candidates[grant.candidate].deployment;
                let mut windows = lock(&self.windows);
                let known = windows.entry(deployment.quota.clone()).or_default();
                known.granted.add(grant.tokens);
                if let Some(since) = &mut known.since {
                    since.spent.add(grant.tokens);
                }
                Admission::Granted(Grant { is_local: true, ..grant })
            }
            refused @ Admission::Refused(_) => refused,
        }
    }

    fn limits_alone(
        &self,
        deployment: &Deployment,
        own: WindowUsage,
        tokens: Tokens,
        now: Timestamp,
        lost_at: Timestamp,
    ) -> Limits {
        let limits = &deployment.limits;
        let away = now.since(lost_at);
        let is_over = self.habits.local_max.is_some_and(|longest| away > longest);
        let withholds = self.habits.partition_safety == PartitionSafety::Withhold;
        match self.habits.on_store_loss {
            OnStoreLoss::Open => return Limits { basis: limits.basis, ..Limits::default() },
            _ if limits.is_unlimited() => return *limits,
            OnStoreLoss::Closed => return share::closed(limits),
            OnStoreLoss::LocalShare if is_over || (withholds && away < WITHHELD_AFTER) => return share::closed(limits),
            OnStoreLoss::LocalShare => {}
        }
        let since = (away < WINDOW).then(|| self.since_loss(&deployment.quota, own, now));
        share::limits(limits, self.seat(&deployment.quota), since, own, tokens)
    }

    fn since_loss(&self, quota: &QuotaName, own: WindowUsage, now: Timestamp) -> SinceLoss {
        let mut windows = lock(&self.windows);
        let known = windows.entry(quota.clone()).or_default();
        let others = known.others(now);
        *known.since.get_or_insert(SinceLoss { used: others.and(own), spent: Granted::default() })
    }

    /// How far beyond their limits deployments may be used because this replica is cut off.
    pub(crate) fn exposure(&self, deployment: &Deployment) -> Exposure {
        let limits = &deployment.limits;
        if self.mode() == Mode::Shared || limits.is_unlimited() {
            return Exposure::default();
        }
        match self.habits.on_store_loss {
            OnStoreLoss::Closed => Exposure::default(),
            OnStoreLoss::Open => {
                let all = |limit: Option<u32>| if limit.is_some() { f64::INFINITY } else { 0.0 };
                Exposure { requests: all(limits.rpm), tokens: all(limits.tpm) }
            }
            // The others may use all of it, and this one its part.
            OnStoreLoss::LocalShare => {
                let part = self.seat(&deployment.quota).of(limits);
                let float = |limit: Option<u32>| limit.map_or(0.0, f64::from);
                Exposure { requests: float(part.rpm), tokens: float(part.tpm) }
            }
        }
    }

    // What the store said.

    /// What this replica says of itself about a window.
    pub(crate) fn stake(&self, quota: &QuotaName, now: Timestamp) -> Stake {
        let (recent, in_flight) = self.books.window(quota, now, |window| (window.usage(), window.in_flight()));
        let known = lock(&self.windows).get(quota).copied().unwrap_or_default();
        Stake { granted: known.granted, acknowledged: known.acknowledged, recent, in_flight }
    }

    /// Takes over what the store holds of a window, in reply to a `stake` and after granting `granted` more.
    pub(crate) fn heard_window(
        &self,
        quota: &QuotaName,
        report: &WindowReport,
        stake: &Stake,
        granted: Granted,
        now: Timestamp,
    ) {
        let own = self.books.window(quota, now, |window| window.usage());
        let mut windows = lock(&self.windows);
        let known = windows.entry(quota.clone()).or_default();
        // More than was asked for: grants whose reply was lost. They count as this replica's.
        let unknown = report.granted.beyond(stake.granted.and(granted));
        known.granted = known.granted.and(granted).and(unknown);
        known.acknowledged = report.granted.requests;
        let in_flight = stake.in_flight.saturating_add(u32::try_from(granted.requests).unwrap_or(u32::MAX));
        known.others_in_flight = report.in_flight.saturating_sub(in_flight);
        known.others = report.usage.beyond(own);
        known.heard_at = now;
        known.since = None;
    }

    /// Takes over what a snapshot shows of a window, unless something newer is known.
    pub(crate) fn saw_window(&self, quota: &QuotaName, report: &WindowReport, now: Timestamp) {
        let (own, in_flight) = self.books.window(quota, now, |window| (window.usage(), window.in_flight()));
        let mut windows = lock(&self.windows);
        let known = windows.entry(quota.clone()).or_default();
        if now < known.heard_at {
            return;
        }
        known.others = report.usage.beyond(own);
        known.others_in_flight = report.in_flight.saturating_sub(in_flight);
        known.heard_at = now;
    }

    /// Takes over where a deployment stands, unless something newer is known.
    pub(crate) fn heard_member(&self, id: &DeploymentId, report: &Report, now: Timestamp) {
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        let known = generations.entry(id.clone()).or_default();
        if report.generation < known.number {
            let own = self.books.standing(id).map(|(standing, _)| standing).unwrap_or_default();
            // A store that has forgotten a deployment knows better only where nothing keeps it out any more; and
            // whoever keeps it out longer is believed.
            let has_forgotten = report.generation == 0 && !own.is_out(now);
            let is_longer = report.standing.rest.map(|rest| rest.until) > own.rest.map(|rest| rest.until);
            if !has_forgotten && !is_longer {
                return;
            }
        }
        if report.generation != known.number {
            // What kept it out may have kept it from being asked as well.
            self.full.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
        *known = Generation { number: report.generation, era: report.era };
        self.books.set_standing(id, report.standing, report.pace);
    }

    /// Takes over what another replica told about the deployment of that mark.
    pub(crate) fn heard_news(&self, mark: &str, report: &Report) {
        if let Some(id) = self.members.load().by_mark.get(mark) {
            self.heard_member(id, report, self.time.now());
        }
    }

    /// What of a snapshot of `quotas` and `members` is news.
    pub(crate) fn saw(&self, snapshot: &Snapshot, quotas: &[QuotaName], members: &[DeploymentId]) {
        let now = snapshot.now;
        for (quota, report) in quotas.iter().zip(&snapshot.windows) {
            self.saw_window(quota, report, now);
        }
        for (id, report) in members.iter().zip(&snapshot.members) {
            self.heard_member(id, report, now);
        }
    }

    /// All that this replica knows and the store may have lost.
    pub(crate) fn replay(&self, epoch: &Epoch) -> Replay {
        let now = self.time.now();
        let quotas: Vec<QuotaName> = lock(&self.windows).keys().cloned().collect();
        let windows = quotas
            .into_iter()
            .map(|quota| {
                let stake = self.stake(&quota, now);
                (quota, stake)
            })
            .filter(|(_, stake)| stake.granted.requests > 0 || stake.in_flight > 0)
            .collect();
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        let members = generations
            .iter()
            .filter(|(_, generation)| generation.number > 0)
            .filter_map(|(id, generation)| {
                let (standing, pace) = self.books.standing(id)?;
                Some((id.clone(), Report { standing, generation: generation.number, era: generation.era, pace }))
            })
            .collect();
        Replay { epoch: epoch.clone(), windows, members }
    }

    // What ended while the store was out of reach.

    /// Counts an outcome here alone; the fleet hears of it when the store is back.
    pub(crate) fn report_alone(&self, settlement: &Settlement) {
        let now = self.time.now();
        let change = self.books.report(settlement, now);
        if change != crate::books::Change::None {
            self.changed_here(&settlement.deployment.id, now);
        }
        announce::changed(&*self.observer, &settlement.deployment.id, change, now);
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
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        let known = generations.entry(id.clone()).or_default();
        known.number = (known.number + 1).max(u32::try_from(now.as_secs()).unwrap_or(u32::MAX));
    }

    // Deployments that had no room.

    /// Those of `ask`'s candidates that may have room, with their places; and what is known of the others.
    pub(crate) fn not_full(&self, ask: Reserve<'_>, now: Timestamp) -> (Vec<(usize, Candidate)>, Refusal) {
        let full = self.full.read().unwrap_or_else(PoisonError::into_inner);
        let mut refusal = Refusal::NOBODY;
        let mut open = Vec::with_capacity(ask.candidates.len());
        for (place, candidate) in ask.candidates.iter().enumerate() {
            let known = full.get(&candidate.deployment.id).filter(|full| {
                now < full.until
                    && full.tokens.beyond(ask.tokens) == Tokens::default()
                    && candidate.cooldown == Regard::Heed
            });
            match known {
                Some(full) => refusal = refusal.or(full.refusal),
                None => open.push((place, candidate.clone())),
            }
        }
        (open, refusal)
    }

    /// Notes that `candidates` had no room for `tokens`.
    pub(crate) fn note_full(&self, candidates: &[Candidate], tokens: Tokens, refusal: Refusal, now: Timestamp) {
        if refusal.cause != RefusalCause::AtLimit {
            return;
        }
        let until = refusal.retry_at.map_or(now + FULL_FOR, |at| at.min(now + FULL_FOR));
        let mut full = self.full.write().unwrap_or_else(PoisonError::into_inner);
        for candidate in candidates.iter().filter(|candidate| candidate.cooldown == Regard::Heed) {
            // One that rests was refused for that.
            let id = &candidate.deployment.id;
            let health = self.books.condition(id, |condition| condition.health(now));
            if admits(health, candidate.cooldown).is_ok() {
                full.insert(id.clone(), Full { until, tokens, refusal });
            }
        }
    }

    /// Notes that a deployment may have room again.
    pub(crate) fn note_freed(&self, deployment: &Deployment) {
        let is_noted = !self.full.read().unwrap_or_else(PoisonError::into_inner).is_empty();
        if is_noted {
            let mut full = self.full.write().unwrap_or_else(PoisonError::into_inner);
            if deployment.quota.as_str() == deployment.id.as_str() {
                full.remove(&deployment.id);
            } else {
                full.clear();
            }
        }
    }

    // The table in force.

    pub(crate) fn adopt(&self, table: &RoutingTable, belongs: impl Fn(&Deployment) -> bool) {
        let deployments: Vec<_> = table.deployments().filter(|deployment| belongs(deployment)).cloned().collect();
        let by_mark = deployments.iter().map(|deployment| (mark(deployment.id.as_str()), deployment.id.clone()));
        let by_mark = by_mark.collect();
        self.members.store(Arc::new(Members { deployments, by_mark }));
        self.books.adopt(table);
        self.forget();
    }

    /// Forgets what is no longer in the table, and is neither in use nor in the window.
    fn forget(&self) {
        let now = self.time.now();
        let members = self.members();
        let quotas = members.quotas();
        let is_over = |quota: &QuotaName| {
            self.books.window(quota, now, |window| window.usage().requests == 0 && window.in_flight() == 0)
        };
        lock(&self.windows).retain(|quota, _| quotas.binary_search(quota).is_ok() || !is_over(quota));
        let is_known = |id: &DeploymentId| members.deployments.iter().any(|deployment| deployment.id == *id);
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        generations.retain(|id, _| is_known(id));
        self.full.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| is_known(id));
    }

    pub(crate) fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    // What is known.

    /// Adds what the others do to what this replica does.
    pub(crate) fn add_others(&self, deployments: &[Arc<Deployment>], views: &mut [DeploymentView], now: Timestamp) {
        let mut windows = lock(&self.windows);
        for (deployment, view) in deployments.iter().zip(views) {
            if let Some(known) = windows.get_mut(&deployment.quota) {
                known.wanted_at = now;
                view.usage = view.usage.and(known.others(now));
                view.in_flight = view.in_flight.saturating_add(known.others_in_flight);
            } else {
                windows.insert(deployment.quota.clone(), Known { wanted_at: now, ..Known::default() });
            }
        }
    }

    /// The deployments that somebody wanted to know of lately: of the others, news tell what matters.
    pub(crate) fn wanted(&self) -> Members {
        let now = self.time.now();
        let windows = lock(&self.windows);
        let is_wanted = |quota| windows.get(quota).is_some_and(|known| now.since(known.wanted_at) < WANTED_FOR);
        let members = self.members.load();
        let wanted = members.deployments.iter().filter(|deployment| is_wanted(&deployment.quota));
        Members { deployments: wanted.cloned().collect(), by_mark: HashMap::new() }
    }

    /// The clock of the store jumped ahead: what was granted here is not older for it.
    pub(crate) fn jumped(&self, span: Duration) {
        self.books.shift(span);
    }
}

impl Members {
    /// The windows of all deployments, each once.
    pub(crate) fn quotas(&self) -> Vec<QuotaName> {
        let mut quotas: Vec<_> = self.deployments.iter().map(|deployment| deployment.quota.clone()).collect();
        quotas.sort_unstable();
        quotas.dedup();
        quotas
    }
}

impl Known {
    fn others(&self, now: Timestamp) -> WindowUsage {
        if now.since(self.heard_at) < WINDOW { self.others } else { WindowUsage::default() }
    }
}

/// Whether an outcome rests its deployment whatever else the fleet knows.
pub(crate) const fn is_certain(settlement: &Settlement) -> bool {
    matches!(settlement.outcome, Outcome::Failure { verdict: CooldownVerdict::AtOnce(_), .. })
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

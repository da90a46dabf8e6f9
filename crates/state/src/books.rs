//! What one process remembers: windows of usage by quota, and the rest by deployment.
//!
//! The embedded store is nothing else. A store that shares state keeps books too: what it granted
//! itself, and what goes on while the others cannot be reached.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health, WindowUsage};

use crate::health::{Condition, Standing, Tripped};
use crate::latency::{Pace, median};
use crate::window::{Fit, Window};
use crate::{Admission, Grant, LatencySample, Outcome, Refusal, RefusalCause, Regard, Reserve, Settlement};

/// What one process remembers.
#[derive(Debug, Default)]
pub(crate) struct Books {
    windows: Shelf<QuotaName, Window>,
    books: Shelf<DeploymentId, Book>,
    serial: AtomicU64,
}

/// Values by name, each under a lock of its own.
#[derive(Debug)]
struct Shelf<K, V>(RwLock<HashMap<K, Arc<Mutex<V>>>>);

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

/// What is remembered of one deployment beside its window.
#[derive(Debug, Default)]
struct Book {
    condition: Condition,
    pace: Option<Pace>,
    /// Grants under way.
    in_flight: HashSet<u64>,
    /// Those of them that have had no token yet, oldest first.
    waiting: BTreeMap<u64, Timestamp>,
    /// Whether the table has it no more: forgotten with its last grant.
    is_orphan: bool,
}

/// What an outcome did to its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// It is back.
    Back,
    /// It rests, or rests longer.
    Rests { until: Timestamp, cause: FailureKind },
}

/// Whether a grant was still under way when it was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// It was; now it is not.
    Freed,
    /// It had been settled before.
    Again,
}

impl Books {
    /// Grants the first of `ask.candidates` that has room within the limits that `limits` gives it.
    pub(crate) fn grant(
        &self,
        ask: Reserve<'_>,
        limits: impl Fn(&Deployment, WindowUsage) -> Limits,
        now: Timestamp,
    ) -> Admission {
        let mut refusal = Refusal::NOBODY;
        for (place, candidate) in ask.candidates.iter().enumerate() {
            let deployment = &candidate.deployment;
            let book = self.books.get(&deployment.id);
            let mut book = lock(&book);
            let is_probe = match admits(book.condition.health(now), candidate.cooldown) {
                Ok(is_probe) => is_probe,
                Err(resting) => {
                    refusal = refusal.or(resting);
                    continue;
                }
            };
            let window = self.windows.get(&deployment.quota);
            let mut window = lock(&window);
            window.roll(now);
            let limits = limits(deployment, window.usage());
            match window.fit(&limits, ask.tokens, now) {
                Fit::NotBefore(retry_at) => {
                    refusal = refusal.or(Refusal { retry_at, cause: RefusalCause::AtLimit });
                }
                Fit::Now => {
                    window.charge(&limits, ask.tokens, now);
                    if is_probe {
                        book.condition.begin_probe(now);
                    }
                    let grant =
                        Grant { usage: window.usage(), ..self.number(place, deployment, ask.tokens, is_probe, now) };
                    book.open(&grant);
                    return Admission::Granted(grant);
                }
            }
        }
        Admission::Refused(refusal)
    }

    /// Takes in what somebody else has granted at `at`.
    pub(crate) fn enter(
        &self,
        place: usize,
        deployment: &Deployment,
        tokens: Tokens,
        is_probe: bool,
        at: Timestamp,
    ) -> Grant {
        self.window(&deployment.quota, at, |window| window.enter(&deployment.limits, tokens, at));
        let grant = self.number(place, deployment, tokens, is_probe, at);
        lock(&self.books.get(&deployment.id)).open(&grant);
        grant
    }

    fn number(
        &self,
        candidate: usize,
        deployment: &Deployment,
        tokens: Tokens,
        is_probe: bool,
        at: Timestamp,
    ) -> Grant {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Grant {
            candidate,
            deployment: deployment.id.clone(),
            tokens,
            at,
            serial,
            is_probe,
            is_local: false,
            usage: WindowUsage::default(),
        }
    }

    /// Ends a grant's place in flight and settles its tokens.
    pub(crate) fn release(&self, settlement: &Settlement, now: Timestamp) -> Release {
        let Settlement { grant, deployment, used, .. } = settlement;
        {
            let book = self.books.get(&deployment.id);
            let mut book = lock(&book);
            book.waiting.remove(&grant.serial);
            if !book.in_flight.remove(&grant.serial) {
                return Release::Again;
            }
        }
        let window = self.windows.get(&deployment.quota);
        let mut window = lock(&window);
        window.roll(now);
        window.release();
        if let Some(used) = *used {
            window.settle(deployment.limits.basis, grant.at.as_secs(), grant.tokens, used);
        }
        Release::Freed
    }

    /// Counts an outcome; says what changed.
    pub(crate) fn report(&self, settlement: &Settlement, now: Timestamp) -> Change {
        let id = &settlement.deployment.id;
        let probe = settlement.grant.probe_until();
        // Asked before the book is locked: it looks into the others'.
        let is_last =
            matches!(settlement.outcome, Outcome::Failure { .. }) && self.is_last_healthy(id, &settlement.peers, now);
        let book = self.books.get(id);
        let mut book = lock(&book);
        match settlement.outcome {
            Outcome::Neutral => book.condition.neutral(probe),
            Outcome::Success { sample } => {
                book.learn(sample, now);
                if book.condition.succeeded(probe, now) {
                    return Change::Back;
                }
            }
            Outcome::Failure { kind, verdict } => {
                if kind.is_slow() {
                    book.pace = Some(Pace::penalty(book.pace, now));
                }
                if let Tripped::Until(until) = book.condition.failed(kind, verdict, probe, is_last, now) {
                    return Change::Rests { until, cause: kind };
                }
            }
        }
        Change::None
    }

    /// Whether every other member of a group rests.
    fn is_last_healthy(&self, id: &DeploymentId, peers: &[DeploymentId], now: Timestamp) -> bool {
        let health = |peer: &DeploymentId| lock(&self.books.get(peer)).condition.health(now);
        peers.iter().filter(|peer| *peer != id).all(|peer| health(peer) != Health::Ready)
    }

    /// What is known of a deployment but its latency, and how fast it has been.
    pub(crate) fn look(&self, deployment: &Deployment, now: Timestamp) -> (DeploymentView, Option<Pace>) {
        let (usage, in_flight) = self.window(&deployment.quota, now, |window| (window.usage(), window.in_flight()));
        let book = self.books.get(&deployment.id);
        let book = lock(&book);
        let view = DeploymentView {
            health: book.condition.health(now),
            usage,
            in_flight,
            latency: None,
            oldest_waiting: book.oldest_waiting(now),
        };
        (view, book.pace)
    }

    /// What is known of `deployments`, in their order.
    pub(crate) fn view(&self, deployments: &[Arc<Deployment>], now: Timestamp) -> Vec<DeploymentView> {
        let (mut views, paces): (Vec<_>, Vec<_>) =
            deployments.iter().map(|deployment| self.look(deployment, now)).unzip();
        fill_latencies(&mut views, &paces, now);
        views
    }

    /// Notes that a grant's request has had its first token.
    pub(crate) fn first_token(&self, grant: &Grant) {
        if let Some(book) = self.books.find(&grant.deployment) {
            lock(&book).waiting.remove(&grant.serial);
        }
    }

    /// A look at the window of a quota, rolled to `now`.
    pub(crate) fn window<T>(&self, quota: &QuotaName, now: Timestamp, look: impl FnOnce(&mut Window) -> T) -> T {
        let window = self.windows.get(quota);
        let mut window = lock(&window);
        window.roll(now);
        look(&mut window)
    }

    /// Changes the condition of a deployment.
    pub(crate) fn condition<T>(&self, id: &DeploymentId, change: impl FnOnce(&mut Condition) -> T) -> T {
        change(&mut lock(&self.books.get(id)).condition)
    }

    /// Where a deployment stands, and how fast it has been; `None` when nothing is known of it.
    pub(crate) fn standing(&self, id: &DeploymentId) -> Option<(Standing, Option<Pace>)> {
        let book = self.books.find(id)?;
        let book = lock(&book);
        Some((book.condition.standing(), book.pace))
    }

    /// Takes over where a deployment stands and how fast it has been.
    pub(crate) fn set_standing(&self, id: &DeploymentId, standing: Standing, pace: Option<Pace>) {
        let book = self.books.get(id);
        let mut book = lock(&book);
        if book.condition.standing() != standing {
            book.condition = Condition::of(standing);
        }
        book.pace = pace.or(book.pace);
    }

    /// Forgets the deployments that `table` does not have, as soon as nothing of theirs is under way.
    pub(crate) fn adopt(&self, table: &RoutingTable) {
        self.books.retain(|id, book| {
            book.is_orphan = table.deployment(id.as_str()).is_none();
            !book.is_orphan || !book.in_flight.is_empty()
        });
        self.forget_windows(table);
    }

    /// Forgets a deployment that its table has forgotten, with its last grant.
    pub(crate) fn forget_if_done(&self, deployment: &Deployment) {
        let is_done = self.books.find(&deployment.id).is_some_and(|book| {
            let book = lock(&book);
            book.is_orphan && book.in_flight.is_empty()
        });
        if is_done {
            self.books.remove(&deployment.id);
            if deployment.quota.as_str() == deployment.id.as_str() {
                self.windows.remove(&deployment.quota);
            }
        }
    }

    /// Moves every window ahead by `seconds`, or back: the clock that they go by was put right.
    pub(crate) fn shift(&self, seconds: i64) {
        self.windows.retain(|_, window| {
            window.shift(seconds);
            true
        });
    }

    /// Forgets where deployments stand: what was learned went by a clock that was none.
    pub(crate) fn forget_standings(&self) {
        self.books.retain(|_, book| {
            book.condition = Condition::default();
            true
        });
    }

    fn forget_windows(&self, table: &RoutingTable) {
        let known: HashSet<&QuotaName> = table.deployments().map(|deployment| &deployment.quota).collect();
        self.windows.retain(|quota, window| known.contains(quota) || window.in_flight() > 0);
    }
}

impl<K: Clone + Eq + Hash, V: Default> Shelf<K, V> {
    /// The value of `key`; a new one when there is none.
    fn get(&self, key: &K) -> Arc<Mutex<V>> {
        if let Some(value) = self.find(key) {
            return value;
        }
        let mut values = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(values.entry(key.clone()).or_default())
    }

    fn find(&self, key: &K) -> Option<Arc<Mutex<V>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).map(Arc::clone)
    }

    fn remove(&self, key: &K) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn retain(&self, keep: impl Fn(&K, &mut V) -> bool) {
        let mut values = self.0.write().unwrap_or_else(PoisonError::into_inner);
        values.retain(|key, value| keep(key, &mut lock(value)));
    }
}

impl Book {
    fn open(&mut self, grant: &Grant) {
        self.in_flight.insert(grant.serial);
        self.waiting.insert(grant.serial, grant.at);
    }

    fn learn(&mut self, sample: Option<LatencySample>, now: Timestamp) {
        if let Some(sample) = sample {
            self.pace = Some(Pace::sample(self.pace, &sample, now));
        }
    }

    fn oldest_waiting(&self, now: Timestamp) -> Duration {
        self.waiting.values().next().map_or(Duration::ZERO, |since| now.since(*since))
    }
}

/// Whether a deployment in this health may be granted, and whether as a probe; else when to come back.
pub(crate) fn admits(health: Health, regard: Regard) -> Result<bool, Refusal> {
    let resting = |retry_at| Err(Refusal { retry_at, cause: RefusalCause::AllCooling });
    match (health, regard) {
        (Health::Drained { until }, _) => resting(until),
        (Health::Ready, _) => Ok(false),
        // Whoever asks after the deadline decides about it.
        (Health::HalfOpen { is_probed: false, .. }, _) => Ok(true),
        (Health::Cooling { .. } | Health::HalfOpen { .. }, Regard::Ignore) => Ok(false),
        (Health::Cooling { until, .. }, Regard::Heed) => resting(Some(until)),
        // Nobody knows when the probe is answered.
        (Health::HalfOpen { .. }, Regard::Heed) => resting(None),
    }
}

/// Latencies at `now`: what was measured, drawn towards the median of all as it ages.
pub(crate) fn fill_latencies(views: &mut [DeploymentView], paces: &[Option<Pace>], now: Timestamp) {
    let Some(median) = median(paces) else { return };
    for (view, pace) in views.iter_mut().zip(paces) {
        view.latency = Some(pace.map_or(median, |pace| pace.at(now, median)));
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

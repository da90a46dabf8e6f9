//! What one process remembers: windows of usage by quota, and the rest by deployment.
//!
//! The embedded store is nothing else. A store that shares state keeps books too: what it granted
//! itself, and what goes on while the others cannot be reached.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::name::{DeploymentId, NameMap, NameSet, QuotaName};
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health, WindowUsage};

use crate::guests::Guests;
use crate::health::{Condition, Standing, Tripped};
use crate::latency::{Pace, median};
use crate::window::{Fit, Window};
use crate::{Admission, Candidate, Grant, LatencySample, Outcome, Refusal, RefusalCause, Regard, Reserve, Settlement};

/// What one process remembers.
#[derive(Debug, Default)]
pub(crate) struct Books {
    windows: Shelf<QuotaName, Window>,
    books: Shelf<DeploymentId, Book>,
    /// The deployments of the table in force.
    members: ArcSwap<NameSet<DeploymentId>>,
    /// Their windows.
    quotas: RwLock<NameSet<QuotaName>>,
    /// Those that are in no table.
    guests: RwLock<Guests>,
    serial: AtomicU64,
}

/// Values by name, each under a lock of its own.
#[derive(Debug)]
struct Shelf<K, V>(RwLock<NameMap<K, Arc<Mutex<V>>>>);

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
    in_flight: NameSet<u64>,
    /// Those of them that have had no token yet, oldest first.
    waiting: BTreeMap<u64, Timestamp>,
    /// Whether the table has it no more: forgotten with its last grant.
    is_orphan: bool,
    /// Whether it was forgotten: whoever still holds it looks for the one in its place.
    is_forgotten: bool,
}

/// What a book says at some instant.
#[derive(Debug, Clone, Copy)]
struct Known {
    health: Health,
    oldest_waiting: Duration,
    pace: Option<Pace>,
}

/// A deployment by what its window and its book say, where there are such.
fn seen(in_use: Option<(WindowUsage, u32)>, known: Option<Known>) -> (DeploymentView, Option<Pace>) {
    let (usage, in_flight) = in_use.unwrap_or_default();
    let view = DeploymentView {
        health: known.map_or(Health::Ready, |known| known.health),
        usage,
        in_flight,
        latency: None,
        oldest_waiting: known.map_or(Duration::ZERO, |known| known.oldest_waiting),
    };
    (view, known.and_then(|known| known.pace))
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
            self.note(&candidate.deployment);
            match self.grant_one(place, candidate, ask.tokens, &limits, now) {
                Ok(grant) => return Admission::Granted(grant),
                Err(refused) => refusal = refusal.or(refused),
            }
        }
        Admission::Refused(refusal)
    }

    fn grant_one(
        &self,
        place: usize,
        candidate: &Candidate,
        tokens: Tokens,
        limits: &impl Fn(&Deployment, WindowUsage) -> Limits,
        now: Timestamp,
    ) -> Result<Grant, Refusal> {
        let deployment = &candidate.deployment;
        self.book(&deployment.id, |book| {
            let is_probe = admits(book.condition.health(now), candidate.cooldown)?;
            let window = self.windows.get(&deployment.quota);
            let mut window = lock(&window);
            window.roll(now);
            let limits = limits(deployment, window.usage());
            match window.fit(&limits, tokens, now) {
                Fit::NotBefore(retry_at) => Err(Refusal { retry_at, cause: RefusalCause::AtLimit }),
                Fit::Now => {
                    window.charge(&limits, tokens, now);
                    if is_probe {
                        book.condition.begin_probe(now);
                    }
                    let grant =
                        Grant { usage: window.usage(), ..self.number(place, deployment, tokens, is_probe, now) };
                    book.open(&grant);
                    Ok(grant)
                }
            }
        })
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
        let grant = self.number(place, deployment, tokens, is_probe, at);
        self.book(&deployment.id, |book| {
            let window = self.windows.get(&deployment.quota);
            let mut window = lock(&window);
            window.roll(at);
            window.enter(&deployment.limits, tokens, at);
            book.open(&grant);
        });
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
            let Some(book) = self.books.find(&deployment.id) else { return Release::Again };
            let mut book = lock(&book);
            book.waiting.remove(&grant.serial);
            if !book.in_flight.remove(&grant.serial) {
                return Release::Again;
            }
        }
        self.window(&deployment.quota, now, |window| {
            window.release();
            if let Some(used) = *used {
                window.settle(deployment.limits.basis, grant.at.as_secs(), grant.tokens, used);
            }
        });
        Release::Freed
    }

    /// Counts an outcome; says what changed. Nothing does where the deployment was forgotten meanwhile.
    pub(crate) fn report(&self, settlement: &Settlement, now: Timestamp) -> Change {
        let id = &settlement.deployment.id;
        let probe = settlement.grant.probe_until();
        // Asked before the book is locked: it looks into the others'.
        let is_last =
            matches!(settlement.outcome, Outcome::Failure { .. }) && self.is_last_healthy(id, &settlement.peers, now);
        let Some(book) = self.books.find(id) else { return Change::None };
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
        peers.iter().filter(|peer| *peer != id).all(|peer| self.health(peer, now) != Health::Ready)
    }

    /// What is known of a deployment but its latency, and how fast it has been.
    pub(crate) fn look(&self, deployment: &Deployment, now: Timestamp) -> (DeploymentView, Option<Pace>) {
        let in_use = self.window(&deployment.quota, now, |window| (window.usage(), window.in_flight()));
        let known = self.books.find(&deployment.id).map(|book| lock(&book).look(now));
        seen(in_use, known)
    }

    /// What is known of `deployments`, in their order.
    pub(crate) fn view(&self, deployments: &[Arc<Deployment>], now: Timestamp) -> Vec<DeploymentView> {
        // All windows, then all books: whoever holds a book may want a window, so that nobody may hold a shelf of windows
        // and wait for a book.
        let in_use = self.windows.each(deployments.iter().map(|deployment| &deployment.quota), |window| {
            window.roll(now);
            (window.usage(), window.in_flight())
        });
        let known = self.books.each(deployments.iter().map(|deployment| &deployment.id), |book| book.look(now));
        let seen = in_use.into_iter().zip(known).map(|(in_use, known)| seen(in_use, known));
        let (mut views, paces): (Vec<_>, Vec<_>) = seen.unzip();
        fill_latencies(&mut views, &paces, now);
        views
    }

    /// Notes that a grant's request has had its first token.
    pub(crate) fn first_token(&self, grant: &Grant) {
        if let Some(book) = self.books.find(&grant.deployment) {
            lock(&book).waiting.remove(&grant.serial);
        }
    }

    /// A look at the window of a quota, rolled to `now`; `None` when nothing was granted in it.
    pub(crate) fn window<T>(
        &self,
        quota: &QuotaName,
        now: Timestamp,
        look: impl FnOnce(&mut Window) -> T,
    ) -> Option<T> {
        let window = self.windows.find(quota)?;
        let mut window = lock(&window);
        window.roll(now);
        Some(look(&mut window))
    }

    /// Changes the condition of a deployment.
    pub(crate) fn condition<T>(&self, id: &DeploymentId, change: impl FnOnce(&mut Condition) -> T) -> T {
        self.book(id, |book| change(&mut book.condition))
    }

    /// What the condition of a deployment looks like at `now`.
    pub(crate) fn health(&self, id: &DeploymentId, now: Timestamp) -> Health {
        self.books.find(id).map_or(Health::Ready, |book| lock(&book).condition.health(now))
    }

    /// What is remembered of a deployment, to be changed; something new when that is nothing.
    fn book<T>(&self, id: &DeploymentId, change: impl FnOnce(&mut Book) -> T) -> T {
        loop {
            let book = self.books.get(id);
            let mut book = lock(&book);
            if !book.is_forgotten {
                return change(&mut book);
            }
        }
    }

    /// Where a deployment stands, and how fast it has been; `None` when nothing is known of it.
    pub(crate) fn standing(&self, id: &DeploymentId) -> Option<(Standing, Option<Pace>)> {
        let book = self.books.find(id)?;
        let book = lock(&book);
        Some((book.condition.standing(), book.pace))
    }

    /// Takes over where a deployment stands and how fast it has been.
    pub(crate) fn set_standing(&self, id: &DeploymentId, standing: Standing, pace: Option<Pace>) {
        self.book(id, |book| {
            if book.condition.standing() != standing {
                book.condition = Condition::of(standing);
            }
            book.pace = pace.or(book.pace);
        });
    }

    /// Learns which deployments there are. Those that were in the table and no longer are, are forgotten as soon as
    /// nothing of theirs is under way.
    pub(crate) fn adopt(&self, table: &RoutingTable) {
        let now: NameSet<_> = table.deployments().map(|deployment| deployment.id.clone()).collect();
        let before = self.members.swap(Arc::new(now.clone()));
        self.guests.write().unwrap_or_else(PoisonError::into_inner).retain(|id| !now.contains(id));
        self.books.retain(|id, book| {
            book.is_orphan = !now.contains(id) && (book.is_orphan || before.contains(id));
            true
        });
        let quotas = table.deployments().map(|deployment| deployment.quota.clone()).collect();
        *self.quotas.write().unwrap_or_else(PoisonError::into_inner) = quotas;
        self.forget_strangers();
    }

    /// Notes that a deployment is about to be used: one that is in no table is remembered as a guest. Says whether
    /// others were forgotten for it.
    pub(crate) fn note(&self, deployment: &Arc<Deployment>) -> bool {
        let id = &deployment.id;
        if deployment.is_fleeting || self.members.load().contains(id) || self.guests().is_noted(id) {
            return false;
        }
        let in_flight = |id: &DeploymentId| self.books.find(id).is_some_and(|book| !lock(&book).in_flight.is_empty());
        let has_forgotten = self.guests.write().unwrap_or_else(PoisonError::into_inner).note(deployment, in_flight);
        if has_forgotten {
            self.forget_strangers();
        }
        has_forgotten
    }

    /// Deployments that are in no table.
    pub(crate) fn guests(&self) -> RwLockReadGuard<'_, Guests> {
        self.guests.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a deployment is in the table or a guest.
    pub(crate) fn knows(&self, id: &DeploymentId) -> bool {
        self.members.load().contains(id) || self.guests().has(id)
    }

    /// Forgets whatever is neither in the table nor a guest nor in use.
    fn forget_strangers(&self) {
        let (members, guests) = (self.members.load(), self.guests());
        self.books.retain(|id, book| {
            book.is_forgotten = book.in_flight.is_empty() && !members.contains(id) && !guests.has(id);
            !book.is_forgotten
        });
        let quotas = self.quotas.read().unwrap_or_else(PoisonError::into_inner);
        let guests = guests.all();
        let of_guests: HashSet<_> = guests.iter().map(|deployment| &deployment.quota).collect();
        self.windows
            .retain(|quota, window| window.in_flight() > 0 || quotas.contains(quota) || of_guests.contains(quota));
    }

    /// Forgets a deployment with its last grant, if it is fleeting or its table has forgotten it.
    pub(crate) fn forget_if_done(&self, deployment: &Deployment) {
        let is_done = |book: &Book| (deployment.is_fleeting || book.is_orphan) && book.in_flight.is_empty();
        if !self.books.find(&deployment.id).is_some_and(|book| is_done(&lock(&book))) {
            return;
        }
        self.books.remove_if(&deployment.id, |book| {
            book.is_forgotten = is_done(book);
            // Nobody is granted anything in it while its book is held.
            if book.is_forgotten && deployment.quota.as_str() == deployment.id.as_str() {
                self.windows.remove_if(&deployment.quota, |_| true);
            }
            book.is_forgotten
        });
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

    /// What `look` makes of the values of `keys`, in their order; `None` for those that have none.
    fn each<'a, T>(&self, keys: impl Iterator<Item = &'a K>, look: impl Fn(&mut V) -> T) -> Vec<Option<T>>
    where
        K: 'a,
    {
        let values = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.map(|key| values.get(key).map(|value| look(&mut lock(value)))).collect()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Removes the value of `key` if that `is_done`.
    fn remove_if(&self, key: &K, is_done: impl FnOnce(&mut V) -> bool) {
        let mut values = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if values.get(key).is_some_and(|value| is_done(&mut lock(value))) {
            values.remove(key);
        }
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

    fn look(&self, now: Timestamp) -> Known {
        Known { health: self.condition.health(now), oldest_waiting: self.oldest_waiting(now), pace: self.pace }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
    use weighbridge_domain::limits::Tokens;
    use weighbridge_domain::time::Timestamp;

    use super::{Books, Release};
    use crate::{Admission, Candidate, Outcome, Regard, Reserve, Settlement};

    #[test]
    fn a_fleeting_deployment_that_many_use_is_forgotten_once_and_for_all() {
        let (books, now) = (Books::default(), Timestamp::from_millis(1_000_000));
        let endpoint = Endpoint::new("openai", "http://localhost/v1");
        let deployment = Deployment::new("f", "g", ModelTemplate::new("m"), endpoint);
        let deployment = Arc::new(Deployment { is_fleeting: true, ..deployment });
        let candidates = [Candidate { deployment: Arc::clone(&deployment), cooldown: Regard::Heed }];
        let one = || {
            let ask = Reserve { candidates: &candidates, tokens: Tokens::default() };
            let Admission::Granted(grant) = books.grant(ask, |deployment, _| deployment.limits, now) else {
                panic!("it has no limits");
            };
            let deployment = Arc::clone(&deployment);
            let settlement =
                Settlement { grant, deployment, used: None, outcome: Outcome::Neutral, peers: Arc::from([]) };
            assert_eq!(books.release(&settlement, now), Release::Freed, "nobody forgot it meanwhile");
            books.look(&settlement.deployment, now);
            books.forget_if_done(&settlement.deployment);
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5000).for_each(|_| one()));
            }
        });
        assert_eq!((books.books.len(), books.windows.len()), (0, 0));
    }
}

//! The embedded store: everything in this process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Event, Observer};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::limits::{ChargeBasis, Tokens};
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health};

use crate::health::{Condition, Tripped};
use crate::latency::{Pace, median};
use crate::ring::Ring;
use crate::{
    Admission, Answer, Candidate, Exposure, Feedback, Grant, Mode, Outcome, Refusal, RefusalCause, Regard, Reserve,
    Settlement, SharedState, Status,
};

/// Keeps everything in this process: what one replica needs, and the mirror that a shared store
/// falls back on.
#[derive(Debug)]
pub struct MemoryStore {
    books: RwLock<HashMap<DeploymentId, Arc<Mutex<Book>>>>,
    tickets: RwLock<HashMap<String, AtomicU64>>,
    serial: AtomicU64,
    observer: Arc<dyn Observer>,
}

/// What is remembered of one deployment.
#[derive(Debug, Default)]
struct Book {
    ring: Ring,
    condition: Condition,
    pace: Option<Pace>,
    /// Grants under way.
    in_flight: HashSet<u64>,
    /// Those of them that have had no token yet, oldest first.
    waiting: BTreeMap<u64, Timestamp>,
    /// Whether the table has it no more: forgotten with its last grant.
    is_orphan: bool,
}

impl MemoryStore {
    /// An empty store that tells `observer` about cooldowns and settlements.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self { books: RwLock::default(), tickets: RwLock::default(), serial: AtomicU64::new(0), observer }
    }

    fn book(&self, id: &DeploymentId) -> Arc<Mutex<Book>> {
        if let Some(book) = self.books.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Arc::clone(book);
        }
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(books.entry(id.clone()).or_default())
    }

    fn grant(&self, ask: Reserve<'_>, now: Timestamp) -> Admission {
        let mut refusal = Refusal { retry_at: None, cause: RefusalCause::AllCooling };
        for (place, candidate) in ask.candidates.iter().enumerate() {
            let book = self.book(&candidate.deployment.id);
            let mut book = lock(&book);
            book.ring.roll(now);
            match book.admits(candidate, ask.tokens, now) {
                Ok(is_probe) => {
                    let serial = self.serial.fetch_add(1, Ordering::Relaxed);
                    book.charge(serial, ask.tokens, is_probe, now);
                    let deployment = candidate.deployment.id.clone();
                    return Admission::Granted(Grant {
                        candidate: place,
                        deployment,
                        tokens: ask.tokens,
                        at: now,
                        serial,
                        is_probe,
                    });
                }
                Err(refused) => refusal = soonest(refusal, refused),
            }
        }
        Admission::Refused(refusal)
    }

    /// Whether every other member of a group rests.
    fn is_last_healthy(&self, id: &DeploymentId, peers: &[DeploymentId], now: Timestamp) -> bool {
        peers
            .iter()
            .filter(|peer| *peer != id)
            .all(|peer| lock(&self.book(peer)).condition.health(now) != Health::Ready)
    }

    /// Counts an outcome; says what changed.
    fn report(&self, settlement: &Settlement, book: &Mutex<Book>, now: Timestamp) -> Change {
        let id = &settlement.deployment.id;
        let is_probe = settlement.grant.is_probe;
        // Asked before the book is locked: it looks into the others'.
        let is_last =
            matches!(settlement.outcome, Outcome::Failure { .. }) && self.is_last_healthy(id, &settlement.peers, now);
        let mut book = lock(book);
        match settlement.outcome {
            Outcome::Neutral => book.condition.neutral(is_probe),
            Outcome::Success { sample } => {
                if let Some(sample) = sample {
                    book.pace = Some(Pace::sample(book.pace, &sample, now));
                }
                if book.condition.succeeded(is_probe, now) {
                    return Change::Back;
                }
            }
            Outcome::Failure { kind, verdict } => {
                if is_slow(kind) {
                    book.pace = Some(Pace::penalty(book.pace, now));
                }
                if let Tripped::Until(until) = book.condition.failed(kind, verdict, is_probe, is_last, now) {
                    return Change::Rests { until, cause: kind };
                }
            }
        }
        Change::None
    }

    fn forget_if_done(&self, id: &DeploymentId) {
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        let is_done = books.get(id).is_some_and(|book| {
            let book = lock(book);
            book.is_orphan && book.in_flight.is_empty()
        });
        if is_done {
            books.remove(id);
        }
    }
}

enum Change {
    None,
    Back,
    Rests { until: Timestamp, cause: FailureKind },
}

impl SharedState for MemoryStore {
    fn view(&self, deployments: &[Arc<Deployment>], now: Timestamp) -> Vec<DeploymentView> {
        let mut paces = Vec::with_capacity(deployments.len());
        let mut views: Vec<DeploymentView> = deployments
            .iter()
            .map(|deployment| {
                let book = self.book(&deployment.id);
                let mut book = lock(&book);
                book.ring.roll(now);
                paces.push(book.pace);
                book.view(now)
            })
            .collect();
        if let Some(median) = median(&paces) {
            for (view, pace) in views.iter_mut().zip(paces) {
                view.latency = Some(pace.map_or(median, |pace| pace.at(now, median)));
            }
        }
        views
    }

    fn reserve<'a>(&'a self, ask: Reserve<'a>, now: Timestamp) -> Answer<'a, Admission> {
        let admission = self.grant(ask, now);
        Box::pin(std::future::ready(admission))
    }

    fn settle(&self, settlement: Settlement, now: Timestamp) {
        let id = &settlement.deployment.id;
        let book = self.book(id);
        let is_orphan = {
            let mut book = lock(&book);
            if !book.release(settlement.grant.serial) {
                return;
            }
            book.ring.roll(now);
            book.settle_tokens(&settlement);
            book.is_orphan
        };
        let change = self.report(&settlement, &book, now);
        if is_orphan {
            self.forget_if_done(id);
        }
        if let Some(used) = settlement.used {
            let reserved = settlement.grant.tokens.total();
            self.observer.observe(&Event::Settled { deployment: id, reserved, used: used.total() });
        }
        match change {
            Change::None => {}
            Change::Back => self.observer.observe(&Event::CooldownEnded { deployment: id }),
            Change::Rests { until, cause } => {
                let lasts = until.since(now);
                self.observer.observe(&Event::CooldownStarted { deployment: id, cause, until, lasts });
            }
        }
    }

    fn first_token(&self, grant: &Grant, _: Timestamp) {
        lock(&self.book(&grant.deployment)).waiting.remove(&grant.serial);
    }

    fn ticket(&self, key: &str) -> u64 {
        if let Some(counter) = self.tickets.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return counter.fetch_add(1, Ordering::Relaxed);
        }
        let mut tickets = self.tickets.write().unwrap_or_else(PoisonError::into_inner);
        tickets.entry(key.to_owned()).or_default().fetch_add(1, Ordering::Relaxed)
    }

    fn drain<'a>(&'a self, id: &'a DeploymentId, lasts: Option<Duration>, now: Timestamp) -> Answer<'a, ()> {
        lock(&self.book(id)).condition.drain(lasts.map(|lasts| now + lasts));
        Box::pin(std::future::ready(()))
    }

    fn restore<'a>(&'a self, id: &'a DeploymentId, now: Timestamp) -> Answer<'a, ()> {
        let was_out = lock(&self.book(id)).condition.restore(now);
        if was_out {
            self.observer.observe(&Event::CooldownEnded { deployment: id });
        }
        Box::pin(std::future::ready(()))
    }

    fn adopt(&self, table: &RoutingTable, _: Timestamp) {
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        books.retain(|id, book| {
            let mut book = lock(book);
            book.is_orphan = table.deployment(id.as_str()).is_none();
            !book.is_orphan || !book.in_flight.is_empty()
        });
    }

    fn observe(&self, deployment: &Arc<Deployment>, feedback: Feedback, now: Timestamp) {
        let book = self.book(&deployment.id);
        let mut book = lock(&book);
        book.ring.roll(now);
        book.ring.observe(&deployment.limits, feedback);
    }

    fn status(&self) -> Status {
        Status { mode: Mode::Embedded, replicas: 1 }
    }

    fn exposure(&self, deployments: &[Arc<Deployment>]) -> Vec<Exposure> {
        vec![Exposure::default(); deployments.len()]
    }

    fn refresh(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Book {
    /// Whether `candidate` may be granted, and whether as a probe.
    fn admits(&self, candidate: &Candidate, tokens: Tokens, now: Timestamp) -> Result<bool, Refusal> {
        let resting = |retry_at| Err(Refusal { retry_at, cause: RefusalCause::AllCooling });
        let is_probe = match (self.condition.health(now), candidate.cooldown) {
            (Health::Drained { until }, _) => return resting(until),
            (Health::Ready, _) => false,
            // Whoever asks after the deadline decides about it.
            (Health::HalfOpen { is_probed: false, .. }, _) => true,
            (Health::Cooling { .. } | Health::HalfOpen { .. }, Regard::Ignore) => false,
            (Health::Cooling { until, .. }, Regard::Heed) => return resting(Some(until)),
            // Nobody knows when the probe is answered.
            (Health::HalfOpen { .. }, Regard::Heed) => return resting(None),
        };
        let limits = &candidate.deployment.limits;
        let full = |retry_at| Err(Refusal { retry_at, cause: RefusalCause::AtLimit });
        if limits.max_parallel_requests.is_some_and(|max| self.in_flight.len() >= max as usize) {
            return full(None);
        }
        if !self.ring.fits(limits, tokens) {
            return full(self.ring.fits_at(limits, tokens));
        }
        Ok(is_probe)
    }

    fn charge(&mut self, serial: u64, tokens: Tokens, is_probe: bool, now: Timestamp) {
        self.ring.charge(tokens);
        self.in_flight.insert(serial);
        self.waiting.insert(serial, now);
        if is_probe {
            self.condition.begin_probe(now);
        }
    }

    /// Ends a grant's place in flight; `false` when it has ended before.
    fn release(&mut self, serial: u64) -> bool {
        self.waiting.remove(&serial);
        self.in_flight.remove(&serial)
    }

    fn settle_tokens(&mut self, settlement: &Settlement) {
        let (Some(used), reserved) = (settlement.used, settlement.grant.tokens) else { return };
        let more = Tokens {
            input: used.input.saturating_sub(reserved.input),
            output: used.output.saturating_sub(reserved.output),
        };
        let less = Tokens {
            input: reserved.input.saturating_sub(used.input),
            output: reserved.output.saturating_sub(used.output),
        };
        self.ring.top_up(more);
        match settlement.deployment.limits.basis {
            ChargeBasis::ReserveSettle => self.ring.refund(settlement.grant.at.as_secs(), less),
            ChargeBasis::ReserveMax => {}
        }
    }

    fn view(&self, now: Timestamp) -> DeploymentView {
        DeploymentView {
            health: self.condition.health(now),
            usage: self.ring.usage(),
            in_flight: u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX),
            latency: None,
            oldest_waiting: self.waiting.values().next().map_or(Duration::ZERO, |since| now.since(*since)),
        }
    }
}

/// Failures that say the deployment is slow or gone. A rate limit does not.
const fn is_slow(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::ServerError
            | FailureKind::Overloaded
            | FailureKind::Timeout
            | FailureKind::Unreachable
            | FailureKind::BrokenReply
    )
}

/// Both refusals as one: full counts above resting, and the sooner time above the later.
fn soonest(a: Refusal, b: Refusal) -> Refusal {
    let cause = match (a.cause, b.cause) {
        (RefusalCause::AllCooling, RefusalCause::AllCooling) => RefusalCause::AllCooling,
        (RefusalCause::AtLimit, _) | (_, RefusalCause::AtLimit) => RefusalCause::AtLimit,
    };
    Refusal { retry_at: a.retry_at.into_iter().chain(b.retry_at).min(), cause }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The shared store: one truth for all replicas of a fleet.
//!
//! A replica keeps books of its own ([`Books`](crate::books::Books)) and asks the store, over a [`link`], for
//! every admission. What is said is [`protocol`]. One task, the clerk, does all the talking for requests; another, the
//! keeper, sees to the connection. When the store is out of reach the books serve alone, within a
//! share that keeps the fleet's sum below its limits.

mod admission;
mod alone;
mod clerk;
mod full;
mod keeper;
mod librarian;
pub mod link;
mod mark;
pub mod protocol;
mod roll;
mod shard;
mod share;
mod standings;
mod time;
mod windows;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Event, Line, Observer};
use weighbridge_domain::limits::Feedback;
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::secret::Secret;
use weighbridge_domain::store::RedisSettings;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health};

pub use self::mark::mark;

use self::clerk::Job;
use self::keeper::{Keeper, link_of};
use self::librarian::Librarian;
use self::link::{Connector, LinkError};
use self::protocol::{Operation, ReplicaId};
use self::shard::{Habits, Phase, Shard};
use self::time::{ServerTime, to_caller};
use crate::books::{Release, fill_latencies};
use crate::documents::{self, Documents, NotSaved, TextOf};
use crate::latency::Pace;
use crate::records::Records;
use crate::sessions::Sessions;
use crate::tickets::Tickets;
use crate::{
    Admission, Answer, Claim, Counted, Exposure, Grant, Kept, Mode, Reserve, Settlement, SharedState, Status, announce,
};

/// Whoever only wants to know, or to leave, waits so many times as long as a call on a request's path may take.
const PATIENCE: u32 = 2;

/// Records in one call.
const RECORDS: usize = 100;

/// A store that replicas share.
#[derive(Debug)]
pub struct FleetStore {
    shards: Vec<Arc<Shard>>,
    tasks: Vec<AbortHandle>,
    tickets: Tickets,
    sessions: Sessions,
    records: Records,
    librarian: Arc<Librarian>,
    observer: Arc<dyn Observer>,
}

/// What a fleet store is made of.
pub struct FleetParts<'a> {
    /// How this replica behaves.
    pub settings: &'a RedisSettings,
    /// Makes connections, for each shard.
    pub connectors: Vec<Arc<dyn Connector>>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Where random numbers start; `None` starts anywhere.
    pub seed: Option<u64>,
    /// In tests: the time, as callers tell it.
    pub told: Option<Arc<AtomicU64>>,
}

impl FleetStore {
    /// A store that begins to connect. Until it is connected it serves from this replica's share. Must be made within
    /// a tokio runtime.
    pub fn start(parts: FleetParts<'_>) -> Self {
        let mut dice = parts.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let replica = ReplicaId(format!("{:016x}", dice.u64(..)));
        let habits = Habits {
            call_timeout: parts.settings.call_timeout,
            on_store_loss: parts.settings.on_store_loss,
            partition_safety: parts.settings.partition_safety,
            max_replicas: parts.settings.max_replicas,
            local_max: parts.settings.local_max,
        };
        let mut tasks = Vec::new();
        let start = |connector| {
            let (jobs, todo) = mpsc::unbounded_channel();
            let (tell, faults) = mpsc::unbounded_channel();
            let time = ServerTime::new(parts.told.clone());
            let observer = Arc::clone(&parts.observer);
            let shard = Arc::new(Shard::new(replica.clone(), habits.clone(), observer, time, jobs, tell));
            let keeper = Keeper { shard: Arc::clone(&shard), connector, faults, dice: dice.fork() };
            tasks.push(tokio::spawn(clerk::work(Arc::clone(&shard), todo)).abort_handle());
            tasks.push(tokio::spawn(keeper::keep(keeper)).abort_handle());
            shard
        };
        let shards: Vec<_> = parts.connectors.into_iter().map(start).collect();
        // The first shard holds what belongs to none.
        let librarian = Arc::new(Librarian::new(Arc::clone(&shards[0])));
        tasks.push(tokio::spawn(librarian::work(Arc::clone(&librarian))).abort_handle());
        Self {
            shards,
            tasks,
            tickets: Tickets::default(),
            sessions: Sessions::default(),
            records: Records::default(),
            librarian,
            observer: parts.observer,
        }
    }

    /// Waits until everything that was said so far has been told to the store, where that is in reach, and what it knows
    /// has been read.
    pub async fn settled(&self) {
        for shard in &self.shards {
            flush(shard).await;
        }
        self.look().await;
    }

    async fn look(&self) {
        // Here as below, what could not be read is as old as it was.
        drop(tokio::time::timeout(patience(&self.shards[0]), self.librarian.catch_up()).await);
        for shard in &self.shards {
            if let Phase::Shared(connection) = &*shard.phase() {
                drop(
                    tokio::time::timeout(patience(shard), keeper::look(shard, &connection.link, &shard.everybody()))
                        .await,
                );
            }
        }
    }

    /// Tells the store of the records it has not been told of. The first shard keeps all of them.
    async fn tell_records(&self) {
        loop {
            let records = self.records.untold(RECORDS);
            if records.is_empty() {
                return;
            }
            let Some((link, _)) = link_of(&self.shards[0].phase()) else { return };
            // What may have been kept is not told again: a record that is missed is better than one that is there twice.
            let Err(LinkError::Broken(_)) = link.keep(&records).await else {
                self.records.told(records.len());
                continue;
            };
            return;
        }
    }

    fn shard(&self, quota: &QuotaName) -> &Arc<Shard> {
        &self.shards[number(quota.as_str(), self.shards.len())]
    }

    /// The shard of a deployment that is known by its id alone.
    fn shard_of(&self, id: &DeploymentId) -> &Arc<Shard> {
        self.shards.iter().find(|shard| shard.has(id)).unwrap_or(&self.shards[0])
    }

    async fn operate(&self, id: &DeploymentId, operation: Operation, now: Timestamp) {
        let shard = self.shard_of(id);
        let server_now = shard.time.for_caller(now);
        let was_out = match link_of(&shard.phase()) {
            None => None,
            Some((link, _)) => match tokio::time::timeout(patience(shard), link.operate(id, operation)).await {
                Ok(Ok(operated)) => {
                    shard.heard_member(id, &operated.report, server_now);
                    Some(operated.was_out)
                }
                Ok(Err(_)) | Err(_) => None,
            },
        };
        // Out of reach: it holds here, and for the others once the store is back.
        let was_out = was_out.unwrap_or_else(|| {
            let was_out = shard.books.condition(id, |condition| match operation {
                Operation::Restore => condition.restore(server_now),
                Operation::Drain(lasts) => {
                    let was_out = condition.health(server_now) != Health::Ready;
                    condition.drain(lasts.map(|lasts| server_now + lasts));
                    was_out
                }
            });
            shard.changed_here(id, server_now);
            was_out
        });
        if operation == Operation::Restore && was_out {
            self.observer.observe(&Event::CooldownEnded { deployment: id });
        }
    }
}

impl Drop for FleetStore {
    /// Without [`SharedState::close`] the fleet takes this replica for dead in a few seconds.
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl SharedState for FleetStore {
    fn view(&self, deployments: &[Arc<Deployment>], now: Timestamp) -> Vec<DeploymentView> {
        let (mut views, paces): (Vec<_>, Vec<_>) =
            deployments.iter().map(|deployment| look(self.shard(&deployment.quota), deployment, now)).unzip();
        let server_now = self.shards.first().map_or(now, |shard| shard.time.for_caller(now));
        fill_latencies(&mut views, &paces, server_now);
        views
    }

    fn reserve<'a>(&'a self, ask: Reserve<'a>, now: Timestamp) -> Answer<'a, Admission> {
        match ask.candidates.iter().position(|candidate| candidate.deployment.is_fleeting) {
            Some(place) => Box::pin(self.admit_before_fleeting(place, ask, now)),
            None => self.admit(ask, now),
        }
    }

    fn settle(&self, settlement: Settlement, now: Timestamp) {
        let shard = self.shard(&settlement.deployment.quota);
        let server_now = shard.time.for_caller(now);
        if shard.books.release(&settlement, server_now) == Release::Again {
            return;
        }
        shard.books.forget_if_done(&settlement.deployment);
        announce::settled(&*self.observer, &settlement);
        if settlement.deployment.is_fleeting {
            return;
        }
        shard.full.freed(&settlement.deployment);
        shard.foresee(&settlement);
        shard.send(Job::Settle(Box::new(settlement)));
    }

    fn first_token(&self, grant: &Grant, _: Timestamp) {
        for shard in &self.shards {
            shard.books.first_token(grant);
        }
    }

    fn ticket<'a>(&'a self, counter: &'a str) -> Answer<'a, u64> {
        Box::pin(async {
            let shard = &self.shards[number(counter, self.shards.len())];
            if matches!(*shard.phase(), Phase::Shared(_)) {
                let (reply, answer) = oneshot::channel();
                shard.send(Job::Ticket { counter: counter.into(), reply });
                if let Ok(ticket) = answer.await {
                    return ticket;
                }
            }
            // Each replica's own turns are as even as all are together.
            self.tickets.next(counter)
        })
    }

    fn claim<'a>(&'a self, claim: Claim<'a>, now: Timestamp) -> Answer<'a, String> {
        Box::pin(async move {
            let shard = &self.shards[number(claim.session, self.shards.len())];
            // A word says what time it is, as long as the store has not.
            let _server_now = shard.time.for_caller(now);
            if let Phase::Shared(connection) = &*shard.phase() {
                // A store that has lost what the session had is told of it.
                let mut given = String::new();
                let reminded = self.sessions.reminded(claim, &mut given, now);
                if let Ok(claimed) = connection.link.claim(reminded).await {
                    let until = to_caller(claimed.until, claimed.now, now);
                    self.sessions.remember(claim.session, claimed.given.clone(), until, now);
                    return claimed.given;
                }
            }
            self.sessions.claim(claim, now)
        })
    }

    fn keep(&self, records: Vec<Arc<dyn Line>>) -> Answer<'_, ()> {
        self.records.keep(records);
        Box::pin(self.tell_records())
    }

    fn kept<'a>(&'a self, before: Option<&'a str>, most: usize) -> Answer<'a, Vec<Kept>> {
        Box::pin(async move {
            if let Some((link, _)) = link_of(&self.shards[0].phase())
                && let Ok(kept) = link.kept(before, most).await
            {
                return kept;
            }
            self.records.newest(before, most)
        })
    }

    fn documents(&self) -> Arc<Documents> {
        self.librarian.library.shown()
    }

    fn put_document<'a>(&'a self, id: &'a str, text: String, now: Timestamp) -> Answer<'a, Result<u64, NotSaved>> {
        let said = TextOf { text: Secret::new(text), at: now };
        Box::pin(async move { self.librarian.change(id, |record| documents::put(record, &said)).await })
    }

    fn revive_document<'a>(&'a self, id: &'a str, version: u64) -> Answer<'a, Result<u64, NotSaved>> {
        Box::pin(self.librarian.change(id, move |record| documents::revive(record, version)))
    }

    fn remove_document<'a>(&'a self, id: &'a str) -> Answer<'a, Result<bool, NotSaved>> {
        Box::pin(self.librarian.change(id, documents::remove))
    }

    fn drain<'a>(&'a self, id: &'a DeploymentId, lasts: Option<Duration>, now: Timestamp) -> Answer<'a, ()> {
        Box::pin(self.operate(id, Operation::Drain(lasts), now))
    }

    fn restore<'a>(&'a self, id: &'a DeploymentId, now: Timestamp) -> Answer<'a, ()> {
        Box::pin(self.operate(id, Operation::Restore, now))
    }

    fn adopt(&self, table: &RoutingTable, now: Timestamp) {
        for (at, shard) in self.shards.iter().enumerate() {
            // The first call says what time it is, as long as the store has not.
            let _server_now = shard.time.for_caller(now);
            shard.adopt(table, |deployment| number(deployment.quota.as_str(), self.shards.len()) == at);
        }
    }

    fn observe(&self, deployment: &Arc<Deployment>, feedback: Feedback, counted: Counted, _: Timestamp) {
        if deployment.is_fleeting {
            return;
        }
        let shard = self.shard(&deployment.quota);
        shard.send(Job::Observe { deployment: Arc::clone(deployment), feedback, counted });
    }

    fn status(&self) -> Status {
        let modes = self.shards.iter().map(|shard| shard.mode());
        // The worst of the shards.
        let mode = modes.max_by_key(|mode| Mode::ALL.iter().position(|known| known == mode)).unwrap_or(Mode::Local);
        let replicas = self.shards.iter().map(|shard| shard.roll.count()).max().unwrap_or(1);
        Status { mode, replicas }
    }

    fn guests(&self) -> Vec<Arc<Deployment>> {
        self.shards.iter().flat_map(|shard| shard.books.guests().all()).collect()
    }

    fn exposure(&self, deployments: &[Arc<Deployment>]) -> Vec<Exposure> {
        deployments.iter().map(|deployment| self.shard(&deployment.quota).exposure(deployment)).collect()
    }

    fn refresh(&self) -> Answer<'_, ()> {
        Box::pin(self.look())
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            for shard in &self.shards {
                flush(shard).await;
            }
            // A heartbeat behind the farewell would bring this replica back.
            self.tasks.iter().for_each(AbortHandle::abort);
            for shard in &self.shards {
                let link = link_of(&shard.phase());
                shard.enter(Phase::Left, "the replica has left");
                if let Some((link, _)) = link {
                    // One that cannot say so is taken for dead in a few seconds.
                    drop(tokio::time::timeout(patience(shard), link.leave(&shard.replica, false)).await);
                }
            }
        })
    }
}

impl std::fmt::Debug for FleetParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetParts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What is known of a deployment but its latency, and how fast it has been.
fn look(shard: &Shard, deployment: &Deployment, now: Timestamp) -> (DeploymentView, Option<Pace>) {
    let server_now = shard.time.for_caller(now);
    let (mut view, pace) = shard.books.look(deployment, server_now);
    // Of strangers nothing is known, nor noted that somebody wanted to know.
    if shard.books.knows(&deployment.id) {
        let others = shard.windows.others(&deployment.quota, server_now);
        view.usage = view.usage.and(others.usage);
        view.in_flight = view.in_flight.saturating_add(others.in_flight);
    }
    view.health = match view.health {
        Health::Cooling { until, cause } => Health::Cooling { until: to_caller(until, server_now, now), cause },
        Health::Drained { until } => Health::Drained { until: until.map(|at| to_caller(at, server_now, now)) },
        health @ (Health::Ready | Health::HalfOpen { .. }) => health,
    };
    (view, pace)
}

fn patience(shard: &Shard) -> Duration {
    shard.habits.call_timeout * PATIENCE
}

async fn flush(shard: &Shard) {
    let (done, flushed) = oneshot::channel();
    shard.send(Job::Flush(done));
    // A clerk that is gone has nothing to tell.
    drop(flushed.await);
}

/// Which shard a window or a counter belongs to.
fn number(name: &str, shards: usize) -> usize {
    if shards <= 1 {
        return 0;
    }
    let digits = u64::from_str_radix(&mark(name), 16).unwrap_or_default();
    usize::try_from(digits % shards as u64).unwrap_or_default()
}

//! What the fleet remembers of its deployments: usage windows, cooldowns, in-flight requests, latency.
//!
//! [`SharedState`] speaks in what the engine does with a deployment: look, reserve, settle. Each
//! is at most one round trip to whoever holds the truth. [`memory`] holds it in this process.

mod announce;
mod books;
pub mod documents;
pub mod fleet;
mod generations;
mod guests;
pub mod health;
pub mod latency;
pub mod memory;
mod records;
pub mod redis;
pub mod ring;
mod sessions;
pub mod smoother;
mod tickets;
pub mod window;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Line, Observer};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::limits::{Feedback, Tokens};
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::store::StoreSettings;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, WindowUsage};

use crate::documents::{Documents, NotSaved};
use crate::fleet::link::Connector;
use crate::fleet::{FleetParts, FleetStore};
use crate::health::PROBE_TURN;
use crate::memory::MemoryStore;
use crate::redis::RedisConnector;

/// A future that a store answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a session wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Names the session: no text of a client's, but a digest.
    pub session: &'a str,
    /// What it wants.
    pub wanted: &'a str,
    /// What it was given before and may not keep.
    pub instead_of: Option<&'a str>,
    /// How long it keeps what it is given now.
    pub lasts: Duration,
}

/// A record that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it stands among the others.
    pub mark: String,
    /// The record.
    pub record: String,
}

/// What the fleet remembers. Cheap to share, safe to call from many tasks.
///
/// `now` is the caller's clock. A store with a clock of its own (Redis) uses that instead.
pub trait SharedState: Send + Sync + fmt::Debug {
    /// What is known of `deployments`, in their order. May be a moment old; never waits.
    fn view(&self, deployments: &[Arc<Deployment>], now: Timestamp) -> Vec<DeploymentView>;

    /// Grants the first of `ask.candidates` that has room, and charges it. All or nothing: a
    /// refused request has consumed nothing anywhere.
    fn reserve<'a>(&'a self, ask: Reserve<'a>, now: Timestamp) -> Answer<'a, Admission>;

    /// Ends a grant: releases its place in flight, settles its tokens, counts its outcome.
    /// Never waits and never fails; every grant is settled exactly once.
    fn settle(&self, settlement: Settlement, now: Timestamp);

    /// Notes that a grant's request has had its first token, so that it no longer counts as waiting.
    fn first_token(&self, grant: &Grant, now: Timestamp);

    /// The next number of a counter: 0, 1, 2, … No two callers get the same, as long as the truth is shared.
    fn ticket<'a>(&'a self, counter: &'a str) -> Answer<'a, u64>;

    /// Gives a session what it wants, unless it was given something else before; says what it has. Where sessions
    /// cannot be shared this process remembers its own.
    fn claim<'a>(&'a self, claim: Claim<'a>, now: Timestamp) -> Answer<'a, String>;

    /// Keeps records of requests that have ended; the oldest are forgotten. Where they cannot be
    /// shared they are kept here until they can.
    fn keep(&self, records: Vec<Arc<dyn Line>>) -> Answer<'_, ()>;

    /// At most `most` of the records that were kept, the newest first; before the one that has the mark `before`.
    fn kept<'a>(&'a self, before: Option<&'a str>, most: usize) -> Answer<'a, Vec<Kept>>;

    /// The documents that are known: a moment old, as they were when the store is away. Never waits.
    fn documents(&self) -> Arc<Documents>;

    /// Saves a text as a new version of a document and puts it in force; says its number. Numbers of a name only go up,
    /// also after it was removed.
    fn put_document<'a>(&'a self, id: &'a str, text: String, now: Timestamp) -> Answer<'a, Result<u64, NotSaved>>;

    /// Puts a version of a document that is still kept in force again, under the number it has; says that number.
    fn revive_document<'a>(&'a self, id: &'a str, version: u64) -> Answer<'a, Result<u64, NotSaved>>;

    /// Removes a document with all its versions. Says whether there was one.
    fn remove_document<'a>(&'a self, id: &'a str) -> Answer<'a, Result<bool, NotSaved>>;

    /// Takes a deployment out, for `lasts` or until [`SharedState::restore`].
    fn drain<'a>(&'a self, id: &'a DeploymentId, lasts: Option<Duration>, now: Timestamp) -> Answer<'a, ()>;

    /// Ends whatever keeps a deployment out: a cooldown or an operator's word.
    fn restore<'a>(&'a self, id: &'a DeploymentId, now: Timestamp) -> Answer<'a, ()>;

    /// Learns that `table` is in force: deployments in it keep their state, others are forgotten
    /// once their last grant is settled; where state is shared, once nobody has used them for a while.
    fn adopt(&self, table: &RoutingTable, now: Timestamp);

    /// Takes over what a provider's headers say about its own count, in reply to a request that was granted when
    /// `counted` was. Only ever raises usage.
    fn observe(&self, deployment: &Arc<Deployment>, feedback: Feedback, counted: Counted, now: Timestamp);

    /// Where the truth is at present, and how many replicas share it.
    fn status(&self) -> Status;

    /// Deployments that are in no table and of which something is remembered all the same, as far as this replica has
    /// met them: those with a breaker, which config objects bring along.
    fn guests(&self) -> Vec<Arc<Deployment>>;

    /// How far beyond their limits `deployments` might be used because of this replica, in their
    /// order. Nothing unless it is cut off from the shared truth.
    fn exposure(&self, deployments: &[Arc<Deployment>]) -> Vec<Exposure>;

    /// Brings [`SharedState::view`] up to date, for whoever wants to know rather than to ask. Takes
    /// no longer than a call to the store may.
    fn refresh(&self) -> Answer<'_, ()>;

    /// Tells what is still to be told, and leaves the fleet. Nothing is granted afterwards.
    fn close(&self) -> Answer<'_, ()>;
}

/// The store that `settings` ask for. One that is shared begins to connect, which needs a tokio runtime, and serves
/// alone until it is connected.
pub fn open(settings: &StoreSettings, observer: Arc<dyn Observer>) -> Arc<dyn SharedState> {
    let settings = match settings {
        StoreSettings::Memory => return Arc::new(MemoryStore::new(observer)),
        StoreSettings::Redis(settings) => settings,
    };
    let connector = |shard| Arc::new(RedisConnector::new((**settings).clone(), shard)) as Arc<dyn Connector>;
    let connectors = (0..settings.shards.max(1)).map(connector).collect();
    Arc::new(FleetStore::start(FleetParts { settings, connectors, observer, seed: None, told: None }))
}

/// Where the truth is at present, and how many replicas share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Where.
    pub mode: Mode,
    /// Replicas of the fleet, this one included, as far as is known.
    pub replicas: u32,
}

/// Where the truth is at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In this process, which is all there is.
    Embedded,
    /// In the shared store.
    Shared,
    /// In the shared store, which has lost something: replicas tell it what they know, and grant
    /// from their share until that is done.
    Recovering,
    /// Out of reach: this replica grants from its share of what was left.
    Local,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Embedded, Self::Shared, Self::Recovering, Self::Local];

    /// The word for it in `/health`, metrics and `GET /router/deployments`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Shared => "shared",
            Self::Recovering => "recovering",
            Self::Local => "local",
        }
    }

    /// Whether limits hold for the whole fleet at present.
    pub const fn is_exact(self) -> bool {
        match self {
            Self::Embedded | Self::Shared => true,
            Self::Recovering | Self::Local => false,
        }
    }
}

/// How far beyond its limits a deployment might be used, in any 60 s. Infinite without a bound.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Exposure {
    /// Requests beyond `rpm`.
    pub requests: f64,
    /// Tokens beyond `tpm`.
    pub tokens: f64,
}

/// A request for admission.
#[derive(Debug, Clone, Copy)]
pub struct Reserve<'a> {
    /// Whom to ask, best first. The first that fits is granted.
    pub candidates: &'a [Candidate],
    /// What to reserve, in tokens.
    pub tokens: Tokens,
}

/// A deployment that may serve a request.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Which.
    pub deployment: Arc<Deployment>,
    /// Whether its cooldown holds.
    pub cooldown: Regard,
}

/// Whether a cooldown holds for a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regard {
    /// It does: a cooling deployment is refused, a half-open one is granted one probe.
    Heed,
    /// It does not: the least bad of a group that cools as a whole, or a deployment asked for by
    /// its id. A drained one is refused all the same.
    Ignore,
}

/// Whether and by whom a request was admitted.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// A candidate takes it.
    Granted(Grant),
    /// None has room.
    Refused(Refusal),
}

/// Proof that a request may be sent. Must be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a grant that is not settled keeps its place in flight"]
pub struct Grant {
    /// The place of the granted one among the candidates.
    pub candidate: usize,
    /// The granted one.
    pub deployment: DeploymentId,
    /// What was reserved.
    pub tokens: Tokens,
    /// When; the second names the bucket that a refund goes to.
    pub at: Timestamp,
    /// Tells this grant from all others of the store.
    pub serial: u64,
    /// Whether this is the one request that decides about a half-open deployment.
    pub is_probe: bool,
    /// Whether it was granted from this replica's share, unknown to the shared store.
    pub is_local: bool,
    /// What its window held then, this grant included.
    pub usage: WindowUsage,
}

impl Grant {
    /// What had been counted when it was granted.
    pub const fn counted(&self) -> Counted {
        Counted { at: self.at, usage: self.usage }
    }

    /// Until when it has its turn as a probe; `None` when it is none.
    pub fn probe_until(&self) -> Option<Timestamp> {
        self.is_probe.then(|| self.at + PROBE_TURN)
    }
}

/// What had been counted of a window at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// The instant, by the store's clock.
    pub at: Timestamp,
    /// What the window held.
    pub usage: WindowUsage,
}

/// Why nobody was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// When asking again may succeed; `None` when nobody can say (an operator's word, a probe under
    /// way, or slots that free up when a request ends).
    pub retry_at: Option<Timestamp>,
    /// Why.
    pub cause: RefusalCause,
}

impl Refusal {
    /// What is known before anybody was asked.
    pub const NOBODY: Self = Self { retry_at: None, cause: RefusalCause::AllCooling };

    /// This refusal and `other` as one: full counts above resting, and the sooner time above the later.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let cause = match (self.cause, other.cause) {
            (RefusalCause::AllCooling, RefusalCause::AllCooling) => RefusalCause::AllCooling,
            (RefusalCause::AtLimit, _) | (_, RefusalCause::AtLimit) => RefusalCause::AtLimit,
        };
        Self { retry_at: self.retry_at.into_iter().chain(other.retry_at).min(), cause }
    }
}

/// Why nobody was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCause {
    /// At least one candidate is neither cooling nor drained, but at a limit.
    AtLimit,
    /// Every candidate cools, is probed or is drained.
    AllCooling,
}

/// The end of a grant.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// What was granted.
    pub grant: Grant,
    /// Whose it was.
    pub deployment: Arc<Deployment>,
    /// What was used; `None` keeps the reservation as it is.
    pub used: Option<Tokens>,
    /// How it went.
    pub outcome: Outcome,
    /// All ids of the group, for the rule that protects the last healthy one.
    pub peers: Arc<[DeploymentId]>,
}

/// How a granted request went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// It was answered.
    Success {
        /// How fast; `None` when it says nothing about the deployment's speed.
        sample: Option<LatencySample>,
    },
    /// It failed.
    Failure {
        /// What went wrong.
        kind: FailureKind,
        /// What that means for the deployment.
        verdict: CooldownVerdict,
    },
    /// It says nothing about the deployment: the client hung up, or asked for nonsense.
    Neutral,
}

/// How fast one reply was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencySample {
    /// To the first token of a stream, or to the end of a whole reply.
    pub first_token: Duration,
    /// From there to the end of a stream; zero for a whole reply.
    pub rest: Duration,
    /// Completion tokens.
    pub tokens: u32,
    /// Whether it was a stream, so that `first_token` is one.
    pub is_stream: bool,
}

//! What a replica and the shared store say to one another, as plain values.
//!
//! A store that shares state carries this out atomically, call by call; how it is spelt on the wire is the
//! business of whoever implements [`Link`](super::link::Link).

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::{ErrorClass, FailureKind};
use weighbridge_domain::limits::{Feedback, Tokens};
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{Latency, WindowUsage};

use crate::documents::{Record, Totals};
use crate::health::Standing;
use crate::latency::Pace;
use crate::{Counted, Regard};

/// Which life of the store's data a replica believes in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Epoch(pub String);

/// A replica's name: random, one a process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub String);

/// What has been granted since a replica started. Never goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Granted {
    /// Requests.
    pub requests: u64,
    /// Input tokens, as reserved.
    pub input: u64,
    /// Output tokens, as reserved.
    pub output: u64,
}

impl Granted {
    /// Adds one request of `tokens`.
    pub fn add(&mut self, tokens: Tokens) {
        self.requests += 1;
        self.input += u64::from(tokens.input);
        self.output += u64::from(tokens.output);
    }

    /// What there is here beyond `other`.
    #[must_use]
    pub const fn beyond(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            input: self.input.saturating_sub(other.input),
            output: self.output.saturating_sub(other.output),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            input: self.input + other.input,
            output: self.output + other.output,
        }
    }
}

/// What a replica says of itself about one window, with every call: so that a store that has forgotten
/// something is told, and one that has not heard of something hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stake {
    /// Granted since the replica started.
    pub granted: Granted,
    /// Requests of those that the store has acknowledged. A store that holds less has lost data.
    pub acknowledged: u64,
    /// What of the replica's own still counts in the window.
    pub recent: WindowUsage,
    /// The replica's requests in flight.
    pub in_flight: u32,
}

/// One turn: what has ended is told, then admission is asked for.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// The epoch the replica believes in.
    pub epoch: Epoch,
    /// Carried out by then or not at all, by the store's clock; `None` is without end.
    pub deadline: Option<Timestamp>,
    /// Every window concerned.
    pub windows: Vec<(QuotaName, Stake)>,
    /// Every deployment concerned.
    pub members: Vec<Member>,
    /// Grants that have ended.
    pub settlements: Vec<Ended>,
    /// What providers say of their own counts.
    pub observations: Vec<Observed>,
    /// Numbers that are wanted of counters, and how many; each counter once.
    pub tickets: Vec<(Arc<str>, u32)>,
    /// Requests for admission.
    pub asks: Vec<Ask>,
}

/// A deployment in a turn.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub id: DeploymentId,
    /// Its limits, and the place of its window; `None` when only its health matters.
    pub counted: Option<(Arc<Deployment>, u16)>,
}

/// A request for admission: the first of its candidates that has room is granted.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What it needs.
    pub tokens: Tokens,
    /// Places of the candidates among the members.
    pub candidates: Vec<(u16, Regard)>,
}

/// What a provider says of its own count.
#[derive(Debug, Clone, Copy)]
pub struct Observed {
    /// The place of its deployment among the members.
    pub member: u16,
    /// What it says is left.
    pub feedback: Feedback,
    /// What had been counted here when the request was granted that it answers.
    pub counted: Counted,
}

/// A grant that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The place of its deployment among the members.
    pub member: u16,
    /// The second it was charged to.
    pub second: u64,
    /// Tokens used beyond the reservation.
    pub more: Tokens,
    /// Tokens to give back.
    pub less: Tokens,
    /// Until when it had its turn as a probe.
    pub probe: Option<Timestamp>,
    /// How it went.
    pub result: EndedHow,
    /// Places of the other deployments of its group among the members, where that matters.
    pub peers: Vec<u16>,
}

/// How a grant ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EndedHow {
    /// It says nothing.
    Neutral,
    /// It was answered, perhaps with a sample of the speed.
    Answered(Option<Latency>),
    /// It failed.
    Failed {
        /// With what.
        kind: FailureKind,
        /// What that means.
        verdict: CooldownVerdict,
    },
}

impl EndedHow {
    /// The counter of allowed failures that this touches.
    pub const fn counter(&self) -> Option<Option<ErrorClass>> {
        match self {
            Self::Failed { verdict: CooldownVerdict::Allowed { class, .. }, .. } => Some(*class),
            Self::Failed { .. } | Self::Answered(_) | Self::Neutral => None,
        }
    }
}

/// How a turn was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnReply {
    /// The store's clock.
    pub now: Timestamp,
    /// What came of it.
    pub result: TurnResult,
}

/// What came of a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnResult {
    /// All of it was carried out.
    Done(TurnDone),
    /// Nothing was: it came after its deadline.
    Late,
    /// Nothing was: the epoch is another one.
    OtherEpoch,
    /// Nothing was: replicas are still telling the store what it has lost.
    Recovering,
    /// Nothing was: the store holds less than it acknowledged.
    Loss,
}

/// A turn that was carried out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TurnDone {
    /// An answer for each ask.
    pub answers: Vec<AskAnswer>,
    /// What each settlement changed.
    pub changes: Vec<Changed>,
    /// Each window, where it was looked at.
    pub windows: Vec<Option<WindowReport>>,
    /// Each deployment, where it was looked at.
    pub members: Vec<Option<Report>>,
    /// The first number of each counter; those after it that were wanted are the caller's as well.
    pub tickets: Vec<u64>,
}

/// The answer to an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskAnswer {
    /// This candidate takes it.
    Granted {
        /// Its place among the candidates.
        candidate: usize,
        /// Whether it decides about a half-open deployment.
        is_probe: bool,
    },
    /// Nobody does.
    Refused {
        /// When to ask again, by the store's clock.
        retry_at: Option<Timestamp>,
        /// Whether somebody was full rather than resting.
        is_full: bool,
    },
}

/// What a settlement changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Nothing that others should know.
    Nothing,
    /// The deployment is back.
    Back,
    /// It rests until then.
    Rests(Timestamp),
}

/// What the store holds of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowReport {
    /// The fleet's usage.
    pub usage: WindowUsage,
    /// The fleet's requests in flight.
    pub in_flight: u32,
    /// What this replica is held to have granted; nothing in a snapshot.
    pub granted: Granted,
}

/// What the store holds of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Whether it may be asked.
    pub standing: Standing,
    /// When that last changed, in ms by the store's clock; or one more than before, where that is more.
    pub generation: u64,
    /// Goes up when counted failures are forgotten.
    pub era: u32,
    /// How fast it has been.
    pub pace: Option<Pace>,
}

/// A replica connects.
#[derive(Debug, Clone)]
pub struct Join {
    /// A name for a new epoch, should one begin.
    pub candidate: String,
    /// Whether the replica has seen that the store lost something.
    pub saw_loss: bool,
    /// Whether the replica has granted while it was cut off.
    pub was_away: bool,
    /// How long recovery may take.
    pub recovery: Duration,
}

/// The epoch that a replica has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Which.
    pub epoch: Epoch,
    /// Until when it is recovering.
    pub recovering: Option<Timestamp>,
    /// The store's clock.
    pub now: Timestamp,
}

/// A replica has told all it knows.
#[derive(Debug, Clone)]
pub struct Told {
    /// The epoch it was told in.
    pub epoch: Epoch,
    /// How many replicas it knew of, itself included; 0 when nobody had counted.
    pub replicas: u32,
}

/// What a replica knows, told again.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// The epoch it is told in.
    pub epoch: Epoch,
    /// Its own part of windows.
    pub windows: Vec<(QuotaName, Stake)>,
    /// Where deployments stand.
    pub members: Vec<(DeploymentId, Report)>,
}

/// What windows and deployments look like, in the order asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The store's clock.
    pub now: Timestamp,
    /// Windows.
    pub windows: Vec<WindowReport>,
    /// Deployments.
    pub members: Vec<Report>,
}

/// A sign of life.
#[derive(Debug, Clone)]
pub struct Beat {
    /// The epoch the replica believes in.
    pub epoch: Epoch,
    /// After which silence a replica is dead.
    pub dead_after: Duration,
    /// How long one that vanished is remembered.
    pub vanished_for: Duration,
    /// How many replicas are known by name: when there are as many, their names need not be told. `None` wants them.
    pub names_known: Option<u32>,
}

/// What a replica hears back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pulse {
    /// Whether the replica must join again: the epoch is another one, or it was taken for dead.
    pub must_join: bool,
    /// The store's clock.
    pub now: Timestamp,
    /// Until when the epoch is recovering.
    pub recovering: Option<Timestamp>,
    /// Replicas that are heard of, this one included.
    pub heard: u32,
    /// Replicas that vanished without a word.
    pub vanished: u32,
    /// Of those, the ones that whoever asked should take off the books.
    pub dead: Vec<ReplicaId>,
    /// All replicas by name; nobody where that was not wanted.
    pub everybody: Vec<ReplicaId>,
}

/// Documents that have changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Up to where in the order of all changes they are; before where it was asked from, where the store has lost
    /// something.
    pub place: u64,
    /// Whether those are all.
    pub are_all: bool,
    /// What the store holds in all.
    pub totals: Totals,
    /// The documents by name.
    pub records: Vec<(String, Record)>,
}

/// What came of saving a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// The store has taken it.
    Taken,
    /// There are too many of them.
    TooMany,
    /// The store holds this, which has changed at least as often.
    Not(Record),
}

/// What a session has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The store's clock.
    pub now: Timestamp,
    /// Until when it keeps it.
    pub until: Timestamp,
    /// What it was given, now or before.
    pub given: String,
}

/// An operator's word about a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It takes no requests for so long, or until it is restored.
    Drain(Option<Duration>),
    /// Whatever keeps it out is over.
    Restore,
}

/// What an operator's word did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operated {
    /// The store's clock.
    pub now: Timestamp,
    /// Whether the deployment was out before.
    pub was_out: bool,
    /// What it is now.
    pub report: Report,
}

//! What happened, said once; telemetry decides how it is counted and printed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::failure::FailureKind;
use crate::name::{DeploymentId, GroupName, ProviderName};
use crate::request::Operation;
use crate::time::Timestamp;
use crate::usage::Usage;

/// Something that happened. The engine and the stores tell observers, and nobody else counts.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request came in.
    RequestStarted {
        /// What it wants.
        operation: Operation,
    },
    /// A request is over, its last byte sent or its client gone.
    RequestFinished(&'a Arc<RequestRecord>),
    /// A deployment was called and answered, failed, or was given up.
    AttemptFinished {
        /// What the attempt was.
        attempt: &'a AttemptRecord,
        /// The group asked for.
        group: &'a GroupName,
        /// Who was called.
        provider: &'a ProviderName,
    },
    /// A stop is tried again.
    Retried {
        /// The group asked.
        group: &'a GroupName,
        /// Why.
        kind: FailureKind,
    },
    /// The next stop of an itinerary is taken.
    FellBack {
        /// The stop that failed.
        from: &'a str,
        /// The one taken.
        to: &'a str,
        /// Why.
        kind: FailureKind,
    },
    /// A stream's first content event arrived.
    FirstToken {
        /// Who sent it.
        deployment: &'a DeploymentId,
        /// Since the attempt began.
        after: Duration,
    },
    /// Two content events of one stream, averaged over the stream.
    InterToken {
        /// Who sent them.
        deployment: &'a DeploymentId,
        /// The mean time between two.
        mean: Duration,
    },
    /// A prompt that was estimated was counted by its provider.
    PromptCounted {
        /// Who counted it.
        deployment: &'a DeploymentId,
        /// The estimate over the count; 1 is right.
        ratio: f64,
    },
    /// A reservation met what was really used.
    Settled {
        /// Whose tokens.
        deployment: &'a DeploymentId,
        /// Reserved tokens.
        reserved: u64,
        /// Used tokens.
        used: u64,
    },
    /// A deployment rests.
    CooldownStarted {
        /// Which.
        deployment: &'a DeploymentId,
        /// Why.
        cause: FailureKind,
        /// Until when.
        until: Timestamp,
        /// For how long from now.
        lasts: Duration,
    },
    /// A deployment is back after a probe or a restore.
    CooldownEnded {
        /// Which.
        deployment: &'a DeploymentId,
    },
    /// A cooling deployment was tried because all others cool too.
    LeastBadTried {
        /// Which.
        deployment: &'a DeploymentId,
    },
    /// A call to the shared store is over.
    StoreCalled {
        /// How long it took.
        took: Duration,
        /// How many requests asked for admission in it.
        asks: usize,
        /// How many ended requests it told of.
        settlements: usize,
        /// How it ended.
        outcome: StoreOutcome,
    },
    /// The truth has moved: into the shared store, or out of it.
    StoreModeChanged {
        /// Where it is now, as `weighbridge_store_mode` names it.
        mode: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// What this replica granted was told to a store that might have forgotten it.
    StoreReplayed {
        /// How many windows.
        windows: usize,
    },
    /// A replica vanished, and its requests in flight were taken off the books.
    ReplicaReaped {
        /// How many.
        in_flight: u64,
    },
    /// Something about the shared store that an operator should mend.
    StoreWarned {
        /// What, and what to do.
        what: &'a str,
    },
    /// A new routing table is in force.
    ConfigLoaded {
        /// Its number, counted from 1.
        generation: u64,
        /// Its fingerprint.
        fingerprint: &'a str,
        /// Deployments that can be called.
        deployments: usize,
        /// Deployments left out.
        left_out: usize,
    },
    /// A new configuration was refused; the old one stays.
    ConfigRefused {
        /// Every problem, a line each.
        problems: &'a str,
    },
}

/// How a call to the shared store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It was carried out.
    Done,
    /// Nothing was done: the store has lost something, and replicas must tell it what they know.
    Stale,
    /// No answer in time; what it asked for may or may not have been done.
    TimedOut,
    /// The connection or the server failed.
    Failed,
}

impl StoreOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Done, Self::Stale, Self::TimedOut, Self::Failed];

    /// A short stable label for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stale => "stale",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

/// One attempt, as logs, errors and headers tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    /// Who was called; `None` when nobody could be.
    pub deployment: Option<DeploymentId>,
    /// The HTTP status it gave, or that its failure has.
    pub status: u16,
    /// What went wrong; `None` for success.
    pub kind: Option<FailureKind>,
    /// How long it took, in ms.
    pub ms: u64,
}

/// One request, as logs tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRecord {
    /// Its id.
    pub request_id: Arc<str>,
    /// What its client calls the trace that it belongs to; its own id without one.
    pub trace_id: Arc<str>,
    /// What its client said about it, as a JSON object.
    pub metadata: Option<String>,
    /// When it came.
    pub time: Timestamp,
    /// What it wanted.
    pub operation: Operation,
    /// The model as the client wrote it.
    pub model: String,
    /// The group that answered, or was asked last.
    pub group: Option<GroupName>,
    /// The deployment that answered.
    pub deployment: Option<DeploymentId>,
    /// What the client got.
    pub status: u16,
    /// What went wrong in the end.
    pub kind: Option<FailureKind>,
    /// Whether it was a stream.
    pub stream: bool,
    /// Whether the client hung up before the end.
    pub client_gone: bool,
    /// Every attempt, in order.
    pub attempts: Vec<AttemptRecord>,
    /// Retries within stops.
    pub retries: u32,
    /// Stops taken after the first.
    pub fallbacks: u32,
    /// The way through the plan that answered.
    pub plan_path: Cow<'static, str>,
    /// What it used.
    pub usage: Option<Usage>,
    /// What that cost, in USD; `None` when the price is unknown.
    pub cost: Option<f64>,
    /// From arrival to the last byte, in ms.
    pub ms: u64,
    /// From arrival to the first byte of content, in ms.
    pub first_token_ms: Option<u64>,
}

/// Something that is kept as a line of text. It is written when somebody reads it: most are never read.
pub trait Line: Send + Sync + std::fmt::Debug {
    /// The line.
    fn line(&self) -> String;
}

impl Line for String {
    fn line(&self) -> String {
        self.clone()
    }
}

/// Somebody who counts or prints what happens. Called on the request's path: it must not block.
pub trait Observer: Send + Sync + std::fmt::Debug {
    /// Takes note of `event`.
    fn observe(&self, event: &Event<'_>);
}

/// Takes note of nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _: &Event<'_>) {}
}

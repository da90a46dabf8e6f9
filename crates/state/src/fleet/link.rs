//! The way to a shared store.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::time::Timestamp;

use super::protocol::{
    Beat, Changes, Claimed, Join, Joined, Operated, Operation, Pulse, Replay, ReplicaId, Report, Saved, Snapshot, Told,
    Turn, TurnReply,
};
use crate::documents::Record;
use crate::{Answer, Claim, Kept};

/// A connection to the shared store, ready to be used. Every call is carried out atomically, ends in bounded
/// time, and may have been carried out when it fails.
pub trait Link: Send + Sync + fmt::Debug {
    /// Tells what has ended and asks for admission. At most one is under way at a time.
    fn turn<'a>(&'a self, replica: &'a ReplicaId, turn: &'a Turn) -> Answer<'a, Result<TurnReply, LinkError>>;

    /// Joins the epoch, or begins a new one.
    fn join<'a>(&'a self, replica: &'a ReplicaId, join: &'a Join) -> Answer<'a, Result<Joined, LinkError>>;

    /// Tells again what the store may have lost; reports come back in the same order. `None` when the epoch is
    /// another one.
    fn replay<'a>(
        &'a self,
        replica: &'a ReplicaId,
        replay: &'a Replay,
    ) -> Answer<'a, Result<Option<Snapshot>, LinkError>>;

    /// Says that all has been told; until when the epoch is recovering all the same. The outer `None`: it is
    /// another epoch.
    fn told<'a>(
        &'a self,
        replica: &'a ReplicaId,
        told: &'a Told,
    ) -> Answer<'a, Result<Option<Option<Timestamp>>, LinkError>>;

    /// Gives a sign of life.
    fn beat<'a>(&'a self, replica: &'a ReplicaId, beat: &'a Beat) -> Answer<'a, Result<Pulse, LinkError>>;

    /// Takes a dead replica's requests in flight off `windows`; says how many there were.
    fn reap<'a>(&'a self, dead: &'a ReplicaId, windows: &'a [QuotaName]) -> Answer<'a, Result<u64, LinkError>>;

    /// Strikes a replica off: it left by itself, or it vanished.
    fn leave<'a>(&'a self, replica: &'a ReplicaId, vanished: bool) -> Answer<'a, Result<(), LinkError>>;

    /// What windows and deployments look like.
    fn snapshot<'a>(
        &'a self,
        windows: &'a [QuotaName],
        members: &'a [DeploymentId],
    ) -> Answer<'a, Result<Snapshot, LinkError>>;

    /// News from the store as they come; the channel ends when they can no longer be heard.
    fn listen(&self) -> Answer<'_, Result<mpsc::Receiver<News>, LinkError>>;

    /// Gives a session what it wants, unless it has something else already. On the path of a request.
    fn claim<'a>(&'a self, claim: Claim<'a>) -> Answer<'a, Result<Claimed, LinkError>>;

    /// Saves documents that have changed more often than the store knows, with `most` at most in all; says what came
    /// of each.
    fn save<'a>(
        &'a self,
        records: &'a [(String, Record)],
        most: Option<usize>,
    ) -> Answer<'a, Result<Vec<Saved>, LinkError>>;

    /// Documents that have changed after the place `since`, of about `bytes` at most.
    fn changes(&self, since: u64, bytes: usize) -> Answer<'_, Result<Changes, LinkError>>;

    /// Keeps records of requests that have ended.
    fn keep<'a>(&'a self, records: &'a [String]) -> Answer<'a, Result<(), LinkError>>;

    /// At most `most` records, the newest first; before the one with the mark `before`.
    fn kept<'a>(&'a self, before: Option<&'a str>, most: usize) -> Answer<'a, Result<Vec<Kept>, LinkError>>;

    /// Carries out an operator's word.
    fn operate<'a>(&'a self, id: &'a DeploymentId, operation: Operation) -> Answer<'a, Result<Operated, LinkError>>;
}

/// Makes connections.
pub trait Connector: Send + Sync + fmt::Debug {
    /// Makes one that is checked and ready.
    fn connect(&self) -> Answer<'_, Result<Connected, LinkError>>;
}

/// A connection, and what its making has shown.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub link: Arc<dyn Link>,
    /// What an operator should know about the server, as whole sentences.
    pub warnings: Vec<String>,
}

/// Something that another replica did.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The standing of a deployment changed; it is named by [`mark`](crate::redis::mark) of its id.
    Standing(String, Report),
    /// The epoch changed.
    Epoch,
}

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No answer in time.
    #[error("no answer within {ms} ms")]
    TimedOut {
        /// How long was waited, in ms.
        ms: u64,
    },
    /// The connection is gone, or the server cannot do what it should.
    #[error("{0}")]
    Broken(String),
}

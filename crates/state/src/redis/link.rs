//! Calls over a connection to Redis.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::mpsc;
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::time::{Timestamp, millis};

use super::keys::Keys;
use super::lane::Caller;
use super::news::Listener;
use super::scripts::Source;
use super::{decode, encode};
use crate::documents::{MOST_REMOVED, Record};
use crate::fleet::link::{Link, LinkError, News};
use crate::fleet::protocol::{
    Beat, Changes, Claimed, Join, Joined, Operated, Operation, Pulse, Replay, ReplicaId, Saved, Snapshot, Told, Turn,
    TurnReply,
};
use crate::records::MOST;
use crate::{Answer, Claim, Kept};

/// A call off the request's path may take so many times as long as one on it.
const PATIENCE: u32 = 5;
/// How long records of requests are kept after the last.
const RECORDS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A connection to Redis.
#[derive(Debug)]
pub(crate) struct RedisLink {
    /// For what requests wait for, and nothing else: turns, and what sessions claim.
    pub(crate) turns: Caller,
    /// For heartbeats and what goes with them.
    pub(crate) upkeep: Caller,
    /// For snapshots and what operators want: their replies are long.
    pub(crate) admin: Caller,
    pub(crate) keys: Arc<Keys>,
    /// How long a turn may take.
    pub(crate) call_timeout: Duration,
    /// Whether data may move to another server behind this connection.
    pub(crate) may_move: bool,
    pub(crate) listener: Listener,
}

impl RedisLink {
    fn scripts(&self) -> &super::scripts::Scripts {
        &self.turns.scripts
    }

    /// How long a call off the request's path may take.
    fn patience(&self) -> Duration {
        self.call_timeout * PATIENCE
    }

    /// Removes the keys of a trial.
    pub(crate) async fn forget(&self) -> Result<(), LinkError> {
        let mut unlink = redis::cmd("DEL");
        let window = self.keys.window(&"trial".into());
        unlink.arg(&self.fleet_keys());
        unlink.arg(&window.window).arg(&window.contributions).arg(&*self.keys.condition(&"trial".into()));
        self.upkeep.call(&unlink, self.patience()).await.map(|_| ())
    }

    /// What says who there is.
    fn fleet_keys(&self) -> [String; 5] {
        let keys = &self.keys;
        [keys.epoch(), keys.beats(), keys.told(), keys.vanished(), keys.reaped()]
    }

    fn of_documents(&self, script: &Source) -> Cmd {
        let keys = [self.keys.documents(), self.keys.documents_in_order()];
        encode::call(script, &keys.each_ref().map(|key| key.as_bytes()))
    }

    async fn upkeep<T, E: std::fmt::Display>(
        &self,
        call: Cmd,
        decode: impl FnOnce(&Value) -> Result<T, E>,
    ) -> Result<T, LinkError> {
        read(&self.upkeep.call(&call, self.patience()).await?, decode)
    }
}

fn read<T, E: std::fmt::Display>(value: &Value, decode: impl FnOnce(&Value) -> Result<T, E>) -> Result<T, LinkError> {
    decode(value).map_err(|error| LinkError::Broken(error.to_string()))
}

fn flag(flag: bool) -> &'static str {
    if flag { "1" } else { "0" }
}

impl Link for RedisLink {
    fn turn<'a>(&'a self, replica: &'a ReplicaId, turn: &'a Turn) -> Answer<'a, Result<TurnReply, LinkError>> {
        let call = encode::turn(&self.scripts().turn, &self.keys, replica, turn);
        Box::pin(async move {
            let value = self.turns.call(&call, self.call_timeout).await?;
            read(&value, |value| decode::turn(value, turn.windows.len(), turn.members.len()))
        })
    }

    fn join<'a>(&'a self, replica: &'a ReplicaId, join: &'a Join) -> Answer<'a, Result<Joined, LinkError>> {
        let keys = [self.keys.epoch(), self.keys.beats(), self.keys.told()];
        let mut call = encode::call(&self.scripts().join, &keys.each_ref().map(|key| key.as_bytes()));
        call.arg(&replica.0).arg(&join.candidate).arg(flag(join.saw_loss)).arg(flag(join.was_away));
        call.arg(millis(join.recovery)).arg(self.keys.channel());
        Box::pin(self.upkeep(call, decode::joined))
    }

    fn replay<'a>(
        &'a self,
        replica: &'a ReplicaId,
        replay: &'a Replay,
    ) -> Answer<'a, Result<Option<Snapshot>, LinkError>> {
        let call = encode::replay(&self.scripts().replay, &self.keys, replica, replay);
        Box::pin(self.upkeep(call, decode::replay))
    }

    fn told<'a>(
        &'a self,
        replica: &'a ReplicaId,
        told: &'a Told,
    ) -> Answer<'a, Result<Option<Option<Timestamp>>, LinkError>> {
        let keys = [self.keys.epoch(), self.keys.beats(), self.keys.told()];
        let mut call = encode::call(&self.scripts().joined, &keys.each_ref().map(|key| key.as_bytes()));
        call.arg(&replica.0).arg(&told.epoch.0).arg(self.keys.channel()).arg(told.replicas);
        Box::pin(self.upkeep(call, decode::told))
    }

    fn beat<'a>(&'a self, replica: &'a ReplicaId, beat: &'a Beat) -> Answer<'a, Result<Pulse, LinkError>> {
        let keys = self.fleet_keys();
        let mut call = encode::call(&self.scripts().beat, &keys.each_ref().map(|key| key.as_bytes()));
        call.arg(&replica.0).arg(&beat.epoch.0).arg(millis(beat.dead_after)).arg(millis(beat.vanished_for));
        call.arg(flag(self.may_move)).arg(beat.names_known.map_or(-1, i64::from));
        Box::pin(self.upkeep(call, decode::beat))
    }

    fn reap<'a>(&'a self, dead: &'a ReplicaId, windows: &'a [QuotaName]) -> Answer<'a, Result<u64, LinkError>> {
        let keys: Vec<_> = windows.iter().map(|quota| self.keys.window(quota)).collect();
        let names: Vec<&[u8]> =
            keys.iter().flat_map(|keys| [keys.window.as_bytes(), keys.contributions.as_bytes()]).collect();
        let mut call = encode::call(&self.scripts().reap, &names);
        call.arg(&dead.0);
        Box::pin(self.upkeep(call, decode::count))
    }

    fn leave<'a>(&'a self, replica: &'a ReplicaId, vanished: bool) -> Answer<'a, Result<(), LinkError>> {
        let keys = [self.keys.beats(), self.keys.told(), self.keys.vanished(), self.keys.reaped()];
        let mut call = encode::call(&self.scripts().leave, &keys.each_ref().map(|key| key.as_bytes()));
        call.arg(&replica.0).arg(flag(vanished));
        Box::pin(self.upkeep(call, |value| decode::count(value).map(|_| ())))
    }

    fn snapshot<'a>(
        &'a self,
        windows: &'a [QuotaName],
        members: &'a [DeploymentId],
    ) -> Answer<'a, Result<Snapshot, LinkError>> {
        let window_keys: Vec<_> = windows.iter().map(|quota| self.keys.window(quota)).collect();
        let conditions: Vec<_> = members.iter().map(|id| self.keys.condition(id)).collect();
        let names: Vec<&[u8]> = window_keys
            .iter()
            .map(|keys| keys.window.as_bytes())
            .chain(conditions.iter().map(|key| key.as_bytes()))
            .collect();
        let mut call = encode::call(&self.scripts().snapshot, &names);
        call.arg(windows.len());
        Box::pin(async move { read(&self.admin.call(&call, self.patience()).await?, decode::snapshot) })
    }

    fn listen(&self) -> Answer<'_, Result<mpsc::Receiver<News>, LinkError>> {
        Box::pin(self.listener.listen())
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> Answer<'a, Result<Claimed, LinkError>> {
        let Claim { session, wanted, instead_of, lasts } = claim;
        let mut call = encode::call(&self.scripts().claim, &[self.keys.session(session).as_bytes()]);
        call.arg(wanted).arg(millis(lasts).max(1)).arg(instead_of);
        Box::pin(async move { read(&self.turns.call(&call, self.call_timeout).await?, decode::claimed) })
    }

    fn save<'a>(
        &'a self,
        records: &'a [(String, Record)],
        most: Option<usize>,
    ) -> Answer<'a, Result<Vec<Saved>, LinkError>> {
        let mut call = self.of_documents(&self.scripts().save);
        call.arg(most.unwrap_or_default()).arg(MOST_REMOVED);
        for (id, record) in records {
            call.arg(id).arg(encode::record(record));
        }
        Box::pin(async move { read(&self.admin.call(&call, self.patience()).await?, decode::saved) })
    }

    fn changes(&self, since: u64, bytes: usize) -> Answer<'_, Result<Changes, LinkError>> {
        let mut call = self.of_documents(&self.scripts().changes);
        call.arg(since).arg(bytes);
        Box::pin(async move { read(&self.admin.call(&call, self.patience()).await?, decode::changes_of_documents) })
    }

    fn keep<'a>(&'a self, records: &'a [String]) -> Answer<'a, Result<(), LinkError>> {
        let calls = encode::keep(&self.keys, records, (MOST, RECORDS_KEPT));
        Box::pin(async move { self.admin.call_all(&calls, self.patience()).await.map(|_| ()) })
    }

    fn kept<'a>(&'a self, before: Option<&'a str>, most: usize) -> Answer<'a, Result<Vec<Kept>, LinkError>> {
        let before = before.map_or("+".to_owned(), |mark| format!("({mark}"));
        let mut call = redis::cmd("XREVRANGE");
        call.arg(self.keys.records()).arg(before).arg("-").arg("COUNT").arg(most);
        Box::pin(async move { read(&self.admin.call(&call, self.patience()).await?, decode::kept) })
    }

    fn operate<'a>(&'a self, id: &'a DeploymentId, operation: Operation) -> Answer<'a, Result<Operated, LinkError>> {
        let mut call = encode::call(&self.scripts().operate, &[self.keys.condition(id).as_bytes()]);
        match operation {
            Operation::Drain(Some(lasts)) => call.arg(millis(lasts).max(1)),
            Operation::Drain(None) => call.arg("-1"),
            Operation::Restore => call.arg("0"),
        };
        call.arg(self.keys.channel());
        Box::pin(async move { read(&self.admin.call(&call, self.patience()).await?, decode::operated) })
    }
}

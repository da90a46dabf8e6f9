//! The server, its clock, and the network before it: one place that everybody's calls come to, one at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_state::fleet::link::News;
use weighbridge_state::fleet::protocol::TurnResult;
use weighbridge_state::fleet::protocol::{
    Beat, Join, Joined, Operated, Operation, Pulse, Replay, ReplicaId, Snapshot, Told, Turn, TurnReply,
};

use super::judge::{At, Judge};
use super::model::Model;
use super::network::Network;

/// When the simulation begins, in ms since the Unix epoch.
pub const BEGINNING_MS: u64 = 1_700_000_000_000;
/// News that wait for one replica; past that the next poll tells.
const NEWS: usize = 1024;

/// The server and the way to it.
#[derive(Debug, Clone)]
pub struct Store(Arc<Mutex<State>>);

/// What a call finds when it comes.
#[derive(Debug)]
pub struct State {
    /// What the server holds.
    pub model: Model,
    /// The way to it.
    pub network: Network,
    /// Who is told what was carried out.
    pub judge: Judge,
    began: Instant,
    /// How far the server's clock is ahead of the time that passes, in ms.
    offset_ms: i64,
    listeners: Vec<Listener>,
    saved: Option<Model>,
    runs: u32,
}

#[derive(Debug)]
struct Listener {
    host: usize,
    run: u32,
    tell: mpsc::Sender<News>,
}

impl Store {
    /// An empty server that answers at once.
    pub fn new(network: Network, judge: Judge) -> Self {
        let state = State {
            model: Model::new(run_id(0)),
            network,
            judge,
            began: Instant::now(),
            offset_ms: 0,
            listeners: Vec::new(),
            saved: None,
            runs: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The server, for one call.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The time that has passed, in ms.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The server's clock, in ms.
    pub fn now(&self) -> u64 {
        (BEGINNING_MS + self.elapsed_ms()).saturating_add_signed(self.offset_ms)
    }

    /// Both.
    pub fn at(&self) -> At {
        At { ms: self.elapsed_ms(), server_ms: self.now() }
    }

    /// The server's clock is put forward or back.
    pub fn step(&mut self, ms: i64) {
        self.offset_ms += ms;
    }

    /// Which run of the server this is; connections to another one are broken.
    pub fn run(&self) -> u32 {
        self.runs
    }

    /// Keeps what there is, for [`State::restart_from_saved`].
    pub fn save(&mut self) {
        self.saved = Some(self.model.clone());
    }

    /// Starts anew with nothing.
    pub fn restart_empty(&mut self) {
        self.restart(Model::default());
    }

    /// Starts anew from what was kept, or with nothing.
    pub fn restart_from_saved(&mut self) {
        let saved = self.saved.take().unwrap_or_default();
        self.restart(saved);
    }

    fn restart(&mut self, model: Model) {
        self.runs += 1;
        self.model = model;
        self.model.run_id = run_id(self.runs);
        self.listeners.clear();
    }

    /// Begins to tell a replica what others do.
    pub fn listen(&mut self, host: usize) -> mpsc::Receiver<News> {
        let (tell, news) = mpsc::channel(NEWS);
        self.listeners.push(Listener { host, run: self.runs, tell });
        news
    }

    /// Hangs up on a replica that listens.
    pub fn deafen(&mut self, host: usize) {
        self.listeners.retain(|listener| listener.host != host);
    }

    fn publish(&mut self) {
        let news = self.model.take_news();
        if news.is_empty() {
            return;
        }
        self.listeners.retain(|listener| !listener.tell.is_closed());
        for listener in self.listeners.iter().filter(|listener| listener.run == self.runs) {
            if self.network.hears(listener.host) {
                for one in &news {
                    // One too many is told by the next poll.
                    drop(listener.tell.try_send(one.clone()));
                }
            }
        }
    }

    // The calls, as they are carried out.

    pub(super) fn turn(&mut self, host: usize, replica: &ReplicaId, turn: &Turn) -> (TurnReply, u64) {
        let now = self.now();
        let reply = self.model.turn(replica, turn, now);
        let stamp = match &reply.result {
            TurnResult::Done(done) => self.judge.carried_out(host, turn, done, self.at()),
            TurnResult::Late | TurnResult::OtherEpoch | TurnResult::Recovering | TurnResult::Loss => 0,
        };
        self.publish();
        (reply, stamp)
    }

    pub(super) fn join(&mut self, replica: &ReplicaId, join: &Join) -> Joined {
        let now = self.now();
        let joined = self.model.join(replica, join, now);
        self.publish();
        joined
    }

    pub(super) fn replay(&mut self, replica: &ReplicaId, replay: &Replay) -> Option<Snapshot> {
        let now = self.now();
        self.model.replay(replica, replay, now)
    }

    pub(super) fn told(
        &mut self,
        host: usize,
        replica: &ReplicaId,
        told: &Told,
    ) -> Option<Option<weighbridge_domain::time::Timestamp>> {
        let now = self.now();
        let told = self.model.told(replica, told, now);
        if told.is_some() {
            self.judge.told(host);
        }
        self.publish();
        told
    }

    pub(super) fn beat(&mut self, replica: &ReplicaId, beat: &Beat) -> Pulse {
        let now = self.now();
        self.model.beat(replica, beat, now)
    }

    pub(super) fn reap(&mut self, dead: &ReplicaId, windows: &[QuotaName]) -> u64 {
        let now = self.now();
        self.model.reap(dead, windows, now)
    }

    pub(super) fn leave(&mut self, replica: &ReplicaId, vanished: bool) {
        let now = self.now();
        self.model.leave(replica, vanished, now);
    }

    pub(super) fn snapshot(&mut self, windows: &[QuotaName], members: &[DeploymentId]) -> Snapshot {
        let now = self.now();
        self.model.snapshot(windows, members, now)
    }

    pub(super) fn operate(&mut self, id: &DeploymentId, operation: Operation) -> Operated {
        let now = self.now();
        let operated = self.model.operate(id, operation, now);
        self.publish();
        operated
    }
}

fn run_id(run: u32) -> String {
    format!("{run:040x}")
}

/// A span that lasts so many ms.
pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

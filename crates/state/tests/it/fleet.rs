//! Several replicas before one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::store::RedisSettings;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::DeploymentView;
use weighbridge_state::fleet::FleetStore;
use weighbridge_state::fleet::link::{Connector, Link};
use weighbridge_state::fleet::protocol::{Beat, Epoch, Join, Replay, ReplicaId, Report};
use weighbridge_state::health::{Rest, Standing};
use weighbridge_state::redis::RedisConnector;
use weighbridge_state::{
    Admission, Candidate, Grant, Mode, Outcome, Refusal, Regard, Reserve, Settlement, SharedState,
};

use crate::support::{Server, joined, replica, runtime, settings, until};

/// In how many seconds it is said, until when a deployment rests, until when a probe has its turn; 0 for neither.
pub(crate) type Word = (u64, u64, u64);

/// A fleet of replicas and the server between them.
pub(crate) struct Fleet {
    pub(crate) server: Option<Server>,
    pub(crate) port: u16,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) replicas: Vec<Arc<FleetStore>>,
    pub(crate) deployment: Arc<Deployment>,
}

impl Fleet {
    pub(crate) async fn start(replicas: usize, limits: Limits) -> Self {
        Self::of(replicas, limits, |_| ()).await
    }

    /// A fleet whose replicas behave otherwise.
    pub(crate) async fn of(replicas: usize, limits: Limits, adjust: impl Fn(&mut RedisSettings)) -> Self {
        let server = Server::start();
        let clock = Arc::new(AtomicU64::new(1_700_000_000_300));
        let endpoint = Endpoint::new("openai", "http://localhost/v1");
        let deployment =
            Arc::new(Deployment { limits, ..Deployment::new("a", "g", ModelTemplate::new("m"), endpoint) });
        let mut fleet = Self {
            port: server.port,
            redis: connection(server.port).await,
            clock,
            replicas: Vec::new(),
            deployment,
            server: Some(server),
        };
        let mut settings = settings(fleet.server.as_ref().expect("it runs"), "repair");
        adjust(&mut settings);
        for _ in 0..replicas {
            fleet.add(settings.clone()).await;
        }
        fleet
    }

    /// One more replica.
    pub(crate) async fn add(&mut self, settings: RedisSettings) {
        let store = replica(settings, &self.clock);
        let mut table = RoutingTable::default();
        table.add_group(ModelGroup::new("g", vec![Arc::clone(&self.deployment)]));
        store.adopt(&table, self.now());
        joined(&store).await;
        // Everybody has been counted.
        let count = u32::try_from(self.replicas.len() + 1).expect("few");
        self.replicas.push(store);
        for store in &self.replicas {
            until("everybody is counted", || store.status().replicas == count).await;
        }
    }

    /// A connection like those of replicas.
    pub(crate) async fn link(&self) -> Arc<dyn Link> {
        let settings = settings(self.server.as_ref().expect("it runs"), "repair");
        let connector = RedisConnector::with_told_clock(settings, 0, Arc::clone(&self.clock));
        connector.connect().await.expect("connected").link
    }

    /// What comes of what two replicas tell, one after the other, of how a deployment stands.
    pub(crate) async fn tell(&self, words: [Word; 2]) -> Word {
        let (link, me) = (self.link().await, ReplicaId("me".to_owned()));
        let epoch = link.join(&me, &join(false)).await.expect("joined").epoch;
        let now = self.now();
        let at = |seconds: u64| (seconds > 0).then(|| now + Duration::from_secs(seconds));
        for (said, rests, probe) in words {
            let rest = at(rests).map(|until| Rest {
                until,
                cause: FailureKind::RateLimited,
                lasted: Duration::from_secs(rests),
                failed_probes: 0,
                probe_until: at(probe),
            });
            let standing = Standing { rest, drained: None };
            let generation = now.as_millis() + 1000 * said;
            let members = vec![("a".into(), Report { standing, generation, ..Report::default() })];
            let replay = Replay { epoch: epoch.clone(), windows: Vec::new(), members };
            link.replay(&me, &replay).await.expect("told").expect("this epoch");
        }
        let Report { standing, generation, .. } = link.snapshot(&[], &["a".into()]).await.expect("read").members[0];
        let after = |at: Option<Timestamp>| at.map_or(0, |at| at.since(now).as_secs());
        let rest = standing.rest;
        (
            (generation - now.as_millis()) / 1000,
            after(rest.map(|rest| rest.until)),
            after(rest.and_then(|rest| rest.probe_until)),
        )
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::Relaxed))
    }

    pub(crate) fn wait(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) async fn ask(&self, at: usize) -> Result<Grant, Refusal> {
        let candidates = [Candidate { deployment: Arc::clone(&self.deployment), cooldown: Regard::Heed }];
        let ask = Reserve { candidates: &candidates, tokens: Tokens { input: 10, output: 0 } };
        match self.replicas[at].reserve(ask, self.now()).await {
            Admission::Granted(grant) => Ok(grant),
            Admission::Refused(refusal) => Err(refusal),
        }
    }

    /// How many of `count` requests at each replica are granted.
    pub(crate) async fn grants(&self, count: usize) -> Vec<(usize, Grant)> {
        let mut granted = Vec::new();
        for at in 0..self.replicas.len() {
            for _ in 0..count {
                granted.extend(self.ask(at).await.ok().map(|grant| (at, grant)));
            }
        }
        granted
    }

    pub(crate) fn settle(&self, at: usize, grant: Grant, outcome: Outcome) {
        let peers = Arc::from([self.deployment.id.clone(), "b".into()]);
        let deployment = Arc::clone(&self.deployment);
        self.replicas[at].settle(Settlement { grant, deployment, used: None, outcome, peers }, self.now());
    }

    pub(crate) async fn view(&self, at: usize) -> DeploymentView {
        self.replicas[at].settled().await;
        self.replicas[at].view(std::slice::from_ref(&self.deployment), self.now())[0]
    }

    /// Waits until every replica shares what it knows, and shows `requests` used.
    pub(crate) async fn agrees_on(&self, requests: u32) {
        let mut used = Vec::new();
        for _ in 0..600 {
            used.clear();
            for (at, store) in self.replicas.iter().enumerate() {
                used.push((store.status().mode, self.view(at).await.usage.requests));
            }
            if used.iter().all(|used| *used == (Mode::Shared, requests)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not all agree on {requests}: {used:?}");
    }

    /// Waits until every replica is in `mode`.
    pub(crate) async fn is(&self, mode: Mode) {
        for store in &self.replicas {
            until(mode.label(), || store.status().mode == mode).await;
        }
    }

    /// Every key of the fleet with what is behind it, but for the heartbeats.
    pub(crate) async fn dump(&mut self, kind: &str) -> Vec<(String, Vec<u8>)> {
        let keys: Vec<String> = self.redis.keys(format!("wb:2:{{repair}}:{kind}*")).await.expect("keys");
        let mut dump = Vec::new();
        for key in keys {
            dump.push((key.clone(), redis::cmd("DUMP").arg(&key).query_async(&mut self.redis).await.expect("a dump")));
        }
        dump
    }

    pub(crate) async fn put_back(&mut self, dump: Vec<(String, Vec<u8>)>) {
        for (key, value) in dump {
            let mut restore = redis::cmd("RESTORE");
            restore.arg(key).arg(0).arg(value).arg("REPLACE");
            restore.exec_async(&mut self.redis).await.expect("it is put back");
        }
    }

    pub(crate) async fn delete(&mut self, kind: &str) {
        let keys: Vec<String> = self.redis.keys(format!("wb:2:{{repair}}:{kind}*")).await.expect("keys");
        let _: () = self.redis.del(keys).await.expect("deleted");
    }
}

/// One connects that had been cut off, or begins.
pub(crate) fn join(was_away: bool) -> Join {
    let candidate = format!("epoch-{was_away}");
    Join { candidate, saw_loss: false, was_away, recovery: Duration::from_millis(600) }
}

/// A sign of life that wants to know all.
pub(crate) fn beat(epoch: Epoch) -> Beat {
    let (dead_after, vanished_for) = (Duration::from_secs(5), Duration::from_secs(61));
    Beat { epoch, dead_after, vanished_for, names_known: None }
}

pub(crate) async fn connection(port: u16) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a URL");
    for _ in 0..400 {
        if let Ok(connection) = client.get_multiplexed_async_connection().await {
            return connection;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the server never answered");
}

pub(crate) fn rpm(rpm: u32) -> Limits {
    Limits { rpm: Some(rpm), ..Limits::default() }
}

pub(crate) fn check(test: impl Future<Output = ()>) {
    runtime().block_on(test);
}

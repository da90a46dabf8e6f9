//! Several replicas before one server that loses things: what was granted is never forgotten, and nothing is
//! granted twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::store::{OnStoreLoss, PartitionSafety, RedisSettings};
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health};
use weighbridge_state::fleet::FleetStore;
use weighbridge_state::fleet::link::{Connector, Link};
use weighbridge_state::fleet::protocol::{Beat, Epoch, Join, Replay, ReplicaId, Report, Told};
use weighbridge_state::health::{Rest, Standing};
use weighbridge_state::redis::RedisConnector;
use weighbridge_state::{
    Admission, Candidate, Grant, Mode, Outcome, Refusal, RefusalCause, Regard, Reserve, Settlement, SharedState,
};

use crate::support::{Server, joined, replica, runtime, settings, until};

/// In how many seconds it is said, until when a deployment rests, until when a probe has its turn; 0 for neither.
type Word = (u64, u64, u64);

/// A fleet of replicas and the server between them.
struct Fleet {
    server: Option<Server>,
    port: u16,
    redis: MultiplexedConnection,
    clock: Arc<AtomicU64>,
    replicas: Vec<Arc<FleetStore>>,
    deployment: Arc<Deployment>,
}

impl Fleet {
    async fn start(replicas: usize, limits: Limits) -> Self {
        Self::of(replicas, limits, |_| ()).await
    }

    /// A fleet whose replicas behave otherwise.
    async fn of(replicas: usize, limits: Limits, adjust: impl Fn(&mut RedisSettings)) -> Self {
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
    async fn add(&mut self, settings: RedisSettings) {
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
    async fn link(&self) -> Arc<dyn Link> {
        let settings = settings(self.server.as_ref().expect("it runs"), "repair");
        let connector = RedisConnector::with_told_clock(settings, 0, Arc::clone(&self.clock));
        connector.connect().await.expect("connected").link
    }

    /// What comes of what two replicas tell, one after the other, of how a deployment stands.
    async fn tell(&self, words: [Word; 2]) -> Word {
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

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::Relaxed))
    }

    fn wait(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    async fn ask(&self, at: usize) -> Result<Grant, Refusal> {
        let candidates = [Candidate { deployment: Arc::clone(&self.deployment), cooldown: Regard::Heed }];
        let ask = Reserve { candidates: &candidates, tokens: Tokens { input: 10, output: 0 } };
        match self.replicas[at].reserve(ask, self.now()).await {
            Admission::Granted(grant) => Ok(grant),
            Admission::Refused(refusal) => Err(refusal),
        }
    }

    /// How many of `count` requests at each replica are granted.
    async fn grants(&self, count: usize) -> Vec<(usize, Grant)> {
        let mut granted = Vec::new();
        for at in 0..self.replicas.len() {
            for _ in 0..count {
                granted.extend(self.ask(at).await.ok().map(|grant| (at, grant)));
            }
        }
        granted
    }

    fn settle(&self, at: usize, grant: Grant, outcome: Outcome) {
        let peers = Arc::from([self.deployment.id.clone(), "b".into()]);
        let deployment = Arc::clone(&self.deployment);
        self.replicas[at].settle(Settlement { grant, deployment, used: None, outcome, peers }, self.now());
    }

    async fn view(&self, at: usize) -> DeploymentView {
        self.replicas[at].settled().await;
        self.replicas[at].view(std::slice::from_ref(&self.deployment), self.now())[0]
    }

    /// Waits until every replica shares what it knows, and shows `requests` used.
    async fn agrees_on(&self, requests: u32) {
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
    async fn is(&self, mode: Mode) {
        for store in &self.replicas {
            until(mode.label(), || store.status().mode == mode).await;
        }
    }

    /// Every key of the fleet with what is behind it, but for the heartbeats.
    async fn dump(&mut self, kind: &str) -> Vec<(String, Vec<u8>)> {
        let keys: Vec<String> = self.redis.keys(format!("wb:2:{{repair}}:{kind}*")).await.expect("keys");
        let mut dump = Vec::new();
        for key in keys {
            dump.push((key.clone(), redis::cmd("DUMP").arg(&key).query_async(&mut self.redis).await.expect("a dump")));
        }
        dump
    }

    async fn put_back(&mut self, dump: Vec<(String, Vec<u8>)>) {
        for (key, value) in dump {
            let mut restore = redis::cmd("RESTORE");
            restore.arg(key).arg(0).arg(value).arg("REPLACE");
            restore.exec_async(&mut self.redis).await.expect("it is put back");
        }
    }

    async fn delete(&mut self, kind: &str) {
        let keys: Vec<String> = self.redis.keys(format!("wb:2:{{repair}}:{kind}*")).await.expect("keys");
        let _: () = self.redis.del(keys).await.expect("deleted");
    }
}

/// One connects that had been cut off, or begins.
fn join(was_away: bool) -> Join {
    let candidate = format!("epoch-{was_away}");
    Join { candidate, saw_loss: false, was_away, recovery: Duration::from_millis(600) }
}

/// A sign of life that wants to know all.
fn beat(epoch: Epoch) -> Beat {
    let (dead_after, vanished_for) = (Duration::from_secs(5), Duration::from_secs(61));
    Beat { epoch, dead_after, vanished_for, names_known: None }
}

async fn connection(port: u16) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a URL");
    for _ in 0..400 {
        if let Ok(connection) = client.get_multiplexed_async_connection().await {
            return connection;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the server never answered");
}

fn rpm(rpm: u32) -> Limits {
    Limits { rpm: Some(rpm), ..Limits::default() }
}

fn check(test: impl Future<Output = ()>) {
    runtime().block_on(test);
}

#[test]
fn one_unit_is_left_and_everybody_wants_it() {
    check(async {
        let fleet = Fleet::start(3, rpm(7)).await;
        assert_eq!(fleet.grants(2).await.len(), 6);
        let all = join_all((0..150).map(|i| fleet.ask(i % 3))).await;
        assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1);
    });
}

#[test]
fn a_server_that_went_back_in_time_is_told_what_it_forgot() {
    check(async {
        let mut fleet = Fleet::start(2, rpm(100)).await;
        assert_eq!(fleet.grants(15).await.len(), 30);
        let (windows, contributions) = (fleet.dump("w:").await, fleet.dump("c:").await);
        assert_eq!(fleet.grants(20).await.len(), 40);
        fleet.put_back(windows).await;
        fleet.put_back(contributions).await;
        assert_eq!(fleet.ask(0).await.map(|_| ()), Ok(()));
        fleet.agrees_on(71).await;
        assert_eq!(fleet.grants(100).await.len(), 29, "and no more than the limit in all");
    });
}

#[test]
fn a_server_that_was_emptied_is_told_everything() {
    check(async {
        let mut fleet = Fleet::start(3, rpm(60)).await;
        assert_eq!(fleet.grants(10).await.len(), 30);
        let _: () = redis::cmd("FLUSHALL").query_async(&mut fleet.redis).await.expect("flushed");
        fleet.agrees_on(30).await;
        assert_eq!(fleet.grants(30).await.len(), 30);
    });
}

#[test]
fn a_window_that_was_evicted_is_told_again() {
    check(async {
        let mut fleet = Fleet::start(2, rpm(40)).await;
        assert_eq!(fleet.grants(10).await.len(), 20);
        fleet.delete("w:").await;
        assert_eq!(fleet.ask(1).await.map(|_| ()), Ok(()));
        fleet.agrees_on(21).await;
        assert_eq!(fleet.grants(40).await.len(), 19);
    });
}

#[test]
fn lost_contributions_count_twice_rather_than_not_at_all() {
    check(async {
        let mut fleet = Fleet::start(2, rpm(100)).await;
        assert_eq!(fleet.grants(10).await.len(), 20);
        fleet.delete("c:").await;
        assert_eq!(fleet.ask(0).await.map(|_| ()), Ok(()));
        fleet.is(Mode::Shared).await;
        let used = fleet.view(0).await.usage.requests;
        assert!((21..=41).contains(&used), "{used}");
        // Exact again once the window has passed.
        fleet.wait(62_000);
        assert_eq!(fleet.grants(10).await.len(), 20);
        fleet.agrees_on(20).await;
    });
}

#[test]
fn replicas_serve_their_shares_while_the_server_is_gone_and_tell_it_afterwards() {
    check(async {
        let mut fleet = Fleet::start(3, rpm(60)).await;
        assert_eq!(fleet.grants(5).await.len(), 15);
        for at in 0..3 {
            fleet.view(at).await;
        }
        fleet.server = None;
        let alone = fleet.grants(40).await.len();
        assert!((40..=45).contains(&alone), "{alone} of the 45 that were left");
        fleet.is(Mode::Local).await;
        assert!(
            fleet
                .replicas
                .iter()
                .all(|store| { store.exposure(std::slice::from_ref(&fleet.deployment))[0].requests == 20.0 })
        );
        fleet.server = Some(Server::at(fleet.port));
        fleet.agrees_on(15 + u32::try_from(alone).expect("few")).await;
        assert_eq!(fleet.grants(40).await.len(), 45 - alone);
    });
}

#[test]
fn a_rest_that_one_was_told_binds_all_and_one_ends_it() {
    check(async {
        let fleet = Fleet::start(3, Limits::default()).await;
        let grant = fleet.ask(0).await.expect("granted");
        let verdict = CooldownVerdict::AtOnce(Duration::from_secs(9));
        fleet.settle(0, grant, Outcome::Failure { kind: FailureKind::RateLimited, verdict });
        fleet.replicas[0].settled().await;
        for at in [1, 2, 0] {
            let refusal = fleet.ask(at).await.expect_err("it rests");
            assert_eq!(
                (refusal.cause, refusal.retry_at),
                (RefusalCause::AllCooling, Some(fleet.now() + Duration::from_secs(9)))
            );
        }
        fleet.wait(9000);
        let answers = join_all((0..30).map(|i| fleet.ask(i % 3))).await;
        let probes: Vec<_> =
            answers.into_iter().enumerate().filter_map(|(i, answer)| Some((i % 3, answer.ok()?))).collect();
        let [(at, probe)] = &probes[..] else { panic!("one probe: {probes:?}") };
        assert!(probe.is_probe);
        fleet.settle(*at, probe.clone(), Outcome::Success { sample: None });
        fleet.replicas[*at].settled().await;
        assert_eq!(fleet.grants(1).await.len(), 3);
        for at in 0..3 {
            assert_eq!(fleet.view(at).await.health, Health::Ready);
        }
    });
}

#[test]
fn a_server_that_was_emptied_is_told_who_rests() {
    check(async {
        let mut fleet = Fleet::start(2, Limits::default()).await;
        fleet.replicas[0].drain(&"a".into(), None, fleet.now()).await;
        fleet.view(1).await;
        let _: () = redis::cmd("FLUSHALL").query_async(&mut fleet.redis).await.expect("flushed");
        // Nobody is let through meanwhile, alone or together.
        for _ in 0..200 {
            assert!(fleet.ask(1).await.is_err());
        }
        fleet.agrees_on(0).await;
        assert_eq!(fleet.view(0).await.health, Health::Drained { until: None });
        fleet.replicas[1].restore(&"a".into(), fleet.now()).await;
        assert_eq!(fleet.grants(1).await.len(), 2);
    });
}

#[test]
fn of_what_two_tell_the_later_counts_and_the_longer_goes_on() {
    // Generation, seconds the deployment rests, seconds a probe has its turn; 0 for none.
    let cases = [
        ("the later word counts", (1, 5, 0), (2, 9, 0), (2, 9, 0)),
        ("a longer rest goes on", (1, 9, 0), (2, 5, 0), (2, 9, 0)),
        ("a rest that has ended is over", (1, 5, 0), (6, 0, 0), (6, 0, 0)),
        ("one that was not over goes on", (1, 9, 0), (6, 0, 0), (6, 9, 0)),
        ("of the same generation the longer counts", (2, 9, 0), (2, 5, 0), (2, 9, 0)),
        ("whoever has a turn keeps it", (1, 9, 0), (2, 5, 60), (2, 9, 60)),
        ("the turn of a probe that failed is over", (1, 5, 60), (2, 9, 0), (2, 9, 0)),
    ];
    check(async {
        let mut fleet = Fleet::start(0, Limits::default()).await;
        for (what, one, other, merged) in cases {
            for words in [[one, other], [other, one]] {
                assert_eq!(fleet.tell(words).await, merged, "{what}: {words:?}");
                let _: () = redis::cmd("FLUSHALL").query_async(&mut fleet.redis).await.expect("flushed");
            }
        }
    });
}

#[test]
fn of_two_that_were_told_to_rest_alone_the_longer_word_counts() {
    for seconds in [[60, 5], [5, 60]] {
        check(two_rest_alone(seconds));
    }
}

/// Two replicas are cut off, and one after the other is told to rest for so many `seconds`.
async fn two_rest_alone(seconds: [u64; 2]) {
    let mut fleet = Fleet::start(2, Limits::default()).await;
    let grants = fleet.grants(1).await;
    fleet.server = None;
    // Somebody has to notice.
    fleet.grants(5).await;
    fleet.is(Mode::Local).await;
    let mut longest = fleet.now();
    for ((at, grant), seconds) in grants.into_iter().zip(seconds) {
        let lasts = Duration::from_secs(seconds);
        longest = longest.max(fleet.now() + lasts);
        let verdict = CooldownVerdict::AtOnce(lasts);
        fleet.settle(at, grant, Outcome::Failure { kind: FailureKind::RateLimited, verdict });
        fleet.wait(2000);
    }
    fleet.server = Some(Server::at(fleet.port));
    fleet.is(Mode::Shared).await;
    for at in 0..2 {
        let refusal = fleet.ask(at).await.expect_err("it rests");
        assert_eq!((refusal.cause, refusal.retry_at), (RefusalCause::AllCooling, Some(longest)));
    }
}

#[test]
fn a_server_that_knows_nobody_waits_for_as_many_as_there_were() {
    check(async {
        let fleet = Fleet::start(0, Limits::default()).await;
        let link = fleet.link().await;
        let [a, b] = ["a", "b"].map(|name| ReplicaId(name.to_owned()));
        let again = join(true);
        let epoch = link.join(&a, &again).await.expect("joined").epoch;
        let told = |replicas| Told { epoch: epoch.clone(), replicas };
        let until = fleet.now() + again.recovery;
        let still = link.told(&a, &told(2)).await.expect("told");
        assert_eq!(still, Some(Some(until)), "another one may hold more");
        assert_eq!(link.join(&b, &again).await.expect("joined").epoch, epoch);
        assert_eq!(link.told(&b, &told(2)).await.expect("told"), Some(None));
    });
}

#[test]
fn one_that_comes_back_makes_nobody_live_longer() {
    check(async {
        let fleet = Fleet::start(0, Limits::default()).await;
        let link = fleet.link().await;
        let [dead, a, b] = ["dead", "a", "b"].map(|name| ReplicaId(name.to_owned()));
        let mut epoch = Epoch::default();
        for replica in [&dead, &a, &b] {
            epoch = link.join(replica, &join(false)).await.expect("joined").epoch;
            link.told(replica, &Told { epoch: epoch.clone(), replicas: 0 }).await.expect("told");
        }
        for _ in 0..4 {
            fleet.wait(1000);
            link.beat(&a, &beat(epoch.clone())).await.expect("a pulse");
        }
        // One that was cut off finds somebody who is as silent as it was: others may have been cut off as well.
        let again = link.join(&b, &join(true)).await.expect("joined").epoch;
        assert_ne!(again, epoch);
        fleet.wait(1100);
        assert_eq!(link.beat(&a, &beat(again)).await.expect("a pulse").dead, [dead]);
    });
}

#[test]
fn a_turn_is_one_replicas() {
    check(async {
        let mut fleet = Fleet::start(3, Limits::default()).await;
        let turns = |count: usize| {
            let replicas = fleet.replicas.clone();
            async move { join_all((0..count).map(|i| replicas[i % 3].ticket("turns"))).await }
        };
        let mut taken = turns(60).await;
        taken.sort_unstable();
        assert_eq!(taken, (0..60).collect::<Vec<_>>());
        let alone = turns(30);
        fleet.server = None;
        let alone = alone.await;
        // Each replica goes by its own count.
        assert!(alone.iter().all(|turn| *turn < 10), "{alone:?}");
    });
}

#[test]
fn each_of_the_dead_is_reaped_by_one() {
    check(async {
        let fleet = Fleet::start(0, Limits::default()).await;
        let link = fleet.link().await;
        let all = ["a", "b", "c", "d"].map(|name| ReplicaId(name.to_owned()));
        let mut epoch = Epoch::default();
        for replica in &all {
            epoch = link.join(replica, &join(false)).await.expect("joined").epoch;
        }
        let [a, b, dead @ ..] = &all;
        let reaps = async |replica| link.beat(replica, &beat(epoch.clone())).await.expect("a pulse").dead;
        for _ in 0..6 {
            fleet.wait(900);
            for replica in [a, b] {
                let many = reaps(replica).await;
                assert!(many.len() <= 1, "{many:?}");
            }
        }
        // Both were taken by now, and given up: they are still there.
        fleet.wait(1000);
        let taken = [reaps(a).await, reaps(a).await, reaps(b).await].concat();
        assert_eq!(taken, dead);
        assert!(reaps(b).await.is_empty(), "there is no other");
        link.leave(&dead[0], true).await.expect("struck off");
        fleet.wait(1000);
        assert_eq!(reaps(b).await, dead[1..]);
    });
}

#[test]
fn what_was_reaped_to_nothing_is_not_kept_for_ever_afterwards() {
    check(async {
        let mut fleet = Fleet::start(2, rpm(5)).await;
        let _grant = fleet.ask(0).await.expect("granted");
        let keys: Vec<String> = fleet.redis.keys("wb:2:{repair}:c:*").await.expect("keys");
        let [contributions] = &keys[..] else { panic!("one window: {keys:?}") };
        let replicas: Vec<String> = fleet.redis.hkeys(contributions).await.expect("replicas");
        let [first] = &replicas[..] else { panic!("one of them: {replicas:?}") };
        fleet.link().await.reap(&ReplicaId(first.clone()), &["a".into()]).await.expect("reaped");
        let is_there: bool = fleet.redis.exists(contributions).await.expect("an answer");
        assert!(!is_there);
        let _grant = fleet.ask(1).await.expect("granted");
        let lasts_ms: i64 = fleet.redis.pttl(contributions).await.expect("an answer");
        assert!(lasts_ms > 0, "{lasts_ms}");
    });
}

#[test]
fn a_replica_that_vanished_leaves_its_places() {
    check(async {
        let mut fleet = Fleet::start(2, Limits { max_parallel_requests: Some(10), ..Limits::default() }).await;
        let grants = fleet.grants(6).await;
        assert_eq!(grants.iter().map(|(at, _)| *at).filter(|at| *at == 0).count(), 6);
        assert_eq!(grants.len(), 10, "ten in all");
        let gone = fleet.replicas.remove(0);
        drop(gone);
        goes_on(&fleet, 6000).await;
        assert_eq!(fleet.view(0).await.in_flight, 4);
        assert_eq!(fleet.grants(10).await.len(), 6);
    });
}

#[test]
fn a_replica_that_leaves_says_so() {
    check(async {
        let mut fleet = Fleet::start(2, Limits::default()).await;
        let gone = fleet.replicas.remove(0);
        gone.close().await;
        until("one is left", || fleet.replicas[0].status().replicas == 1).await;
    });
}

/// Time goes on by `ms`, in steps that leave room for heartbeats.
async fn goes_on(fleet: &Fleet, ms: u64) {
    for _ in 0..ms / 500 {
        fleet.wait(500);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[test]
fn the_share_of_a_replica_that_vanished_is_left_alone_where_that_is_wanted() {
    check(async {
        let withhold = |settings: &mut RedisSettings| settings.partition_safety = PartitionSafety::Withhold;
        let mut fleet = Fleet::of(2, rpm(60), withhold).await;
        let gone = fleet.replicas.remove(0);
        drop(gone);
        goes_on(&fleet, 2000).await;
        assert_eq!(fleet.grants(60).await.len(), 30, "half of it may be granted elsewhere");
    });
}

#[test]
fn a_replica_whose_share_is_left_alone_waits_until_it_surely_is() {
    check(async {
        let withhold = |settings: &mut RedisSettings| {
            settings.partition_safety = PartitionSafety::Withhold;
            settings.local_max = Some(Duration::from_secs(300));
        };
        let mut fleet = Fleet::of(2, rpm(60), withhold).await;
        let gone = fleet.replicas.remove(0);
        fleet.server = None;
        assert_eq!(fleet.grants(60).await.len(), 0);
        fleet.is(Mode::Local).await;
        assert_eq!(fleet.replicas[0].exposure(std::slice::from_ref(&fleet.deployment))[0].requests, 0.0);
        fleet.wait(63_000);
        assert_eq!(fleet.grants(60).await.len(), 30);
        fleet.wait(300_000);
        assert_eq!(fleet.grants(60).await.len(), 0, "it has been away too long");
        drop(gone);
    });
}

#[test]
fn without_the_server_nothing_or_everything_goes_where_that_is_wanted() {
    check(async {
        for (on_store_loss, expected) in [(OnStoreLoss::Closed, 0), (OnStoreLoss::Open, 100)] {
            let mut fleet = Fleet::of(1, rpm(10), |settings| settings.on_store_loss = on_store_loss).await;
            fleet.server = None;
            assert_eq!(fleet.grants(100).await.len(), expected, "{on_store_loss:?}");
        }
        let mut unlimited =
            Fleet::of(1, Limits::default(), |settings| settings.on_store_loss = OnStoreLoss::Closed).await;
        unlimited.server = None;
        assert_eq!(unlimited.grants(100).await.len(), 100, "what has no limit is served");
    });
}

#[test]
fn deployments_may_be_spread_over_shards() {
    check(async {
        let server = Server::start();
        let mut settings = settings(&server, "shards");
        settings.shards = 3;
        let clock = Arc::new(AtomicU64::new(1_700_000_000_300));
        let now = Timestamp::from_millis(clock.load(Ordering::Relaxed));
        let deployments: Vec<_> = (0..8)
            .map(|number| {
                let endpoint = Endpoint::new("openai", "http://localhost/v1");
                let deployment = Deployment::new(format!("d{number}").as_str(), "g", ModelTemplate::new("m"), endpoint);
                Arc::new(Deployment { limits: rpm(2), ..deployment })
            })
            .collect();
        let mut table = RoutingTable::default();
        table.add_group(ModelGroup::new("g", deployments.clone()));
        let stores = [replica(settings.clone(), &clock), replica(settings, &clock)];
        for store in &stores {
            store.adopt(&table, now);
            joined(store).await;
        }
        let candidates: Vec<_> = deployments
            .iter()
            .map(|deployment| Candidate { deployment: Arc::clone(deployment), cooldown: Regard::Heed })
            .collect();
        let mut granted = vec![0; deployments.len()];
        for turn in 0..20 {
            let ask = Reserve { candidates: &candidates, tokens: Tokens::default() };
            match stores[turn % 2].reserve(ask, now).await {
                Admission::Granted(grant) => {
                    assert_eq!(grant.deployment, deployments[grant.candidate].id, "places are the caller's");
                    granted[grant.candidate] += 1;
                }
                Admission::Refused(refusal) => assert_eq!(refusal.cause, RefusalCause::AtLimit),
            }
        }
        assert_eq!(granted, [2; 8]);
        let mut redis = connection(server.port).await;
        let windows: Vec<String> = redis.keys("wb:2:{shards/*}:w:*").await.expect("keys");
        let tags: std::collections::BTreeSet<_> = windows.iter().filter_map(|key| key.split('}').next()).collect();
        assert_eq!((windows.len(), tags.len()), (8, 3), "{windows:?}");
    });
}

#[test]
fn a_server_that_speaks_only_resp2_will_do() {
    check(async {
        let server = Server::of_old();
        let clock = Arc::new(AtomicU64::new(1_700_000_000_300));
        let store = replica(settings(&server, "old"), &clock);
        joined(&store).await;
    });
}

//! The server of the simulation and the scripts on a real server say the same, word for word, to the same calls.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::failure::{ErrorClass, FailureKind};
use weighbridge_domain::limits::{Feedback, Left, Limits, Smoothing, Tokens};
use weighbridge_domain::name::{DeploymentId, QuotaName};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::store::{RedisSettings, ServerAddress};
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{Latency, WindowUsage};
use weighbridge_loadtest::redis::Server;
use weighbridge_loadtest::simulation::model::Model;
use weighbridge_state::fleet::link::{Connector, Link, News};
use weighbridge_state::fleet::protocol::{
    Ask, AskAnswer, Beat, Changed, Ended, EndedHow, Epoch, Granted, Join, Member, Observed, Operation, Replay,
    ReplicaId, Report, Stake, Told, Turn, TurnResult,
};
use weighbridge_state::redis::RedisConnector;
use weighbridge_state::{Counted, Regard};

/// Traces, and calls in each.
const TRACES: u64 = 40;
const CALLS: usize = 150;
/// When each begins, in ms.
const BEGINNING: u64 = 1_700_000_000_000;

/// What a replica believes.
#[derive(Debug, Clone)]
struct Player {
    id: ReplicaId,
    epoch: Epoch,
    /// By window: what it was told last.
    stakes: HashMap<QuotaName, Stake>,
    /// Where deployments stood when it last heard.
    heard: HashMap<DeploymentId, Report>,
}

/// Both servers, and who talks to them.
struct Game {
    link: Arc<dyn Link>,
    model: Model,
    now: Arc<AtomicU64>,
    dice: fastrand::Rng,
    deployments: Vec<Arc<Deployment>>,
    players: Vec<Player>,
    /// How often turns came to what, and asks were granted.
    results: BTreeMap<&'static str, u32>,
}

fn deployments() -> Vec<Arc<Deployment>> {
    let with = |id: &str, quota: &str, limits| {
        let deployment = Deployment::new(id, "g", ModelTemplate::new("m"), Endpoint::new("p", "http://localhost"));
        Arc::new(Deployment { limits, quota: quota.into(), ..deployment })
    };
    let burst = Duration::from_millis(2500);
    let smoothing = Some(Smoothing { burst, patience: Duration::ZERO });
    let few = Limits { rpm: Some(7), max_parallel_requests: Some(3), ..Limits::default() };
    vec![
        with("few", "few", few),
        with("tokens", "tokens", Limits { tpm: Some(900), itpm: Some(600), ..Limits::default() }),
        with("smooth", "smooth", Limits { rpm: Some(40), tpm: Some(4000), smoothing, ..Limits::default() }),
        with("one", "shared", Limits { rpm: Some(9), otpm: Some(500), ..Limits::default() }),
        with("other", "shared", Limits { rpm: Some(15), ..Limits::default() }),
        with("free", "free", Limits::default()),
    ]
}

impl Game {
    async fn start(port: u16, seed: u64) -> Self {
        let now = Arc::new(AtomicU64::new(BEGINNING));
        let mut settings = RedisSettings::single(ServerAddress { host: "127.0.0.1".to_owned(), port });
        settings.namespace = format!("trace-{seed}");
        // A machine that does other things as well must not look like a server that is gone.
        settings.call_timeout = Duration::from_secs(10);
        let connector = RedisConnector::with_told_clock(settings, 0, Arc::clone(&now));
        let link = connector.connect().await.expect("a connection").link;
        let player = |name: &str| Player {
            id: ReplicaId(name.to_owned()),
            epoch: Epoch("none".to_owned()),
            stakes: HashMap::new(),
            heard: HashMap::new(),
        };
        let players = ["aaaa", "bbbb", "cccc"].map(player).to_vec();
        let (model, dice) = (Model::new(""), fastrand::Rng::with_seed(seed));
        Self { link, model, now, dice, deployments: deployments(), players, results: BTreeMap::new() }
    }

    async fn play(&mut self) {
        let who = self.dice.usize(..self.players.len());
        match self.dice.u32(..100) {
            0..13 => self.pass(),
            13..20 => self.join(who).await,
            20..27 => self.replay(who).await,
            27..32 => self.told(who).await,
            32..40 => self.beat(who).await,
            40..42 => self.reap(who).await,
            42..44 => self.leave(who).await,
            44..48 => self.snapshot().await,
            48..51 => self.operate().await,
            _ => self.turn(who).await,
        }
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Time passes; seldom it goes back.
    fn pass(&mut self) {
        let now = self.now();
        let next = match self.dice.u32(..20) {
            0 => now - self.dice.u64(..3000),
            1 => now + self.dice.u64(..70_000),
            _ => now + self.dice.u64(..6000),
        };
        self.now.store(next, Ordering::Relaxed);
    }

    async fn join(&mut self, who: usize) {
        let join = Join {
            candidate: format!("epoch-{:08x}", self.dice.u32(..)),
            saw_loss: self.dice.u32(..12) == 0,
            was_away: self.dice.u32(..10) == 0,
            recovery: Duration::from_millis(600),
        };
        let real = self.link.join(&self.players[who].id, &join).await.expect("joined");
        if self.model.run_id.is_empty() {
            self.model.run_id = real.epoch.0.rsplit('.').next().expect("a run id").to_owned();
        }
        let model = self.model.join(&self.players[who].id, &join, self.now());
        assert_eq!(real, model);
        self.players[who].epoch = real.epoch;
    }

    async fn everybody_tells(&mut self) {
        for who in 0..self.players.len() {
            self.replay(who).await;
            self.told(who).await;
        }
    }

    async fn told(&mut self, who: usize) {
        let Player { id, epoch, .. } = &self.players[who];
        let told = Told { epoch: epoch.clone(), replicas: self.dice.u32(..5) };
        let real = self.link.told(id, &told).await.expect("told");
        assert_eq!(real, self.model.told(id, &told, self.now.load(Ordering::Relaxed)));
    }

    async fn beat(&mut self, who: usize) {
        let Player { id, epoch, .. } = &self.players[who];
        let names_known = [None, Some(1), Some(2), Some(3)][self.dice.usize(..4)];
        let (dead_after, vanished_for) = (Duration::from_secs(5), Duration::from_secs(61));
        let beat = Beat { epoch: epoch.clone(), dead_after, vanished_for, names_known };
        let real = self.link.beat(id, &beat).await.expect("a pulse");
        assert_eq!(real, self.model.beat(id, &beat, self.now.load(Ordering::Relaxed)));
    }

    async fn reap(&mut self, who: usize) {
        let windows: Vec<QuotaName> = self.deployments.iter().take(5).map(|one| one.quota.clone()).collect();
        let dead = &self.players[who].id;
        let windows = &windows[self.dice.usize(..4)..];
        let real = self.link.reap(dead, windows).await.expect("reaped");
        assert_eq!(real, self.model.reap(dead, windows, self.now.load(Ordering::Relaxed)));
    }

    async fn leave(&mut self, who: usize) {
        let (id, vanished) = (&self.players[who].id, self.dice.bool());
        self.link.leave(id, vanished).await.expect("left");
        self.model.leave(id, vanished, self.now.load(Ordering::Relaxed));
    }

    async fn snapshot(&mut self) {
        let windows: Vec<QuotaName> = self.deployments.iter().map(|one| one.quota.clone()).collect();
        let members: Vec<DeploymentId> = self.deployments.iter().map(|one| one.id.clone()).collect();
        let real = self.link.snapshot(&windows, &members).await.expect("a snapshot");
        assert_eq!(real, self.model.snapshot(&windows, &members, self.now()));
        let who = self.dice.usize(..self.players.len());
        for (id, report) in members.into_iter().zip(real.members) {
            self.players[who].heard.insert(id, report);
        }
    }

    async fn operate(&mut self) {
        let id = self.deployments[self.dice.usize(..self.deployments.len())].id.clone();
        let operation = match self.dice.u32(..3) {
            0 => Operation::Restore,
            1 => Operation::Drain(None),
            _ => Operation::Drain(Some(Duration::from_millis(self.dice.u64(1..9000)))),
        };
        let real = self.link.operate(&id, operation).await.expect("carried out");
        assert_eq!(real, self.model.operate(&id, operation, self.now()));
    }

    async fn replay(&mut self, who: usize) {
        let mut replay = Replay { epoch: self.players[who].epoch.clone(), ..Replay::default() };
        let mut quotas: Vec<QuotaName> = self.players[who].stakes.keys().cloned().collect();
        quotas.sort();
        for quota in quotas {
            let stake = self.stake(who, &quota);
            replay.windows.push((quota, stake));
        }
        let mut heard: Vec<_> = self.players[who].heard.clone().into_iter().collect();
        heard.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (id, mut report) in heard {
            // What it knows may be newer than what the server does, or the server's own.
            report.generation = (report.generation + self.dice.u64(..3)).saturating_sub(1);
            replay.members.push((id, report));
        }
        let real = self.link.replay(&self.players[who].id, &replay).await.expect("replayed");
        let model = self.model.replay(&self.players[who].id, &replay, self.now());
        assert_eq!(real, model);
        let Some(snapshot) = real else { return };
        for ((quota, stake), report) in replay.windows.into_iter().zip(snapshot.windows) {
            let told = Stake { granted: report.granted, acknowledged: report.granted.requests, ..stake };
            self.players[who].stakes.insert(quota, told);
        }
    }

    async fn turn(&mut self, who: usize) {
        let turn = self.make_turn(who);
        let real = self.link.turn(&self.players[who].id, &turn).await.expect("a turn");
        let model = self.model.turn(&self.players[who].id, &turn, self.now());
        assert_eq!(real, model, "{turn:?}");
        self.count(&real.result);
        // It does what a replica does about it, mostly.
        let minds = self.dice.u32(..4) > 0;
        match real.result {
            TurnResult::OtherEpoch if minds => self.join(who).await,
            TurnResult::Recovering if minds => self.everybody_tells().await,
            TurnResult::Loss if minds => self.replay(who).await,
            _ => {}
        }
        // A reply may be lost.
        if let (TurnResult::Done(done), false) = (real.result, self.dice.u32(..6) == 0) {
            for ((quota, stake), report) in turn.windows.iter().zip(&done.windows) {
                let Some(report) = report else { continue };
                let more = report.granted.beyond(stake.granted).requests;
                let more = u32::try_from(more).expect("few");
                let told = Stake {
                    granted: report.granted,
                    acknowledged: report.granted.requests,
                    recent: stake.recent,
                    in_flight: stake.in_flight + more,
                };
                self.players[who].stakes.insert(quota.clone(), told);
            }
            for (member, report) in turn.members.iter().zip(done.members) {
                if let Some(report) = report {
                    self.players[who].heard.insert(member.id.clone(), report);
                }
            }
        }
    }

    fn count(&mut self, result: &TurnResult) {
        let mut count = |what, more| *self.results.entry(what).or_default() += more;
        match result {
            TurnResult::Done(done) => {
                count("done", 1);
                for answer in &done.answers {
                    match answer {
                        AskAnswer::Granted { is_probe: true, .. } => count("probed", 1),
                        AskAnswer::Granted { .. } => count("granted", 1),
                        AskAnswer::Refused { .. } => count("refused", 1),
                    }
                }
                for change in &done.changes {
                    match change {
                        Changed::Nothing => {}
                        Changed::Back => count("back", 1),
                        Changed::Rests(_) => count("rests", 1),
                    }
                }
            }
            TurnResult::Late => count("late", 1),
            TurnResult::OtherEpoch => count("other epoch", 1),
            TurnResult::Recovering => count("recovering", 1),
            TurnResult::Loss => count("loss", 1),
        }
    }

    /// What a replica says of itself: what it was told, less what has ended; at times more, less, or something stale.
    fn stake(&mut self, who: usize, quota: &QuotaName) -> Stake {
        let mut stake = self.players[who].stakes.get(quota).copied().unwrap_or_default();
        stake.in_flight = stake.in_flight.saturating_sub(self.dice.u32(..2));
        let acknowledged = stake.acknowledged;
        let (requests, tokens) = (self.dice.u64(..3), self.dice.u64(..200));
        match self.dice.u32(..25) {
            // It has granted alone.
            0 => {
                let alone = Granted { requests, input: tokens, output: tokens / 2 };
                stake.granted = stake.granted.and(alone);
                stake.in_flight += u32::try_from(requests).expect("few");
            }
            // It believes that more was acknowledged.
            1 => stake.acknowledged += requests,
            // It has forgotten.
            2 => stake.granted = stake.granted.beyond(Granted { requests, input: tokens, output: tokens }),
            _ => {}
        }
        let recent = stake.granted.requests.min(self.dice.u64(..9));
        stake.recent = WindowUsage {
            requests: u32::try_from(recent).expect("few"),
            input: stake.granted.input.min(self.dice.u64(..900)),
            output: stake.granted.output.min(self.dice.u64(..900)),
        };
        let believed = Stake { acknowledged, ..stake };
        self.players[who].stakes.insert(quota.clone(), believed);
        stake
    }

    fn make_turn(&mut self, who: usize) -> Turn {
        let mut turn = Turn { epoch: self.players[who].epoch.clone(), ..Turn::default() };
        if self.dice.u32(..4) == 0 {
            let deadline = self.now() + self.dice.u64(..100);
            turn.deadline = Some(Timestamp::from_millis(deadline - 5));
        }
        for _ in 0..self.dice.usize(..3) {
            let ended = self.ended(who, &mut turn);
            turn.settlements.push(ended);
        }
        if self.dice.u32(..6) == 0 {
            let observed = self.observed(who, &mut turn);
            turn.observations.push(observed);
        }
        if self.dice.u32(..5) == 0 {
            for counter in ["x", "y", "z"].into_iter().take(self.dice.usize(1..4)) {
                turn.tickets.push((counter.into(), self.dice.u32(1..4)));
            }
        }
        for _ in 0..self.dice.usize(..5) {
            let candidates = (0..self.dice.usize(1..4)).map(|_| {
                let regard = if self.dice.u32(..5) == 0 { Regard::Ignore } else { Regard::Heed };
                (self.dice.usize(..6), regard)
            });
            let candidates: Vec<_> = candidates.collect();
            let candidates = candidates.into_iter().map(|(at, regard)| (self.counted(who, at, &mut turn), regard));
            let candidates = candidates.collect();
            let tokens = Tokens { input: self.dice.u32(..300), output: self.dice.u32(..200) };
            turn.asks.push(Ask { tokens, candidates });
        }
        turn
    }

    /// The place of a deployment in a turn.
    fn counted(&mut self, who: usize, at: usize, turn: &mut Turn) -> u16 {
        let deployment = Arc::clone(&self.deployments[at]);
        let member = place(
            &mut turn.members,
            |member| member.id == deployment.id,
            || Member { id: deployment.id.clone(), counted: None },
        );
        if turn.members[usize::from(member)].counted.is_none() {
            let stake = self.stake(who, &deployment.quota);
            let quota = &deployment.quota;
            let window = place(&mut turn.windows, |(known, _)| known == quota, || (quota.clone(), stake));
            turn.members[usize::from(member)].counted = Some((deployment, window));
        }
        member
    }

    fn ended(&mut self, who: usize, turn: &mut Turn) -> Ended {
        let at = self.dice.usize(..6);
        let member = self.counted(who, at, turn);
        let peers = (0..self.dice.usize(..3)).map(|_| self.dice.usize(..6)).collect::<Vec<_>>();
        let peers = peers.into_iter().filter(|peer| *peer != at).map(|peer| {
            let id = self.deployments[peer].id.clone();
            place(&mut turn.members, |member| member.id == id, || Member { id: id.clone(), counted: None })
        });
        let peers = peers.collect();
        let tokens = |dice: &mut fastrand::Rng| Tokens { input: dice.u32(..150), output: dice.u32(..150) };
        Ended {
            member,
            second: self.now() / 1000 - self.dice.u64(..70) + 2,
            more: if self.dice.u32(..4) == 0 { tokens(&mut self.dice) } else { Tokens::default() },
            less: if self.dice.bool() { tokens(&mut self.dice) } else { Tokens::default() },
            probe: self.probe(who, at),
            result: self.result(),
            peers,
        }
    }

    /// Until when what has ended had its turn as a probe: that of the probe under way, another one, or none.
    fn probe(&mut self, who: usize, at: usize) -> Option<Timestamp> {
        let heard = self.players[who].heard.get(&self.deployments[at].id);
        let under_way = heard.and_then(|report| report.standing.rest?.probe_until);
        match self.dice.u32(..6) {
            0 => Some(Timestamp::from_millis(self.now() + 30_000)),
            1 | 2 => under_way,
            _ => None,
        }
    }

    fn result(&mut self) -> EndedHow {
        let kinds = [FailureKind::RateLimited, FailureKind::Timeout, FailureKind::ServerError, FailureKind::NotFound];
        let kind = kinds[self.dice.usize(..kinds.len())];
        let lasts = Duration::from_millis(self.dice.u64(1..20_000));
        let class = [None, Some(ErrorClass::Timeout)][self.dice.usize(..2)];
        let verdict = match self.dice.u32(..5) {
            0 => CooldownVerdict::Never,
            1 => CooldownVerdict::AtOnce(lasts),
            2 => CooldownVerdict::ByShare(lasts),
            3 => CooldownVerdict::Breaker {
                failures: [None, Some(self.dice.u32(..6))][self.dice.usize(..2)],
                percent: [None, Some(self.dice.u8(..=100))][self.dice.usize(..2)],
                least: self.dice.u32(..8),
                lasts,
            },
            _ => CooldownVerdict::Allowed { allowed: self.dice.u32(..3), class, lasts },
        };
        let sample = Latency {
            first_token_ms: f64::from(self.dice.u32(..4000)),
            per_token_ms: self.dice.f64() * 30.0,
            tokens: f64::from(self.dice.u32(1..400)),
        };
        match self.dice.u32(..8) {
            0 => EndedHow::Neutral,
            1 => EndedHow::Answered(None),
            2..5 => EndedHow::Answered(Some(sample)),
            _ => EndedHow::Failed { kind, verdict },
        }
    }

    fn observed(&mut self, who: usize, turn: &mut Turn) -> Observed {
        let at = self.dice.usize(..6);
        let mut left = |most: u64| {
            let (amount, resets_in) = (self.dice.u64(..most), Duration::from_millis(self.dice.u64(..70_000)));
            (self.dice.u32(..4) > 0).then_some(Left { amount, resets_in })
        };
        let feedback = Feedback { requests: left(12), tokens: left(1200) };
        let now = self.now();
        let usage = WindowUsage { requests: self.dice.u32(..8), input: self.dice.u64(..500), output: 0 };
        let counted = Counted { at: Timestamp::from_millis(now - self.dice.u64(..70_000)), usage };
        Observed { member: self.counted(who, at, turn), feedback, counted }
    }
}

/// The place of what `is_it` finds among `all`, where it is put if it is not there.
fn place<T>(all: &mut Vec<T>, is_it: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> u16 {
    let at = all.iter().position(is_it).unwrap_or_else(|| {
        all.push(make());
        all.len() - 1
    });
    u16::try_from(at).expect("few")
}

#[tokio::test]
async fn the_model_and_the_scripts_say_the_same() {
    let server = Server::plain().await;
    let mut results = BTreeMap::<_, u32>::new();
    for seed in 0..TRACES {
        let mut game = Game::start(server.port(), seed).await;
        let mut news = game.link.listen().await.expect("news");
        let mut told: Vec<News> = Vec::new();
        game.join(0).await;
        for call in 0..CALLS {
            let before = format!("seed {seed}, call {call}");
            // A failure must say where it was.
            let played = std::panic::AssertUnwindSafe(game.play());
            if futures_util::FutureExt::catch_unwind(played).await.is_err() {
                panic!("{before}");
            }
            told.extend(game.model.take_news());
        }
        for expected in told {
            let heard = tokio::time::timeout(Duration::from_secs(10), news.recv()).await;
            assert_eq!(heard.expect("news in time"), Some(expected), "seed {seed}");
        }
        for (what, count) in game.results {
            *results.entry(what).or_default() += count;
        }
    }
    // Traces in which nothing happens show nothing.
    let all = ["back", "done", "granted", "late", "loss", "other epoch", "probed", "recovering", "refused", "rests"];
    assert_eq!(results.keys().copied().collect::<Vec<_>>(), all);
    assert!(results.values().all(|count| *count >= 10), "{results:?}");
}

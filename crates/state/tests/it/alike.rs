//! The embedded store and the shared one decide alike: the same random trace, step by step, under a clock that
//! is told. What the scripts do on the server is held against what the Rust code does.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::event::Silent;
use weighbridge_domain::failure::{ErrorClass, FailureKind};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::{ChargeBasis, Feedback, Left, Limits, Smoothing, Tokens};
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_state::memory::MemoryStore;
use weighbridge_state::{
    Admission, Candidate, Grant, LatencySample, Outcome, Regard, Reserve, Settlement, SharedState,
};

use crate::support::{Server, Shared};

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// So many ms pass.
    Wait(u64),
    /// Somebody asks for one of these deployments, the first preferred.
    Ask { candidates: Vec<(usize, bool)>, tokens: (u32, u32) },
    /// The n-th request in flight ends.
    End { which: usize, used: Option<(u32, u32)>, how: How },
    /// The provider of the n-th request in flight says how much is left.
    Observe { which: usize, requests: u64, tokens: u64, resets_in: u64 },
    /// An operator takes one out, for so long or without an end.
    Drain { deployment: usize, lasts: Option<u64> },
    /// An operator wants one back.
    Restore(usize),
}

#[derive(Debug, Clone, Copy)]
enum How {
    Neutral,
    Answered { ms: u64, tokens: u32, is_stream: bool },
    Failed(FailureKind, CooldownVerdict),
}

const COUNT: usize = 4;

/// Two of their own, and two that share a quota.
fn deployments() -> Vec<Arc<Deployment>> {
    let with = |id: &str, quota: &str, limits| {
        let endpoint = Endpoint::new("openai", "http://localhost/v1");
        let deployment = Deployment::new(id, "g", ModelTemplate::new("m"), endpoint);
        Arc::new(Deployment { limits, quota: quota.into(), ..deployment })
    };
    let burst = Duration::from_secs(2);
    let smoothing = Some(Smoothing { burst, patience: Duration::ZERO });
    vec![
        with("a", "a", Limits { rpm: Some(8), tpm: Some(900), max_parallel_requests: Some(3), ..Limits::default() }),
        with("b", "b", Limits { rpm: Some(60), tpm: Some(6000), smoothing, ..Limits::default() }),
        with(
            "c",
            "shared",
            Limits { itpm: Some(500), otpm: Some(400), basis: ChargeBasis::ReserveMax, ..Limits::default() },
        ),
        with("d", "shared", Limits { rpm: Some(20), ..Limits::default() }),
    ]
}

fn verdicts() -> impl Strategy<Value = CooldownVerdict> {
    let lasts = Duration::from_secs(8);
    prop_oneof![
        Just(CooldownVerdict::Never),
        Just(CooldownVerdict::AtOnce(lasts)),
        Just(CooldownVerdict::ByShare(lasts)),
        Just(CooldownVerdict::Allowed { allowed: 2, class: Some(ErrorClass::Timeout), lasts }),
        Just(CooldownVerdict::Allowed { allowed: 1, class: None, lasts: lasts * 3 }),
        (proptest::option::of(0_u32..6), proptest::option::of(0_u8..=100), 0_u32..8)
            .prop_map(move |(failures, percent, least)| CooldownVerdict::Breaker { failures, percent, least, lasts }),
    ]
}

fn how() -> impl Strategy<Value = How> {
    let kinds = prop_oneof![Just(FailureKind::Timeout), Just(FailureKind::RateLimited), Just(FailureKind::ServerError)];
    prop_oneof![
        Just(How::Neutral),
        (1_u64..5000, 1_u32..50, any::<bool>()).prop_map(|(ms, tokens, is_stream)| How::Answered {
            ms,
            tokens,
            is_stream
        }),
        (kinds, verdicts()).prop_map(|(kind, verdict)| How::Failed(kind, verdict)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tokens = (0_u32..250, 0_u32..250);
    let candidates = proptest::collection::vec((0..COUNT, prop::bool::weighted(0.8)), 1..4);
    let step = prop_oneof![
        4 => (1_u64..6000).prop_map(Step::Wait),
        9 => (candidates, tokens.clone()).prop_map(|(candidates, tokens)| Step::Ask { candidates, tokens }),
        6 => (0_usize..8, proptest::option::of(tokens), how()).prop_map(|(which, used, how)| Step::End { which, used, how }),
        2 => (0_usize..8, 0_u64..10, 0_u64..900, 0_u64..90)
            .prop_map(|(which, requests, tokens, resets_in)| Step::Observe { which, requests, tokens, resets_in }),
        1 => (0..COUNT, proptest::option::of(1_u64..9000)).prop_map(|(deployment, lasts)| Step::Drain { deployment, lasts }),
        1 => (0..COUNT).prop_map(Step::Restore),
    ];
    proptest::collection::vec(step, 20..120)
}

/// Both stores side by side.
struct Pair {
    memory: MemoryStore,
    shared: Shared,
    deployments: Vec<Arc<Deployment>>,
    now: Timestamp,
    in_flight: Vec<(Grant, Grant)>,
}

impl Pair {
    fn new(server: &Server, namespace: &str) -> Self {
        let now = Timestamp::from_millis(1_700_000_000_400);
        let memory = MemoryStore::new(Arc::new(Silent));
        let shared = Shared::before(server, namespace, now);
        let deployments = deployments();
        let mut table = RoutingTable::default();
        table.add_group(ModelGroup::new("g", deployments.clone()));
        memory.adopt(&table, now);
        shared.store.adopt(&table, now);
        Self { memory, shared, deployments, now, in_flight: Vec::new() }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Wait(ms) => self.now = self.now + Duration::from_millis(*ms),
            Step::Ask { candidates, tokens } => self.ask(candidates, *tokens),
            Step::End { which, used, how } if !self.in_flight.is_empty() => {
                let pair = self.in_flight.remove(which % self.in_flight.len());
                self.end(pair, *used, *how);
            }
            Step::End { .. } => {}
            Step::Observe { which, requests, tokens, resets_in } if !self.in_flight.is_empty() => {
                let (memory, shared) = &self.in_flight[which % self.in_flight.len()];
                let left = |amount| Some(Left { amount, resets_in: Duration::from_secs(*resets_in) });
                let feedback = Feedback { requests: left(*requests), tokens: left(*tokens) };
                let deployment = self.deployments.iter().find(|deployment| deployment.id == memory.deployment);
                let deployment = deployment.expect("one");
                self.memory.observe(deployment, feedback, memory.counted(), self.now);
                self.shared.store.observe(deployment, feedback, shared.counted(), self.now);
            }
            Step::Observe { .. } => {}
            Step::Drain { deployment, lasts } => {
                let (id, lasts) = (&self.deployments[*deployment].id, lasts.map(Duration::from_millis));
                self.both(|store| store.drain(id, lasts, self.now));
            }
            Step::Restore(deployment) => {
                let id = &self.deployments[*deployment].id;
                self.both(|store| store.restore(id, self.now));
            }
        }
        // A new time is learned with the next word.
        let _views = self.shared.store.view(&self.deployments, self.now);
        self.shared.runtime.block_on(self.shared.store.settled());
        self.compare();
    }

    fn both<'a, T>(&'a self, ask: impl Fn(&'a dyn SharedState) -> weighbridge_state::Answer<'a, T>) -> (T, T) {
        let memory = self.shared.runtime.block_on(ask(&self.memory));
        let shared = self.shared.runtime.block_on(ask(&*self.shared.store));
        (memory, shared)
    }

    fn ask(&mut self, candidates: &[(usize, bool)], (input, output): (u32, u32)) {
        let candidates: Vec<Candidate> = candidates
            .iter()
            .map(|(at, heeds)| Candidate {
                deployment: Arc::clone(&self.deployments[*at]),
                cooldown: if *heeds { Regard::Heed } else { Regard::Ignore },
            })
            .collect();
        let tokens = Tokens { input, output };
        let now = self.now;
        let (memory, shared) = self.both(|store| {
            let candidates = candidates.clone();
            Box::pin(async move { store.reserve(Reserve { candidates: &candidates, tokens }, now).await })
        });
        match (memory, shared) {
            (Admission::Granted(memory), Admission::Granted(shared)) => {
                assert_eq!((memory.candidate, memory.is_probe), (shared.candidate, shared.is_probe));
                assert_eq!(memory.counted(), shared.counted());
                self.in_flight.push((memory, shared));
            }
            (Admission::Refused(memory), Admission::Refused(shared)) => assert_eq!(memory.cause, shared.cause),
            (memory, shared) => panic!("{memory:?}\n{shared:?}"),
        }
    }

    fn end(&self, (memory, shared): (Grant, Grant), used: Option<(u32, u32)>, how: How) {
        let deployment = self.deployments.iter().find(|deployment| deployment.id == memory.deployment).expect("one");
        let used = used.map(|(input, output)| Tokens { input, output });
        let outcome = match how {
            How::Neutral => Outcome::Neutral,
            How::Answered { ms, tokens, is_stream } => Outcome::Success {
                sample: Some(LatencySample {
                    first_token: Duration::from_millis(ms),
                    rest: Duration::from_millis(ms / 2),
                    tokens,
                    is_stream,
                }),
            },
            How::Failed(kind, verdict) => Outcome::Failure { kind, verdict },
        };
        let peers: Arc<[DeploymentId]> = self.deployments.iter().map(|deployment| deployment.id.clone()).collect();
        let settle = |grant, store: &dyn SharedState| {
            let deployment = Arc::clone(deployment);
            store.settle(Settlement { grant, deployment, used, outcome, peers: Arc::clone(&peers) }, self.now);
        };
        settle(memory, &self.memory);
        settle(shared, &*self.shared.store);
    }

    fn compare(&self) {
        let memory = self.memory.view(&self.deployments, self.now);
        let shared = self.shared.store.view(&self.deployments, self.now);
        for ((memory, shared), deployment) in memory.iter().zip(&shared).zip(&self.deployments) {
            let id = &deployment.id;
            assert_eq!(memory.usage, shared.usage, "{id}");
            assert_eq!(memory.in_flight, shared.in_flight, "{id}");
            assert_eq!(memory.health, shared.health, "{id}");
            assert_eq!(memory.oldest_waiting, shared.oldest_waiting, "{id}");
            match (memory.latency, shared.latency) {
                (None, None) => {}
                (Some(memory), Some(shared)) => {
                    let differ = (memory.first_token_ms - shared.first_token_ms).abs()
                        + (memory.per_token_ms - shared.per_token_ms).abs()
                        + (memory.tokens - shared.tokens).abs();
                    assert!(differ < 1e-6, "{id}: {memory:?} {shared:?}");
                }
                (memory, shared) => panic!("{id}: {memory:?} {shared:?}"),
            }
        }
    }
}

#[test]
fn every_step_of_a_random_trace() {
    let server = Server::start();
    let number = Cell::new(0);
    let config =
        ProptestConfig { cases: 60, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in steps())| {
        number.set(number.get() + 1);
        let mut pair = Pair::new(&server, &format!("trace-{}", number.get()));
        for step in &steps {
            pair.play(step);
        }
    });
}

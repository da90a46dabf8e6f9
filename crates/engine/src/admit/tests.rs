//! Admission against a brute-force reading of the rules.

use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use proptest::prelude::*;
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::event::Silent;
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::group::{ModelGroup, Strategy as Pick};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::plan::Plan;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::request::{Controls, Estimate, Operation, Payload, Request};
use weighbridge_domain::settings::WhenAllCooling;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::view::{DeploymentView, Health};
use weighbridge_providers::transport::{Reach, Sending, Transport};
use weighbridge_routing::condition::Facts;
use weighbridge_routing::itinerary::resolve;
use weighbridge_state::memory::MemoryStore;
use weighbridge_state::{Outcome, Settlement, SharedState};

use super::{Admitted, Ask, Resting};
use crate::world::{Parts, World};

/// Reaches nobody: nothing is sent here.
#[derive(Debug)]
struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: http::Request<Bytes>, _: Reach) -> Sending<'_> {
        Box::pin(pending())
    }
}

/// What happens between two admissions.
#[derive(Debug, Clone, Copy)]
enum Step {
    Pass(u64),
    /// The oldest request under way is answered.
    Answer,
    /// It fails, and its deployment rests at once.
    Fail,
    Ask,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u64..20_000).prop_map(Step::Pass),
        Just(Step::Answer),
        Just(Step::Answer),
        Just(Step::Fail),
        Just(Step::Ask),
        Just(Step::Ask),
        Just(Step::Ask),
        Just(Step::Ask),
    ];
    proptest::collection::vec(step, 1..120)
}

fn strategies() -> impl Strategy<Value = Pick> {
    let latency = Pick::Latency { buffer: 0.1 };
    let all = vec![Pick::LeastUsage, Pick::SimpleShuffle, Pick::LeastBusy, latency, Pick::Cost, Pick::RoundRobin];
    proptest::sample::select(all)
}

fn request() -> Request {
    Request {
        id: "r".into(),
        trace_id: "r".into(),
        operation: Operation::Chat,
        model: "g".to_owned(),
        payload: Payload::Json(JsonObject::parse(Bytes::from_static(b"{}")).unwrap()),
        stream: false,
        stream_usage: false,
        format_headers: Vec::new(),
        estimate: Estimate { input: 10, output: Some(5) },
        controls: Controls::default(),
    }
}

/// A group whose deployments take `limits` requests a minute, and at most two at once.
fn table(limits: &[u32], strategy: Pick) -> RoutingTable {
    let deployments = limits.iter().enumerate().map(|(i, rpm)| {
        let endpoint = Endpoint::new("openai", "http://localhost/v1");
        let limits = Limits { rpm: Some(*rpm), max_parallel_requests: Some(2), ..Limits::default() };
        Arc::new(Deployment {
            limits,
            ..Deployment::new(i.to_string().as_str(), "g", ModelTemplate::new("m"), endpoint)
        })
    });
    let mut table = RoutingTable::default();
    table.add_group(ModelGroup { strategy, ..ModelGroup::new("g", deployments.collect()) });
    table.routing.when_all_cooling = WhenAllCooling::Refuse;
    table
}

/// Whether the rules let a deployment be asked, by what is known of it.
fn may_be_asked(deployment: &Deployment, view: &DeploymentView) -> bool {
    let has_room = |used: u32, limit: Option<u32>| limit.is_none_or(|limit| used < limit);
    let is_well = matches!(view.health, Health::Ready | Health::HalfOpen { is_probed: false, .. });
    is_well
        && has_room(view.usage.requests, deployment.limits.rpm)
        && has_room(view.in_flight, deployment.limits.max_parallel_requests)
}

proptest! {
    /// Whatever the strategy, nobody who rests or is full is asked, and somebody is as long as there
    /// is one who may be.
    #[test]
    fn never_one_that_cools_or_is_full(
        limits in proptest::collection::vec(1_u32..8, 1..5),
        strategy in strategies(),
        steps in steps(),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let table = table(&limits, strategy);
            let group = Arc::clone(table.group(&"g".into()).unwrap());
            let store = Arc::new(MemoryStore::new(Arc::new(Silent)));
            let parts = Parts { state: store.clone(), transport: Arc::new(Nowhere), observer: Arc::new(Silent), seed: Some(seed) };
            let world = World::new(parts);
            let request = request();
            let way = resolve(&Plan::group("g".into()), None, &Facts::default(), &|_| None).unwrap();
            let stop = way.stop(0);
            let mut under_way: Vec<Admitted> = Vec::new();
            for step in steps {
                match step {
                    Step::Pass(ms) => tokio::time::advance(Duration::from_millis(ms)).await,
                    Step::Answer | Step::Fail if under_way.is_empty() => {}
                    Step::Answer | Step::Fail => {
                        let Admitted { deployment, grant, peers } = under_way.remove(0);
                        let verdict = CooldownVerdict::AtOnce(Duration::from_secs(20));
                        let outcome = match step {
                            Step::Fail => Outcome::Failure { kind: FailureKind::ServerError, verdict },
                            Step::Pass(_) | Step::Answer | Step::Ask => Outcome::Success { sample: None },
                        };
                        store.settle(Settlement { grant, deployment, used: None, outcome, peers }, world.now());
                    }
                    Step::Ask => {
                        let views = store.view(&group.deployments, world.now());
                        let open: Vec<_> = group.deployments.iter().zip(&views)
                            .filter(|(deployment, view)| may_be_asked(deployment, view))
                            .map(|(deployment, _)| deployment.id.clone())
                            .collect();
                        let ask = Ask { table: &table, request: &request, stop, tried: &[], resting: Resting::TryLeastBad, turn: &OnceLock::new(), counted: &OnceLock::new() };
                        match ask.admit(&world).now_or_never().expect("an embedded store answers at once") {
                            Ok(admitted) => {
                                prop_assert!(open.contains(&admitted.deployment.id), "{} of {open:?}", admitted.deployment.id);
                                under_way.push(admitted);
                            }
                            Err(failure) => prop_assert!(open.is_empty(), "{open:?}: {}", failure.message),
                        }
                    }
                }
            }
            Ok(())
        })?;
    }
}

//! Deployments that are in no table, at several replicas.

use std::sync::Arc;
use std::time::Duration;

use redis::AsyncCommands;
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::view::Health;
use weighbridge_state::{Mode, Outcome, RefusalCause, SharedState};

use crate::fleet::{Fleet, check};
use crate::support::until;

const REST: Duration = Duration::from_secs(30);

/// A fleet that is asked for a deployment which is in no table.
async fn with_guest(replicas: usize) -> Fleet {
    let mut fleet = Fleet::start(replicas, Limits::default()).await;
    let endpoint = Endpoint::new("openai", "http://localhost/v1");
    fleet.deployment = Arc::new(Deployment::new("guest", "g", ModelTemplate::new("m"), endpoint));
    fleet
}

/// One request at replica `at`, whose failure opens the breaker.
async fn opens(fleet: &Fleet, at: usize) {
    let grant = fleet.ask(at).await.expect("granted");
    let verdict = CooldownVerdict::Breaker { failures: Some(1), percent: None, least: 1, lasts: REST };
    fleet.settle(at, grant, Outcome::Failure { kind: FailureKind::ServerError, verdict });
    fleet.replicas[at].settled().await;
}

/// Whether replica `at` shows that the breaker is open, without asking anybody.
fn is_open(fleet: &Fleet, at: usize) -> bool {
    let view = fleet.replicas[at].view(std::slice::from_ref(&fleet.deployment), fleet.now())[0];
    matches!(view.health, Health::Cooling { .. })
}

#[test]
fn news_of_a_guest_are_heard_by_whoever_knows_it() {
    check(async {
        let fleet = with_guest(3).await;
        for at in [0, 1] {
            let grant = fleet.ask(at).await.expect("granted");
            fleet.settle(at, grant, Outcome::Success { sample: None });
        }
        // A table that comes now does not make anybody forget it.
        for store in &fleet.replicas {
            store.adopt(&RoutingTable::default(), fleet.now());
        }
        opens(&fleet, 0).await;
        // Where time is told nobody looks by himself: only news can say so.
        until("the other knows it", || is_open(&fleet, 1)).await;
        assert!(!is_open(&fleet, 2), "who never met it learns when it asks");
    });
}

#[test]
fn a_guest_that_rests_already_is_refused_and_known_from_then_on() {
    check(async {
        let fleet = with_guest(2).await;
        opens(&fleet, 0).await;
        assert!(!is_open(&fleet, 1));
        let refusal = fleet.ask(1).await.expect_err("it rests");
        assert_eq!((refusal.cause, refusal.retry_at), (RefusalCause::AllCooling, Some(fleet.now() + REST)));
        assert!(is_open(&fleet, 1), "the reply said so");
        fleet.wait(30_000);
        let probe = fleet.ask(1).await.expect("a probe");
        assert!(probe.is_probe && fleet.ask(0).await.is_err());
        fleet.settle(1, probe, Outcome::Success { sample: None });
        fleet.replicas[1].settled().await;
        until("it is back everywhere", || !is_open(&fleet, 0)).await;
        drop(fleet.ask(0).await.expect("granted"));
    });
}

#[test]
fn a_server_that_was_emptied_is_told_which_guests_rest() {
    check(async {
        let mut fleet = with_guest(2).await;
        opens(&fleet, 0).await;
        let _: () = redis::cmd("FLUSHALL").query_async(&mut fleet.redis).await.expect("flushed");
        // Whoever knows of it says so, asked or not.
        for _ in 0..3000 {
            let told: Vec<String> = fleet.redis.keys("wb:2:{repair}:s:*").await.expect("keys");
            if !told.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fleet.is(Mode::Shared).await;
        let refusal = fleet.ask(1).await.expect_err("it rests");
        assert_eq!(refusal.retry_at, Some(fleet.now() + REST));
    });
}

#[test]
fn nobody_is_told_of_what_is_fleeting() {
    check(async {
        let mut fleet = with_guest(1).await;
        fleet.deployment = Arc::new(Deployment { is_fleeting: true, ..(*fleet.deployment).clone() });
        for outcome in [Outcome::Neutral, Outcome::Success { sample: None }] {
            let grant = fleet.ask(0).await.expect("granted");
            fleet.settle(0, grant, outcome);
            assert_eq!(fleet.view(0).await.in_flight, 0);
        }
        let keys: Vec<String> = fleet.redis.keys("wb:2:{repair}:[wcs]:*").await.expect("keys");
        assert_eq!(keys, Vec::<String>::new());
        fleet.server = None;
        drop(fleet.ask(0).await.expect("granted, whoever is away"));
        fleet.replicas[0].close().await;
        assert!(fleet.ask(0).await.is_err(), "it has left");
    });
}

//! Replicas that come, go and vanish: who is counted, whose places come free, whose share is left alone.

use std::time::Duration;

use redis::AsyncCommands;
use weighbridge_domain::limits::Limits;
use weighbridge_domain::store::{PartitionSafety, RedisSettings};
use weighbridge_state::fleet::protocol::{Epoch, ReplicaId, Told};
use weighbridge_state::{Mode, SharedState};

use crate::fleet::{Fleet, beat, check, join, rpm};
use crate::support::until;

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

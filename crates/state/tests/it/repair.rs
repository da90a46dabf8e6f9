//! Several replicas before one server that loses things: what was granted is never forgotten, and nothing is
//! granted twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use redis::AsyncCommands;
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::store::OnStoreLoss;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::Health;
use weighbridge_state::{Admission, Candidate, Mode, Outcome, RefusalCause, Regard, Reserve, SharedState};

use crate::fleet::{Fleet, check, connection, rpm};
use crate::support::{Server, joined, replica, settings};

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

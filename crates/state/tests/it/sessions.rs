//! What sessions are given, by several replicas.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use redis::AsyncCommands;
use weighbridge_domain::limits::Limits;
use weighbridge_state::{Claim, Mode, SharedState};

use crate::fleet::{Fleet, check};

const MINUTE: Duration = Duration::from_secs(60);

async fn claim(fleet: &Fleet, at: usize, session: &str, wanted: &str, instead_of: Option<&str>) -> String {
    fleet.replicas[at].claim(Claim { session, wanted, instead_of, lasts: MINUTE }, fleet.now()).await
}

#[test]
fn of_many_who_claim_at_once_all_are_given_the_same() {
    check(async {
        let mut fleet = Fleet::start(3, Limits::default()).await;
        for round in 0..20 {
            let session = format!("session-{round}");
            let wanted: Vec<String> = (0..12).map(|number| format!("target-{number}")).collect();
            let claims =
                wanted.iter().enumerate().map(|(number, wanted)| claim(&fleet, number % 3, &session, wanted, None));
            let given: BTreeSet<String> = join_all(claims).await.into_iter().collect();
            assert_eq!(given.len(), 1, "{given:?}");
            let first = given.first().expect("one").clone();
            // It may not be kept: whoever is first to say so decides for all.
            let claims = wanted
                .iter()
                .enumerate()
                .filter(|(_, wanted)| **wanted != first)
                .map(|(number, wanted)| claim(&fleet, number % 3, &session, wanted, Some(&first)));
            let given: BTreeSet<String> = join_all(claims).await.into_iter().collect();
            assert!(given.len() == 1 && !given.contains(&first), "{given:?} instead of {first}");
        }
        let keys: Vec<String> = fleet.redis.keys("wb:2:{repair}:u:*").await.expect("keys");
        assert_eq!(keys.len(), 20);
        assert!(keys.iter().all(|key| !key.contains("session")), "{keys:?}");
        let lasts: i64 = fleet.redis.pttl(&keys[0]).await.expect("a time");
        assert!((1..=60_000).contains(&lasts), "{lasts}");
    });
}

#[test]
fn users_stay_where_they_were_when_the_server_is_gone_and_when_it_forgot_them() {
    check(async {
        let mut fleet = Fleet::start(2, Limits::default()).await;
        assert_eq!(claim(&fleet, 0, "s", "a", None).await, "a");
        fleet.wait(10_000);
        assert_eq!(claim(&fleet, 1, "s", "b", None).await, "a");
        fleet.delete("u:").await;
        assert_eq!(claim(&fleet, 1, "s", "b", None).await, "a", "it is told again");
        assert_eq!(claim(&fleet, 0, "s", "b", None).await, "a");
        fleet.server = None;
        assert_eq!(claim(&fleet, 1, "s", "b", None).await, "a");
        fleet.is(Mode::Local).await;
        for at in 0..2 {
            assert_eq!(claim(&fleet, at, "s", "b", None).await, "a");
        }
        assert_eq!(claim(&fleet, 1, "t", "b", None).await, "b", "it decides by itself");
        // Until then it was given, whoever passed it on.
        fleet.wait(50_000);
        assert_eq!(claim(&fleet, 1, "s", "b", None).await, "b");
    });
}

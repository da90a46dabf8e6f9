//! Redis fails under load: no client notices, no limit is exceeded, and nothing is forgotten.

use futures_util::future::join_all;
use tokio::time::sleep;
use weighbridge_loadtest::fleet::Deployment;
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::redis::Server;

use crate::support::{A_SECOND, Fleet, PATIENCE, Seen};

/// Loads a fleet, lets something happen to its Redis, and undoes it.
async fn check(harm: impl AsyncFn(&mut Server), heal: impl AsyncFn(&mut Server)) -> Seen {
    let (mut redis, fleet) = Fleet::start(&[Deployment::rpm("a", 120)]).await;
    let happens = async {
        sleep(A_SECOND).await;
        harm(&mut redis).await;
        sleep(A_SECOND * 3 / 2).await;
        heal(&mut redis).await;
    };
    let seen = fleet.under_load(40.0, 5 * A_SECOND, happens).await;
    fleet.kept_its_promises(&seen).await;
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_with_nothing() {
    check(async |redis| redis.kill(), async |redis| redis.restart_empty().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_with_what_it_knew_before() {
    let harm = async |redis: &mut Server| {
        redis.save().await;
        sleep(A_SECOND / 2).await;
        redis.kill();
    };
    check(harm, async |redis| redis.restart().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stands_still_for_a_while() {
    check(async |redis| redis.pause(), async |redis| redis.resume()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_deletes_everything() {
    check(async |redis| redis.flush().await, async |redis| redis.flush().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_deletes_a_key_at_a_time() {
    let harm = async |redis: &mut Server| {
        for key in redis.keys("*").await {
            redis.call(&["DEL", &key]).await;
            sleep(A_SECOND / 20).await;
        }
    };
    check(harm, async |_| ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_deletes_the_scripts() {
    let seen = check(async |redis| redis.flush_scripts().await, async |redis| redis.flush_scripts().await).await;
    assert_eq!(seen.modes, ["shared"], "they are told again");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_memory_is_full() {
    check(async |redis| redis.set("maxmemory", "1").await, async |redis| redis.set("maxmemory", "0").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_a_replica_all_of_a_sudden() {
    check(async |redis| redis.follow_nobody().await, async |redis| redis.lead().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_larger_than_a_share() {
    const LIMIT: u64 = 40;
    let (mut redis, fleet) = Fleet::start(&[Deployment::tpm("a", LIMIT)]).await;
    redis.kill();
    for replica in &fleet.replicas {
        replica.is_in("local", PATIENCE).await;
    }
    // Some thirty tokens: they fit once into the limit, and not into a third of it.
    let (clients, body) = (fleet.clients(), chat("a", 20));
    let twice = clients.iter().chain(&clients);
    let statuses = join_all(twice.map(|client| async { client.chat(&body).await.status })).await;
    let peak = fleet.providers.report("a").tokens_per_minute_peak;
    let mut foretold = 0.0;
    for replica in &fleet.replicas {
        let series = "weighbridge_worst_case_overshoot_tokens{deployment=\"at-a\"}";
        foretold += replica.metric(series).await.unwrap_or_default();
    }
    assert!(peak as f64 <= LIMIT as f64 + foretold, "{peak} of {LIMIT}, {foretold} foretold: {statuses:?}");
}

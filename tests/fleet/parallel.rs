//! Requests in flight: so many for the fleet, and those of a replica that died come free.

use futures_util::future::join_all;
use serde_json::json;
use weighbridge_loadtest::fleet::Deployment;
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::load::{Demand, Shape, arrivals, count, send_to};
use weighbridge_loadtest::wait::eventually;

use crate::support::{A_SECOND, Fleet};

#[tokio::test(flavor = "multi_thread")]
async fn so_many_at_once_for_the_fleet() {
    let (_redis, fleet) = Fleet::start(&[Deployment::unjudged("a", "max_parallel_requests: 5")]).await;
    fleet.providers.put("a", "{ latency: 200 }");
    let demands = [Demand { per_second: 60.0, shape: Shape::Poisson, body: chat("a", 5) }];
    let shots = send_to(&fleet.clients(), &demands, &arrivals(&demands, 3, 3 * A_SECOND, 1)).await;
    let report = fleet.providers.report("a");
    assert_eq!(report.max_in_flight, 5, "{report:?}");
    assert_eq!(count(&shots, 200) + count(&shots, 429), shots.len(), "{shots:?}");
    // Three seconds at five for 200 ms each make 75.
    assert!(count(&shots, 200) >= 60, "places stand empty: {} of 75", count(&shots, 200));
    for replica in &fleet.replicas {
        eventually("none is in flight", A_SECOND, async || replica.in_flight("a").await == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_places_of_a_dead_replica_come_free() {
    let (_redis, mut fleet) = Fleet::start(&[Deployment::unjudged("a", "max_parallel_requests: 50")]).await;
    fleet.providers.put("a", "{ hang: true }");
    let dying = fleet.replicas[0].client().clone();
    let hung = tokio::spawn(join_all((0..50).map(move |_| {
        let dying = dying.clone();
        async move { dying.try_chat(&chat("a", 5)).await.is_err() }
    })));
    for replica in &fleet.replicas {
        eventually("all know of them", 3 * A_SECOND, async || replica.in_flight("a").await == 50).await;
    }
    let other = fleet.replicas[1].client().clone();
    assert_eq!(other.chat(&chat("a", 5)).await.status, 429, "there is no place");
    fleet.providers.put("a", "{ latency: 20 }");
    fleet.replicas[0].kill();
    assert!(hung.await.unwrap().iter().all(|is_broken| *is_broken));
    for replica in &fleet.replicas[1..] {
        eventually("the places are free", 6 * A_SECOND, async || replica.in_flight("a").await == 0).await;
    }
    assert_eq!(other.chat(&chat("a", 5)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_ends_leaves_nothing_behind() {
    let (_redis, mut fleet) = Fleet::start(&[Deployment::rpm("a", 100)]).await;
    fleet.providers.put("a", "{ latency: 700 }");
    let ending = fleet.replicas[0].client().clone();
    let running = tokio::spawn(join_all((0..8).map(move |_| {
        let ending = ending.clone();
        async move { ending.try_chat(&chat("a", 5)).await.map(|answer| answer.status).unwrap_or_default() }
    })));
    eventually("they run", 3 * A_SECOND, async || fleet.replicas[1].in_flight("a").await == 8).await;
    fleet.replicas[0].end().await;
    assert_eq!(running.await.unwrap(), [200; 8], "what ran was finished");
    for replica in &fleet.replicas[1..] {
        eventually("none is in flight", A_SECOND / 2, async || replica.in_flight("a").await == 0).await;
        let row = replica.deployment("a").await;
        assert_eq!(row["usage"]["requests"], json!(8), "what it used is remembered");
    }
    fleet.replicas[0].restart().await;
    fleet.shares().await;
    fleet.counts_all_of("a").await;
}

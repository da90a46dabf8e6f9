//! A replica that stands still so long that the others take it for dead, and goes on.

use std::time::Duration;

use tokio::time::sleep;
use weighbridge_loadtest::fleet::Deployment;
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::load::{Demand, Shape, arrivals, count, send_to};
use weighbridge_loadtest::wait::eventually;

use crate::support::{A_SECOND, Fleet};

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_comes_back_from_the_dead() {
    let (_redis, fleet) = Fleet::start(&[Deployment::unjudged("a", "rpm: 600, max_parallel_requests: 20")]).await;
    fleet.providers.put(
        "a",
        "{ latency: 3000, record: 20000, limits: [{ discipline: sliding_log, requests: 600, enforce: false, announce: false }] }",
    );
    let [zombie, others @ ..] = &fleet.replicas[..] else { panic!("three") };
    let demands = [Demand { per_second: 10.0, shape: Shape::Poisson, body: chat("a", 5) }];
    let clients = fleet.clients();
    let running = tokio::spawn({
        let (client, demands) = (clients[0].clone(), demands.clone());
        async move { send_to(&[client], &demands, &arrivals(&demands, 1, A_SECOND, 2)).await }
    });
    eventually("some are in flight", 3 * A_SECOND, async || others[0].in_flight("a").await > 5).await;
    zombie.pause();
    let load = arrivals(&demands, 2, Duration::from_secs(20), 1);
    let (shots, ()) = tokio::join!(send_to(&clients[1..], &demands, &load), async {
        sleep(Duration::from_secs(20)).await;
        zombie.resume();
    });
    assert_eq!(count(&shots, 200) + count(&shots, 429), shots.len(), "{shots:?}");
    assert_eq!(count(&running.await.expect("it ends"), 0), 0, "what it was doing it ends");
    fleet.shares().await;
    for replica in &fleet.replicas {
        eventually("none is in flight", 6 * A_SECOND, async || replica.in_flight("a").await == 0).await;
    }
    assert_eq!(fleet.providers.report("a").violations, 0);
    fleet.counts_all_of("a").await;
    let shots = send_to(&clients, &demands, &arrivals(&demands, 3, 3 * A_SECOND, 3)).await;
    assert_eq!(count(&shots, 200) + count(&shots, 429), shots.len(), "{shots:?}");
}

//! Any replica tells what became of the fleet's requests, also while Redis is away.

use weighbridge_loadtest::fleet::{Deployment, Replica};
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::wait::eventually;

use crate::support::{A_SECOND, Fleet, PATIENCE};

/// The statuses of the requests of a trace, as a replica tells them; sorted, as two replicas write when they will.
async fn statuses(replica: &Replica, trace: &str) -> Vec<u64> {
    let page = replica.client().get(&format!("/router/logs?trace_id={trace}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let page = page.json();
    let rows = page["logs"].as_array().expect("a list").iter();
    let mut statuses: Vec<_> = rows.map(|row| row["status"].as_u64().expect("a status")).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn any_replica_tells_of_all() {
    let (mut redis, mut fleet) = Fleet::start(&[Deployment::unjudged("a", "")]).await;
    let traced = |replica: &Replica, trace| replica.client().clone().with_header("x-portkey-trace-id", trace);
    assert_eq!(traced(&fleet.replicas[0], "one").chat(&chat("a", 5)).await.status, 200);
    assert_eq!(traced(&fleet.replicas[1], "one").chat(&chat("none", 5)).await.status, 404);
    for replica in &fleet.replicas {
        eventually("both are told", A_SECOND, async || statuses(replica, "one").await == [200, 404]).await;
    }
    // The last record is written before a replica is gone.
    assert_eq!(traced(&fleet.replicas[0], "two").chat(&chat("a", 5)).await.status, 200);
    fleet.replicas[0].end().await;
    assert_eq!(statuses(&fleet.replicas[2], "two").await, [200]);

    redis.kill();
    fleet.replicas[1].is_in("local", PATIENCE).await;
    assert_eq!(traced(&fleet.replicas[1], "three").chat(&chat("a", 5)).await.status, 200);
    eventually("it tells of its own", A_SECOND, async || statuses(&fleet.replicas[1], "three").await == [200]).await;
    redis.restart_empty().await;
    fleet.replicas[1].is_in("shared", PATIENCE).await;
    assert_eq!(traced(&fleet.replicas[1], "four").chat(&chat("a", 5)).await.status, 200);
    let told = async || statuses(&fleet.replicas[2], "three").await == [200];
    eventually("what was kept meanwhile is told", A_SECOND, told).await;
}

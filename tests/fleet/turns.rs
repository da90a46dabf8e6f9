//! A load balance is exact over the fleet: whichever replica is asked, every target has its share, to the request.

use futures_util::{StreamExt, stream};
use weighbridge_loadtest::fleet::{Config, Deployment, Providers, Replica, Store};
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::redis::Server;

use crate::support::{PATIENCE, share};

const ROUTES: &str = "
routes:
  - { name: halves, strategy: { mode: loadbalance }, targets: [{ group: a }, { group: b }] }
  - { name: thirds, strategy: { mode: loadbalance }, targets: [{ group: a, weight: 7 }, { group: b, weight: 3 }] }
  - name: uneven
    strategy: { mode: loadbalance }
    targets: [{ group: a, weight: 5 }, { group: b, weight: 3 }, { group: c, weight: 1 }]
  - name: canary
    strategy: { mode: loadbalance }
    targets: [{ group: a, weight: 0.95 }, { group: b, weight: 0.05 }]
  - name: rescue
    strategy: { mode: fallback }
    targets: [{ group: broken }, { strategy: { mode: loadbalance }, targets: [{ group: a }, { group: b }] }]
";
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Requests under way at once.
const AT_ONCE: usize = 30;

/// Sends `count` requests for `model`, to one replica after the other; how many each provider got.
async fn spread(replicas: &[Replica], providers: &Providers, model: &str, count: usize) -> [u64; 3] {
    let counts = || NAMES.map(|name| providers.report(name).requests);
    let before = counts();
    let asks =
        (0..count).map(|i| async move { replicas[i % replicas.len()].client().chat(&chat(model, 5)).await.status });
    let statuses: Vec<_> = stream::iter(asks).buffer_unordered(AT_ONCE).collect().await;
    assert!(statuses.iter().all(|status| *status == 200), "{model}: {statuses:?}");
    let after = counts();
    [0, 1, 2].map(|i| after[i] - before[i])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_takes_turns_as_one_router() {
    let _share = share().await;
    let mut redis = Server::plain().await;
    let deployments =
        [NAMES.as_slice(), &["broken"]].concat().iter().map(|name| Deployment::unjudged(name, "")).collect::<Vec<_>>();
    let providers = Providers::judging(&deployments).await;
    providers.put("broken", "{ status: 404 }");
    let config = Config::new(&deployments, Store::redis(&redis.url())).with(ROUTES);
    let replicas = Replica::start_many(3, &config, &providers).await;
    for replica in &replicas {
        replica.is_in("shared", PATIENCE).await;
    }

    assert_eq!(spread(&replicas, &providers, "halves", 20).await, [10, 10, 0]);
    assert_eq!(spread(&replicas, &providers, "thirds", 1000).await, [700, 300, 0]);
    let uneven = spread(&replicas, &providers, "uneven", 1000).await;
    assert!(uneven[0].abs_diff(556) <= 1 && uneven[1].abs_diff(333) <= 1 && uneven[2].abs_diff(111) <= 1, "{uneven:?}");
    assert_eq!(spread(&replicas, &providers, "canary", 1000).await, [950, 50, 0]);
    // Only those that come this far take a turn.
    assert_eq!(spread(&replicas, &providers, "rescue", 50).await, [25, 25, 0]);

    redis.kill();
    let alone = spread(&replicas, &providers, "halves", 60).await;
    // Each replica takes its own turns.
    assert!(alone[0].abs_diff(30) <= 3 && alone[0] + alone[1] == 60, "{alone:?}");
}

//! Other servers than one Redis: a cluster, sentinels, Valkey.

use std::time::Duration;

use tokio::time::sleep;
use weighbridge_loadtest::fleet::{Deployment, Store};
use weighbridge_loadtest::load::count;
use weighbridge_loadtest::redis::{Cluster, Program, Server, Setup, Watched};

use crate::support::{A_SECOND, Fleet};

const LIMIT: u64 = 240;

async fn fleet(store: Store) -> Fleet {
    Fleet::over(&[Deployment::rpm("a", LIMIT)], &[store.clone(), store.clone(), store]).await
}

/// A list of servers, as the configuration has it.
fn list(ports: &[u16]) -> String {
    let servers: Vec<_> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    format!("[{}]", servers.join(", "))
}

fn cluster_store(cluster: &Cluster) -> Store {
    Store::Redis(vec!["topology: cluster".to_owned(), format!("nodes: {}", list(&cluster.ports()))])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_moves_from_node_to_node() {
    let cluster = Cluster::start().await;
    let fleet = fleet(cluster_store(&cluster)).await;
    let moves = async {
        sleep(2 * A_SECOND).await;
        for _ in 0..3 {
            for (slot, from) in cluster.used_slots().await {
                cluster.move_slot(slot, from, (from + 1) % 3).await;
            }
            sleep(A_SECOND).await;
        }
    };
    let seen = fleet.under_load(30.0, 14 * A_SECOND, moves).await;
    fleet.kept_its_promises(&seen).await;
    assert_eq!(fleet.providers.report("a").violations, 0, "a move is no loss");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_dies() {
    let mut cluster = Cluster::start_replicated().await;
    let fleet = fleet(cluster_store(&cluster)).await;
    let dies = async {
        sleep(2 * A_SECOND).await;
        let (_, place) = cluster.used_slots().await[0];
        cluster.masters[place].kill();
    };
    let seen = fleet.under_load(30.0, 18 * A_SECOND, dies).await;
    fleet.kept_its_promises(&seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_fail_over_and_writes_are_lost() {
    let mut watched = Watched::start(3).await;
    let sentinels = list(&watched.sentinel_ports());
    let lines =
        ["topology: sentinel".to_owned(), format!("sentinels: {sentinels}"), format!("master: {}", watched.name())];
    let fleet = fleet(Store::Redis(lines.to_vec())).await;
    let fails = async {
        sleep(A_SECOND).await;
        watched.cut_replication().await;
        // Nothing of this reaches the server that takes over.
        sleep(2 * A_SECOND).await;
        watched.first.kill();
        watched.failed_over().await;
    };
    let seen = fleet.under_load(30.0, 16 * A_SECOND, fails).await;
    fleet.kept_its_promises(&seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn valkey_does_as_well() {
    let valkey = Program::valkey().expect("cargo xtask setup installs it");
    let redis = Server::start(Setup::plain().by(valkey)).await;
    let fleet = fleet(Store::redis(&redis.url())).await;
    let flushes = async {
        sleep(3 * A_SECOND).await;
        redis.flush_scripts().await;
        sleep(3 * A_SECOND).await;
        redis.flush().await;
    };
    let seen = fleet.under_load(30.0, 14 * A_SECOND, flushes).await;
    fleet.kept_its_promises(&seen).await;
    assert!(count(&seen.shots, 200) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_stands_still_for_half_a_minute() {
    let redis = Server::plain().await;
    let fleet = fleet(Store::redis(&redis.url())).await;
    let stops = async {
        sleep(2 * A_SECOND).await;
        redis.pause();
        sleep(Duration::from_secs(30)).await;
        redis.resume();
    };
    let seen = fleet.under_load(20.0, 40 * A_SECOND, stops).await;
    fleet.kept_its_promises(&seen).await;
}

//! A Redis Cluster of three masters, and the move of a slot.

use std::time::Duration;

use super::resp::Value;
use super::server::Server;
use super::setup::Setup;
use crate::wait::eventually;

/// How long nodes may take to agree.
const PATIENCE: Duration = Duration::from_secs(30);
const SLOTS: usize = 16_384;

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Its masters.
    pub masters: Vec<Server>,
    /// A replica for each master, in the same order; or none.
    pub replicas: Vec<Server>,
}

impl Cluster {
    /// Three masters.
    pub async fn start() -> Self {
        Self::form(Self::nodes().await, Vec::new()).await
    }

    /// Three masters with a replica each.
    pub async fn start_replicated() -> Self {
        Self::form(Self::nodes().await, Self::nodes().await).await
    }

    async fn nodes() -> Vec<Server> {
        let setup = || Setup::plain().with("cluster-enabled yes").with("cluster-node-timeout 2000");
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(Server::start(setup()).await);
        }
        nodes
    }

    async fn form(masters: Vec<Server>, replicas: Vec<Server>) -> Self {
        for (place, master) in masters.iter().enumerate() {
            let bounds = [place * SLOTS / masters.len(), (place + 1) * SLOTS / masters.len() - 1];
            let [first, last] = bounds.map(|bound| bound.to_string());
            master.call(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
            // Or else they quarrel over who is the more recent.
            master.call(&["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]).await;
        }
        let cluster = Self { masters, replicas };
        let first = cluster.masters[0].port().to_string();
        for node in cluster.nodes_but_first() {
            node.call(&["CLUSTER", "MEET", "127.0.0.1", &first]).await;
        }
        let all = cluster.masters.len() + cluster.replicas.len();
        let is_agreed = async |node: &Server| {
            let info = node.call(&["CLUSTER", "INFO"]).await.text();
            info.contains("cluster_state:ok") && info.contains(&format!("cluster_known_nodes:{all}\r"))
        };
        for node in cluster.masters.iter().chain(&cluster.replicas) {
            eventually("the nodes know each other", PATIENCE, async || is_agreed(node).await).await;
        }
        for (replica, master) in cluster.replicas.iter().zip(&cluster.masters) {
            replica.call(&["CLUSTER", "REPLICATE", &id(master).await]).await;
            eventually("a replica is in step", PATIENCE, async || replica.is_in_step().await).await;
        }
        cluster
    }

    fn nodes_but_first(&self) -> impl Iterator<Item = &Server> {
        self.masters[1..].iter().chain(&self.replicas)
    }

    /// Where the masters listen.
    pub fn ports(&self) -> Vec<u16> {
        self.masters.iter().map(Server::port).collect()
    }

    /// The slots that hold keys, and the place of the master of each.
    pub async fn used_slots(&self) -> Vec<(u16, usize)> {
        let mut used = Vec::new();
        for (place, master) in self.masters.iter().enumerate() {
            for key in master.keys("*").await {
                let slot = master.call(&["CLUSTER", "KEYSLOT", &key]).await.int();
                used.push((u16::try_from(slot).expect("a slot"), place));
            }
        }
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Moves a slot with its keys to another master, as `redis-cli --cluster reshard` does.
    pub async fn move_slot(&self, slot: u16, from: usize, to: usize) {
        let (source, target) = (&self.masters[from], &self.masters[to]);
        let (source_id, target_id) = (id(source).await, id(target).await);
        let slot = slot.to_string();
        target.call(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]).await;
        source.call(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]).await;
        let port = target.port().to_string();
        loop {
            let keys = source.call(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]).await;
            let Some(key) = keys.all().first().map(Value::text) else { break };
            source.call(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]).await;
            // Long enough for callers to meet a slot whose keys are on both sides.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        target.call(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
        source.call(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
        for node in self.nodes_but_first().chain(self.masters.first()) {
            if node.info().await.text("role") == "master" {
                node.call(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]).await;
            }
        }
    }
}

async fn id(node: &Server) -> String {
    node.call(&["CLUSTER", "MYID"]).await.text()
}

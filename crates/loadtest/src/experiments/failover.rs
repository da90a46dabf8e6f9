//! A failover in which the new master lacks the last writes.

use std::time::Duration;

use super::{MOST, REPLICAS, clients, shared};
use crate::fleet::{Config, Deployment, LATENCY, Providers, Replica, Store};
use crate::http::chat;
use crate::load::{Demand, Shape, arrivals, send_to};
use crate::process::PATIENCE;
use crate::proxy::Proxy;
use crate::redis::{Server, cut_replication};
use crate::report::{Limit, Row, Table};
use crate::wait::eventually;

const LIMIT: u64 = 60;

/// Who is left to remember what Redis lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivors {
    /// All replicas.
    All,
    /// None: they die in the same instant.
    None,
}

impl Survivors {
    /// What its rows are called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "failover with lost writes",
            Self::None => "control: lost writes, and nobody remembers",
        }
    }
}

/// Fills a limit, loses that, and lets demand go on; adds a row.
pub async fn failover(survivors: Survivors, seed: u64, table: &mut Table) {
    let deployments = [Deployment::rpm("a", LIMIT)];
    let providers = Providers::judging(&deployments).await;
    let (mut first, second) = (Server::plain().await, Server::plain().await);
    second.follow(&first).await;
    eventually("the replica is in step", PATIENCE, async || second.is_in_step().await).await;
    let proxy = Proxy::to(first.port()).await;
    let config = Config::new(&deployments, Store::redis(&proxy.url()));
    let mut replicas = Replica::start_many(REPLICAS, &config, &providers).await;
    shared(&replicas).await;

    let demands = [Demand { per_second: 30.0, shape: Shape::Poisson, body: chat("a", MOST) }];
    let load = |seconds, seed| arrivals(&demands, REPLICAS, Duration::from_secs(seconds), seed);
    cut_replication(&first, &second).await;
    let mut shots = send_to(&clients(&replicas), &demands, &load(4, seed)).await;
    if survivors == Survivors::None {
        replicas.iter_mut().for_each(Replica::kill);
    }
    first.kill();
    second.lead().await;
    proxy.lead_to(second.port());
    if survivors == Survivors::None {
        for replica in &mut replicas {
            replica.restart().await;
        }
        shared(&replicas).await;
    }
    shots.extend(send_to(&clients(&replicas), &demands, &load(6, seed + 1)).await);
    shared(&replicas).await;
    let mut row = Row::new(survivors.name(), Limit::Requests(LIMIT), &shots, &providers.report("a"), LATENCY);
    row.seed = seed;
    // The limit was full for seconds before, and every replica knew: nothing may be granted beyond it.
    row.foretold = 0.0;
    row.demand = "5x in 10 s".to_owned();
    table.rows.push(row);
}

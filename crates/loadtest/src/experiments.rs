//! Runs that end in rows of a table.

mod failover;
mod stampede;
mod sustained;

pub use failover::{Survivors, failover};
pub use stampede::{Limiter, stampede};
pub use sustained::{Sustained, sustained, sustained_alone};

use crate::fleet::Replica;
use crate::http::Client;

/// How many replicas a fleet has.
const REPLICAS: usize = 3;
/// Connections to each replica.
const CONNECTIONS: usize = 64;
/// What a request allows for its answer, in tokens.
const MOST: u32 = 20;

fn clients(replicas: &[Replica]) -> Vec<Client> {
    replicas.iter().map(|replica| Client::with_connections(replica.client().address(), CONNECTIONS)).collect()
}

/// Waits until every replica shares what it knows.
async fn shared(replicas: &[Replica]) {
    for replica in replicas {
        replica.is_in("shared", crate::process::PATIENCE).await;
    }
}

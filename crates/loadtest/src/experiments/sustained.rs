//! Demand at and above many limits at once, for several windows.

use std::time::Duration;

use super::{MOST, REPLICAS, clients, shared};
use crate::fleet::{Config, Deployment, LATENCY, Providers, Replica, Store};
use crate::http::chat;
use crate::load::{Demand, Shape, Shot, arrivals, send_to};
use crate::redis::Server;
use crate::report::{Cost, Limit, Row, Table};

/// Limits in requests; each has a sibling in tokens that lets about as many requests pass.
const LIMITS: [u64; 5] = [1, 3, 7, 60, 300];
/// Demand, as a multiple of the limit.
const FACTORS: [f64; 3] = [1.0, 1.5, 3.0];
/// What a request is expected to weigh, in tokens: as the router estimates it.
const WEIGHT: u64 = 31;
/// How long Redis is watched while nobody asks for anything.
const IDLE: Duration = Duration::from_secs(5);
/// A window that is filled is filled again after this, as the windows of the fleet go by whole seconds.
const WINDOW: Duration = Duration::from_secs(61);

/// A run of a fleet.
#[derive(Debug, Clone, Copy)]
pub struct Sustained {
    /// What it is called.
    pub name: &'static str,
    /// How requests are spread.
    pub shape: Shape,
    /// For how many windows.
    pub windows: u32,
    /// What the arrivals follow from.
    pub seed: u64,
}

struct Case {
    deployment: Deployment,
    limit: Limit,
    factor: f64,
    demand: Demand,
}

/// Runs a fleet over `redis` and adds a row for each of its deployments.
pub async fn sustained(run: Sustained, redis: &Server, table: &mut Table) {
    let fleet = Fleet::start(run, Store::redis(&redis.url())).await;
    shared(&fleet.replicas).await;
    let idle = redis.info().await;
    tokio::time::sleep(IDLE).await;
    let before = redis.info().await;
    let shots = fleet.load().await;
    let after = redis.info().await;
    let idle = (before.cpu_seconds() - idle.cpu_seconds()) / IDLE.as_secs_f64();
    let cost = Cost { batch: batch(&fleet.replicas).await, ..Cost::between(run.name, &before, &after, &shots) };
    table.costs.push(cost.beside(idle, fleet.length()));
    fleet.tell(&shots, table).await;
}

/// The same with replicas that count each for itself: what a request takes without Redis.
pub async fn sustained_alone(run: Sustained, table: &mut Table) {
    let fleet = Fleet::start(run, Store::Memory).await;
    let shots = fleet.load().await;
    fleet.tell(&shots, table).await;
}

struct Fleet {
    run: Sustained,
    cases: Vec<Case>,
    providers: Providers,
    replicas: Vec<Replica>,
}

impl Fleet {
    async fn start(run: Sustained, store: Store) -> Self {
        let cases: Vec<_> =
            FACTORS.iter().flat_map(|factor| LIMITS.map(|most| cases(run, most, *factor))).flatten().collect();
        let deployments: Vec<_> = cases.iter().map(|case| case.deployment.clone()).collect();
        let providers = Providers::judging(&deployments).await;
        let replicas = Replica::start_many(REPLICAS, &Config::new(&deployments, store), &providers).await;
        Self { run, cases, providers, replicas }
    }

    fn length(&self) -> Duration {
        WINDOW * self.run.windows
    }

    async fn load(&self) -> Vec<Shot> {
        let demands: Vec<_> = self.cases.iter().map(|case| case.demand.clone()).collect();
        let load = arrivals(&demands, REPLICAS, self.length(), self.run.seed);
        send_to(&clients(&self.replicas), &demands, &load).await
    }

    /// Adds a row for each deployment.
    async fn tell(&self, shots: &[Shot], table: &mut Table) {
        for (place, case) in self.cases.iter().enumerate() {
            let own: Vec<Shot> = shots.iter().filter(|shot| shot.arrival.demand == place).copied().collect();
            let report = self.providers.report(&case.deployment.name);
            let mut row = Row::new(self.run.name, case.limit, &own, &report, LATENCY);
            row.seed = self.run.seed;
            row.demand = format!("{}x {}", case.factor, spread(self.run.shape));
            if case.factor > 1.0 {
                let weight = weight(&self.replicas[0], &case.deployment.name, case.limit).await;
                row.used = used(report.requests, own.len(), case.limit.amount() / weight.max(1), self.length());
            }
            table.rows.push(row);
        }
    }
}

/// The same limit in requests and in tokens.
fn cases(run: Sustained, most: u64, factor: f64) -> [Case; 2] {
    let case = |deployment: Deployment, limit| {
        #[expect(clippy::cast_precision_loss, reason = "limits are small")]
        let average = most as f64 * factor / 60.0;
        let busy = match run.shape {
            Shape::Poisson => 1.0,
            Shape::Bursts { on, off } => on.as_secs_f64() / (on + off).as_secs_f64(),
        };
        let demand = Demand { per_second: average / busy, shape: run.shape, body: chat(&deployment.name, MOST) };
        Case { deployment, limit, factor, demand }
    };
    let name = |unit| format!("{unit}{most}x{factor}");
    [
        case(Deployment::rpm(&name("r"), most), Limit::Requests(most)),
        case(Deployment::tpm(&name("t"), most * WEIGHT), Limit::Tokens(most * WEIGHT)),
    ]
}

const fn spread(shape: Shape) -> &'static str {
    match shape {
        Shape::Poisson => "poisson",
        Shape::Bursts { .. } => "bursts",
    }
}

/// What the fleet charges for a request, in the limit's unit.
async fn weight(replica: &Replica, name: &str, limit: Limit) -> u64 {
    match limit {
        Limit::Requests(_) => 1,
        Limit::Tokens(_) => {
            let usage = replica.deployment(name).await["usage"].clone();
            let number = |field: &str| usage[field].as_u64().unwrap_or_default();
            number("tokens").checked_div(number("requests")).unwrap_or(WEIGHT)
        }
    }
}

/// The share of what was asked for and fits that was granted, where `each` fit into a window;
/// nothing where none does, as such a request has a window for itself.
#[expect(clippy::cast_precision_loss, reason = "requests of minutes")]
fn used(granted: u64, asked: usize, each: u64, length: Duration) -> Option<f64> {
    let most = (each as f64 * length.as_secs_f64() / 60.0).min(asked as f64);
    (most > 0.0).then(|| granted as f64 / most)
}

/// Reservations in a call, over all replicas.
async fn batch(replicas: &[Replica]) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for replica in replicas {
        sum += replica.metric("weighbridge_store_batch_size_sum").await?;
        count += replica.metric("weighbridge_store_batch_size_count").await?;
    }
    (count > 0.0).then_some(sum / count)
}

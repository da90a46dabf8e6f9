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
/// What a request is expected to weigh, in tokens.
const WEIGHT: u64 = 30;
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
    let cases: Vec<_> =
        FACTORS.iter().flat_map(|factor| LIMITS.map(|most| cases(run, most, *factor))).flatten().collect();
    let deployments: Vec<_> = cases.iter().map(|case| case.deployment.clone()).collect();
    let demands: Vec<_> = cases.iter().map(|case| case.demand.clone()).collect();
    let providers = Providers::judging(&deployments).await;
    let config = Config::new(&deployments, Store::redis(&redis.url()));
    let replicas = Replica::start_many(REPLICAS, &config, &providers).await;
    shared(&replicas).await;
    let before = redis.info().await;
    let load = arrivals(&demands, REPLICAS, WINDOW * run.windows, run.seed);
    let shots = send_to(&clients(&replicas), &demands, &load).await;
    let after = redis.info().await;
    table.costs.push(Cost { batch: batch(&replicas).await, ..Cost::between(run.name, &before, &after, &shots) });
    for (place, case) in cases.iter().enumerate() {
        let own: Vec<Shot> = shots.iter().filter(|shot| shot.arrival.demand == place).copied().collect();
        let report = providers.report(&case.deployment.name);
        let weight = weight(&replicas[0], &case.deployment.name, case.limit).await;
        let mut row = Row::new(run.name, case.limit, &own, &report, LATENCY);
        row.seed = run.seed;
        row.demand = format!("{}x {}", case.factor, spread(run.shape));
        row.used = (case.factor > 1.0).then(|| used(report.requests, weight, case.limit, run.windows));
        table.rows.push(row);
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

/// The share of what fits into the limit over all windows that was granted.
#[expect(clippy::cast_precision_loss, reason = "requests of minutes")]
fn used(granted: u64, weight: u64, limit: Limit, windows: u32) -> f64 {
    let each = limit.amount() / weight.max(1);
    let minutes = (WINDOW * windows).as_secs_f64() / 60.0;
    granted as f64 / (each as f64 * minutes)
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

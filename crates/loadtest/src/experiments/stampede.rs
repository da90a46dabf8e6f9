//! A limit's worth of requests and more in a few seconds, before limiters that hold and limiters that do not.

use std::sync::Arc;
use std::time::Duration;

use super::{MOST, REPLICAS, clients, shared};
use crate::controls::{Flushing, Racing};
use crate::fleet::{Config, Deployment, LATENCY, Providers, Replica, Store};
use crate::http::{Answer, Broken, Client, chat};
use crate::load::{Arrival, Demand, Shape, Shot, arrivals, send, send_to};
use crate::redis::Server;
use crate::report::{Limit, Row, Table};

/// How long the demand lasts.
const LENGTH: Duration = Duration::from_secs(8);
const LIMITS: [u64; 3] = [7, 60, 300];
/// Demand, as a multiple of the limit, all in a few seconds.
const FACTOR: u64 = 3;

/// Requests come in crowds, one after each of these: so that several find the last place at once.
const CROWD: Duration = Duration::from_millis(250);

/// Who limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limiter {
    /// Replicas that share their state.
    Shared,
    /// Replicas that count each for itself.
    Alone,
    /// A look at a shared counter, then a step.
    Racing,
    /// Own counters that are exchanged ten times a second.
    Flushing,
}

impl Limiter {
    /// What its rows are called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "stampede: shared state",
            Self::Alone => "control: each for itself",
            Self::Racing => "control: check, then increment",
            Self::Flushing => "control: exchanged every 100 ms",
        }
    }
}

/// Sends the same requests to `limiter`, and adds a row for each limit.
pub async fn stampede(limiter: Limiter, seed: u64, table: &mut Table) {
    let deployments = LIMITS.map(|most| Deployment::rpm(&format!("r{most}"), most));
    let demands = LIMITS.map(|most| {
        #[expect(clippy::cast_precision_loss, reason = "limits are small")]
        let per_second = (most * FACTOR) as f64 / LENGTH.as_secs_f64();
        Demand { per_second, shape: Shape::Poisson, body: chat(&format!("r{most}"), MOST) }
    });
    let mut load = arrivals(&demands, REPLICAS, LENGTH, seed);
    for arrival in &mut load {
        let crowds = arrival.due.as_millis() / CROWD.as_millis();
        arrival.due = CROWD * u32::try_from(crowds).expect("few");
    }
    let providers = Providers::judging(&deployments).await;
    let redis = Server::plain().await;
    let shots = match limiter {
        Limiter::Shared => {
            let config = Config::new(&deployments, Store::redis(&redis.url()));
            let replicas = Replica::start_many(REPLICAS, &config, &providers).await;
            shared(&replicas).await;
            send_to(&clients(&replicas), &demands, &load).await
        }
        Limiter::Alone => {
            let config = Config::new(&deployments, Store::Memory);
            let replicas = Replica::start_many(REPLICAS, &config, &providers).await;
            send_to(&clients(&replicas), &demands, &load).await
        }
        Limiter::Racing => {
            let limiters: Vec<_> = (0..REPLICAS).map(|_| Arc::new(Racing::at(redis.port()))).collect();
            let admit = |arrival: Arrival| {
                let (limiter, most) = (Arc::clone(&limiters[arrival.replica]), LIMITS[arrival.demand]);
                async move { limiter.admit(&format!("r{most}"), most).await }
            };
            past_routers(&providers, &demands, &load, admit).await
        }
        Limiter::Flushing => {
            let limiters: Vec<_> = (0..REPLICAS).map(|_| Flushing::at(redis.port())).collect();
            let admit = |arrival: Arrival| {
                let most = LIMITS[arrival.demand];
                let is_admitted = limiters[arrival.replica].admit(&format!("r{most}"), most);
                async move { Ok(is_admitted) }
            };
            past_routers(&providers, &demands, &load, admit).await
        }
    };
    for (place, most) in LIMITS.into_iter().enumerate() {
        let own: Vec<Shot> = shots.iter().filter(|shot| shot.arrival.demand == place).copied().collect();
        let report = providers.report(&format!("r{most}"));
        let mut row = Row::new(limiter.name(), Limit::Requests(most), &own, &report, LATENCY);
        row.seed = seed;
        row.demand = format!("{FACTOR}x in {} s", LENGTH.as_secs());
        table.rows.push(row);
    }
}

/// Sends what `admit` lets pass straight to the providers.
async fn past_routers<F>(
    providers: &Providers,
    demands: &[Demand],
    load: &[Arrival],
    admit: impl Fn(Arrival) -> F,
) -> Vec<Shot>
where
    F: Future<Output = Result<bool, Broken>> + Send + 'static,
{
    let client = providers.client();
    send(load, |arrival| {
        let (admitted, client, body) = (admit(arrival), client.clone(), demands[arrival.demand].body.clone());
        async move { if admitted.await? { ask(&client, &body).await } else { Ok(Answer::limited()) } }
    })
    .await
}

async fn ask(client: &Client, body: &serde_json::Value) -> Result<Answer, Broken> {
    let provider = body["model"].as_str().unwrap_or_default();
    client.send(hyper::Method::POST, &format!("/{provider}/v1/chat/completions"), Some(body)).await
}

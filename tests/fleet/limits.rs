//! Limits that hold for the fleet, to the last request: as many as there may be, and not one more.

use futures_util::future::join_all;
use weighbridge_loadtest::fleet::{Deployment, Store};
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::load::{Demand, Shape, arrivals, count, send_to};
use weighbridge_loadtest::redis::Server;

use crate::support::{A_SECOND, Fleet};

/// What a request allows for its answer.
const MOST: u32 = 20;

/// A fleet that takes a busy machine for a slow Redis only after a second: what is exact here is
/// exact whatever the machine.
async fn start(deployments: &[Deployment]) -> (Server, Fleet) {
    let redis = Server::plain().await;
    let store = Store::Redis(vec![format!("url: \"{}\"", redis.url()), "call_timeout: 1".to_owned()]);
    let fleet = Fleet::over(deployments, &[store.clone(), store.clone(), store]).await;
    (redis, fleet)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_grants_every_request_of_a_limit_and_no_more() {
    let limits = [1, 3, 7, 60, 300];
    let deployments = limits.map(|most| Deployment::rpm(&format!("r{most}"), most));
    let (_redis, fleet) = start(&deployments).await;
    let shots = burst(&fleet, &deployments, &limits.map(|most| most as f64)).await;
    for (place, (deployment, most)) in deployments.iter().zip(limits).enumerate() {
        let own: Vec<_> = shots.iter().filter(|shot| shot.arrival.demand == place).copied().collect();
        let granted = count(&own, 200);
        let report = fleet.providers.report(&deployment.name);
        assert_eq!(granted as u64, most, "{} of {}: {report:?}", deployment.name, own.len());
        assert_eq!(granted + count(&own, 429), own.len(), "{own:?}");
        let tells = |shot: &&_| is_told_when(shot, 60);
        assert_eq!(own.iter().filter(|shot| shot.status == 429).filter(tells).count(), count(&own, 429));
        assert_eq!((report.requests, report.violations), (most, 0), "{}", deployment.name);
        fleet.counts_all_of(&deployment.name).await;
    }
}

fn is_told_when(shot: &weighbridge_loadtest::load::Shot, most: u64) -> bool {
    shot.retry_after.is_some_and(|seconds| (1..=most + 1).contains(&seconds))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_grants_every_token_of_a_limit_and_no_more() {
    let limits = [40, 100, 210, 1800, 9000];
    let deployments = limits.map(|most| Deployment::tpm(&format!("t{most}"), most));
    let (_redis, fleet) = start(&deployments).await;
    // A request weighs some thirty tokens.
    let shots = burst(&fleet, &deployments, &limits.map(|most| most as f64 / 25.0)).await;
    for (place, (deployment, most)) in deployments.iter().zip(limits).enumerate() {
        let own: Vec<_> = shots.iter().filter(|shot| shot.arrival.demand == place).copied().collect();
        let granted = count(&own, 200) as u64;
        let report = fleet.providers.report(&deployment.name);
        let usage = fleet.replicas[0].deployment(&deployment.name).await["usage"].clone();
        let weight = usage["tokens"].as_u64().unwrap() / usage["requests"].as_u64().unwrap().max(1);
        assert_eq!(granted, most / weight.max(1), "{} at {weight} tokens each: {usage}, {report:?}", deployment.name);
        assert_eq!(granted as usize + count(&own, 429), own.len(), "{own:?}");
        assert_eq!((report.requests, report.violations), (granted, 0), "{}", deployment.name);
        assert!(report.tokens_per_minute_peak <= most, "{report:?}");
    }
}

/// Two seconds in which every deployment is asked for one and a half times its limit, at first all at once.
async fn burst(fleet: &Fleet, deployments: &[Deployment], limits: &[f64]) -> Vec<weighbridge_loadtest::load::Shot> {
    let demand = |(deployment, most): (&Deployment, &f64)| Demand {
        per_second: most * 0.75 + 15.0,
        shape: Shape::Poisson,
        body: chat(&deployment.name, MOST),
    };
    let demands: Vec<_> = deployments.iter().zip(limits).map(demand).collect();
    let mut arrivals = arrivals(&demands, fleet.replicas.len(), 2 * A_SECOND, 1);
    for arrival in &mut arrivals {
        arrival.due = arrival.due.saturating_sub(A_SECOND / 2);
    }
    send_to(&fleet.clients(), &demands, &arrivals).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gets_the_last_request_of_a_limit() {
    let (_redis, fleet) = start(&[Deployment::rpm("last", 4)]).await;
    let clients = fleet.clients();
    for client in &clients {
        assert_eq!(client.chat(&chat("last", MOST)).await.status, 200);
    }
    let everybody = clients.iter().flat_map(|client| std::iter::repeat_n(client.clone(), 50));
    let answers = join_all(everybody.map(|client| async move { client.chat(&chat("last", MOST)).await })).await;
    let winners = answers.iter().filter(|answer| answer.status == 200).count();
    let told =
        answers.iter().filter(|answer| answer.status == 429 && answer.retry_after.is_some_and(|after| after > 0));
    assert_eq!((winners, told.count()), (1, 149));
    let report = fleet.providers.report("last");
    assert_eq!((report.requests, report.violations), (4, 0));
}

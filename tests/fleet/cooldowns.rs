//! A cooldown binds the fleet from the moment one replica hears of it, and one replica ends it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep};
use weighbridge_loadtest::fleet::{Deployment, LATENCY, Replica};
use weighbridge_loadtest::http::chat;
use weighbridge_loadtest::load::{Demand, Shape, arrivals, count, send_to};
use weighbridge_loadtest::redis::Server;
use weighbridge_loadtest::wait::eventually;

use crate::support::{A_SECOND, Fleet, noise};

/// How long another replica may take to show what one was told.
const SOON: Duration = Duration::from_millis(250);

/// How long the provider wants to be left alone.
const REST: Duration = Duration::from_secs(3);
/// How long a request that was granted before the trip may be on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(20);

async fn fleet() -> (Server, Fleet) {
    Fleet::start(&[Deployment::unjudged("a", "")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_a_provider_that_told_one_to_wait() {
    let (_redis, fleet) = fleet().await;
    let twenty = "200, ".repeat(20);
    let latency = LATENCY.as_millis();
    fleet.providers.put(
        "a",
        &format!("{{ latency: {latency}, record: 20000, statuses: [{twenty} {{ status: 429, retry_after: 3 }}] }}"),
    );
    let demands = [Demand { per_second: 120.0, shape: Shape::Poisson, body: chat("a", 5) }];
    let load = arrivals(&demands, 3, A_SECOND * 3 / 2, 1);
    let clients = fleet.clients();
    let shown = async {
        let is_shown = async |replica: &Replica| replica.deployment("a").await["state"] == "cooling";
        eventually("one is told to wait", 2 * A_SECOND, async || {
            fleet.providers.report("a").by_status.contains_key(&429)
        })
        .await;
        for replica in &fleet.replicas {
            // The reply itself takes a moment.
            eventually("all show it", SOON + LATENCY, async || is_shown(replica).await).await;
        }
    };
    let end = Instant::now() + A_SECOND * 3 / 2;
    let (shots, (), noise) = tokio::join!(send_to(&clients, &demands, &load), shown, noise(&clients, end));
    let seen = fleet.providers.seen("a");
    let told: Vec<_> = seen.iter().filter(|seen| seen.status == 429).collect();
    let [told] = told[..] else { panic!("told once: {seen:?}") };
    let from = told.at_ms + u64::try_from((LATENCY + ON_ITS_WAY + noise).as_millis()).unwrap();
    let late: Vec<_> = seen.iter().filter(|seen| seen.at_ms > from).collect();
    assert!(late.is_empty(), "told at {} ms: {late:?}, and {noise:?} without Redis", told.at_ms);
    assert_eq!(count(&shots, 200) + count(&shots, 429), shots.len(), "a provider's limit is 429 for clients");

    // Back, but slow: while one request looks whether it works, all others are told to wait.
    fleet.providers.put("a", "{ latency: 600, record: 20000 }");
    let before = fleet.providers.report("a").requests;
    let asked = async || {
        let ask = |client: &weighbridge_loadtest::http::Client| {
            let client = client.clone();
            async move { client.chat(&chat("a", 5)).await.status }
        };
        join_all(clients.iter().flat_map(|client| [ask(client), ask(client), ask(client)])).await
    };
    let mut probes = 0;
    eventually("one is let through", REST + A_SECOND, async || {
        let statuses = asked().await;
        probes += statuses.iter().filter(|status| **status == 200).count();
        assert!(statuses.iter().all(|status| [200, 429, 503].contains(status)), "{statuses:?}");
        probes > 0
    })
    .await;
    assert_eq!((probes, fleet.providers.report("a").requests - before), (1, 1), "one probe for all");
    let back = fleet.providers.seen("a").last().unwrap().at_ms;
    assert!(back - told.at_ms >= 3000, "asked again after {} ms", back - told.at_ms);
    eventually("it is in use again", 3 * A_SECOND, async || asked().await.iter().all(|status| *status == 200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_tells_one_and_all_obey() {
    let (_redis, fleet) = fleet().await;
    let [told, others @ ..] = &fleet.replicas[..] else { panic!("three") };
    for replica in &fleet.replicas {
        assert_eq!(replica.client().chat(&chat("a", 5)).await.status, 200);
    }
    let before = fleet.providers.report("a").requests;
    assert_eq!(
        told.client().post("/router/deployments/at-a/cooldown", &json!({ "cooldown_time": 60 })).await.status,
        200
    );
    for replica in &fleet.replicas {
        let answer = replica.client().chat(&chat("a", 5)).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.retry_after.is_some_and(|after| after > 0), "{answer:?}");
    }
    for replica in others {
        let is_shown = async || replica.deployment("a").await["cooldown"]["reason"] == "drained";
        eventually("others show it", SOON, is_shown).await;
    }
    assert_eq!(fleet.providers.report("a").requests, before, "obeyed at once");
    assert_eq!(others[0].client().delete("/router/deployments/at-a/cooldown").await.status, 200);
    for replica in &fleet.replicas {
        let is_over = async || replica.deployment("a").await["state"] == "ready";
        eventually("others show that it is over", SOON, is_over).await;
        assert_eq!(replica.client().chat(&chat("a", 5)).await.status, 200);
    }
    assert_eq!(told.client().post("/router/deployments/at-a/cooldown", &json!({})).await.status, 200);
    // Without a time it lasts until somebody ends it.
    sleep(SOON).await;
    let row = others[1].deployment("a").await;
    assert_eq!((&row["state"], &row["cooldown"]["remaining_ms"]), (&json!("drained"), &json!(null)));
}

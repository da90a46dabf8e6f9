//! Config objects mean the same to every replica: turns, sessions, breakers and what is saved.

use futures_util::future::join_all;
use serde_json::{Value, json};
use weighbridge_loadtest::fleet::{Deployment, Providers, Replica};
use weighbridge_loadtest::http::{Answer, chat};
use weighbridge_loadtest::wait::eventually;

use crate::support::{A_SECOND, Fleet, PATIENCE};

/// Three replicas without deployments that matter, before the providers `a`, `b` and `own`.
async fn fleet() -> (weighbridge_loadtest::redis::Server, Fleet) {
    Fleet::start(&["own", "a", "b"].map(|name| Deployment::unjudged(name, ""))).await
}

/// A target at the simulated provider `name`.
fn target(providers: &Providers, name: &str, more: Value) -> Value {
    let mut target =
        json!({ "name": name, "provider": "openai", "api_key": "sk-own", "custom_host": providers.base(name) });
    target.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    target
}

/// Asks `replica` by `config`, as `user`.
async fn ask(replica: &Replica, config: &str, user: &str) -> Answer {
    let client = replica.client().clone().with_header("x-portkey-config", config);
    client.with_header("x-portkey-metadata", json!({ "user": user }).to_string()).chat(&chat("m", 5)).await
}

fn answered(fleet: &Fleet) -> [u64; 2] {
    ["a", "b"].map(|name| fleet.providers.report(name).requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_to_the_request() {
    let (_redis, mut fleet) = fleet().await;
    let targets =
        [("a", 0.9), ("b", 0.1)].map(|(name, weight)| target(&fleet.providers, name, json!({ "weight": weight })));
    let canary = json!({ "strategy": { "mode": "loadbalance" }, "targets": targets }).to_string();
    let replicas = &fleet.replicas;
    let asks = (0..200).map(|i| ask(&replicas[i % 3], &canary, ""));
    assert!(join_all(asks).await.iter().all(|answer| answer.status == 200));
    assert_eq!(answered(&fleet), [180, 20]);

    fleet.replicas[1].kill();
    for i in 0..100 {
        assert_eq!(ask(&fleet.replicas[[0, 2][i % 2]], &canary, "").await.status, 200);
    }
    assert_eq!(answered(&fleet), [270, 30]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_one_target_on_every_replica() {
    let (mut redis, mut fleet) = fleet().await;
    let targets = ["a", "b"].map(|name| target(&fleet.providers, name, json!({})));
    let sticky = json!({ "enabled": true, "hash_fields": ["metadata.user"], "ttl": 600 });
    let config = json!({ "strategy": { "mode": "loadbalance", "sticky": sticky }, "targets": targets }).to_string();
    let given = async |replica: &Replica, user: &str| {
        let answer = ask(replica, &config, user).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.header("x-weighbridge-group").to_owned()
    };
    let users: Vec<String> = (0..20).map(|user| format!("user-{user}")).collect();
    let mut had = Vec::new();
    for user in &users {
        // The first requests of a session come to all replicas at once.
        let groups = join_all(fleet.replicas.iter().map(|replica| given(replica, user))).await;
        assert!(groups.iter().all(|group| *group == groups[0]), "{user}: {groups:?}");
        had.push(groups[0].clone());
    }
    assert!(had.contains(&"a".to_owned()) && had.contains(&"b".to_owned()), "{had:?}");

    fleet.replicas[0].kill();
    redis.kill();
    fleet.replicas[1].is_in("local", PATIENCE).await;
    for (user, had) in users.iter().zip(&had) {
        assert_eq!(given(&fleet.replicas[1], user).await, *had, "{user}, without Redis and the first replica");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_that_one_replica_opens_is_open_for_all() {
    let (mut redis, mut fleet) = fleet().await;
    let targets = ["a", "b"].map(|name| target(&fleet.providers, name, json!({})));
    let breaker = json!({ "failure_threshold": 3, "cooldown_interval": 60_000 });
    let config = json!({
        "strategy": { "mode": "fallback", "on_status_codes": [429], "cb_config": breaker },
        "targets": targets,
    });
    let config = config.to_string();
    // A success first: what was counted before does not keep it from opening.
    assert_eq!(ask(&fleet.replicas[0], &config, "").await.status, 200);
    fleet.providers.put("a", "{ status: 500 }");
    for replica in &fleet.replicas {
        assert_eq!(ask(replica, &config, "").await.status, 500, "failures are counted over the fleet");
    }
    let before = answered(&fleet);
    for replica in &fleet.replicas {
        let answer = ask(replica, &config, "").await;
        assert_eq!((answer.status, answer.header("x-portkey-last-used-option-index")), (200, "config.targets[1]"));
    }
    let after = answered(&fleet);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [0, 3]);

    // The one that saw it open is gone, and then the store is.
    fleet.replicas[2].kill();
    assert_eq!(ask(&fleet.replicas[0], &config, "").await.status, 200);
    redis.kill();
    fleet.replicas[0].is_in("local", PATIENCE).await;
    assert_eq!(ask(&fleet.replicas[0], &config, "").await.status, 200);
    assert_eq!(answered(&fleet)[0], after[0], "it stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_in_force_everywhere_within_a_second() {
    let (mut redis, fleet) = fleet().await;
    let path = "/router/configs/pc-fleet";
    let put = async |replica: &Replica, name: &str| {
        replica.client().put(path, &target(&fleet.providers, name, json!({}))).await
    };
    let leads_to = async |replica: &Replica, group: &str| {
        let answer = ask(replica, "pc-fleet", "").await;
        answer.status == 200 && answer.header("x-weighbridge-group") == group
    };
    for (replica, name) in [(0, "a"), (1, "b"), (2, "a")] {
        assert_eq!(put(&fleet.replicas[replica], name).await.status, 200);
        assert!(leads_to(&fleet.replicas[replica], name).await, "whoever was told knows it at once");
        for other in &fleet.replicas {
            eventually("it is in force", A_SECOND, async || leads_to(other, name).await).await;
        }
    }
    // What is saved goes on while the store is away, and nothing is saved meanwhile.
    redis.kill();
    fleet.replicas[0].is_in("local", PATIENCE).await;
    assert!(leads_to(&fleet.replicas[0], "a").await);
    assert_eq!(put(&fleet.replicas[0], "b").await.status, 503);
    redis.restart_empty().await;
    fleet.shares().await;
    for replica in &fleet.replicas {
        eventually("it is still in force", 5 * A_SECOND, async || leads_to(replica, "a").await).await;
    }
    assert_eq!(fleet.replicas[1].client().delete(path).await.status, 200);
    for replica in &fleet.replicas {
        let is_gone = async || ask(replica, "pc-fleet", "").await.status == 400;
        eventually("it is gone", A_SECOND, is_gone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_replica_takes_a_report_on_a_choice_that_another_made() {
    let (_redis, fleet) = fleet().await;
    let ask = json!({
        "messages": [{ "role": "user", "content": "Hey" }],
        "llm_providers": [{ "provider": "openai", "model": "a" }, { "provider": "openai", "model": "b" }],
    });
    let report = |session: &Value| {
        let provider = json!({ "provider": "openai", "model": "a" });
        json!({ "session_id": session, "provider": provider, "feedback": { "accuracy": 1 } })
    };
    let path = "/v2/report/metrics/feedback";
    // A replica whose store was slow just then keeps its session to itself.
    let is_taken = async || {
        let chosen = fleet.replicas[0].client().post("/v2/modelRouter/modelSelect", &ask).await;
        assert_eq!(chosen.status, 200, "{}", chosen.body);
        fleet.replicas[2].client().post(path, &report(&chosen.json()["session_id"])).await.status == 200
    };
    eventually("it is taken", A_SECOND, is_taken).await;
    let stranger = report(&json!("00000000-0000-4000-8000-000000000000"));
    assert_eq!(fleet.replicas[1].client().post(path, &stranger).await.status, 404);
}

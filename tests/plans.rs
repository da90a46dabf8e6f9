//! Whatever a config object nests, and whoever rests: somebody who can answer behind it does.

use std::collections::HashMap;

use axum::body::Body;
use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};
use weighbridge_fakellm::{FakeLlm, Script};

use crate::support::replica::InProcess;

const SCRIPT: &str = "providers: { bad: { status: 500 }, worse: { status: 429 }, good: {} }";

fn target(name: &str) -> Value {
    json!({ "provider": "openai", "api_key": "k", "custom_host": format!("http://fake/{name}/v1") })
}

fn with_mode(mode: &str, more: &[(&str, Value)], targets: Vec<Value>) -> Value {
    let mut strategy = json!({ "mode": mode });
    for (key, value) in more {
        strategy[key] = value.clone();
    }
    json!({ "strategy": strategy, "targets": targets })
}

/// Fallbacks and load balances of every kind over targets, most of which fail.
fn plans() -> impl Strategy<Value = Value> {
    let leaf = proptest::sample::select(vec!["bad", "worse", "bad", "good"]).prop_map(target);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let targets = || proptest::collection::vec(inner.clone(), 1..4);
        let sticky = json!({ "enabled": true, "hash_fields": ["params.model"] });
        prop_oneof![
            targets().prop_map(|targets| with_mode("fallback", &[], targets)),
            targets().prop_map(|targets| with_mode("fallback", &[("on_status_codes", json!([429]))], targets)),
            targets().prop_map(|targets| with_mode("loadbalance", &[], targets)),
            targets().prop_map(|targets| with_mode("loadbalance", &[("draw", json!("random"))], targets)),
            targets().prop_map(|targets| with_mode("loadbalance", &[("adaptive", json!(true))], targets)),
            targets().prop_map(move |targets| with_mode("loadbalance", &[("sticky", sticky.clone())], targets)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whoever_can_answer_does(plan in plans(), statuses in proptest::option::of(Just(json!([429, 500])))) {
        let breaker = json!({
            "failure_threshold": 1, "cooldown_interval": 60_000, "failure_status_codes": statuses.unwrap_or(json!([500])),
        });
        // Whom to ask behind it is decided on arrival, by the plan as it has become.
        let behind = with_mode("loadbalance", &[], vec![target("good")]);
        let config = with_mode("fallback", &[("cb_config", breaker)], vec![plan, behind]).to_string();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let fake = FakeLlm::new(Script::from_yaml(SCRIPT).unwrap());
            let router = InProcess::new("model_list: []", &HashMap::new(), &fake);
            for _ in 0..6 {
                let request = Request::post("/v1/chat/completions")
                    .header("content-type", "application/json")
                    .header("x-portkey-config", &config)
                    .body(Body::from(r#"{"model":"m","messages":[{"role":"user","content":"Hey"}]}"#))
                    .unwrap();
                let response = router.send(request).await;
                prop_assert_eq!(response.status, 200, "{}: {}", config, response.body);
            }
            Ok(())
        })?;
    }
}

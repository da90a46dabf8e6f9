//! What a config object costs on the way of a request. Prints figures and judges nothing:
//! `cargo test --release -p weighbridge-tests --test whole -- --ignored --nocapture overhead`.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use tokio::time::Instant;
use weighbridge_fakellm::{FakeLlm, Script};

use crate::support::replica::InProcess;

const REQUESTS: u32 = 20_000;
const ROUNDS: usize = 7;

/// Conditions, turns and fallbacks, five deep, down to a provider that answers in this process.
fn five_levels() -> Value {
    let leaf = |name: &str| json!({ "name": name, "provider": "simulated", "override_params": { "temperature": 0.5 } });
    let fallback = |name: &str, first: Value| json!({ "name": name, "strategy": { "mode": "fallback", "on_status_codes": [429, 500] }, "targets": [first, leaf("rescue")] });
    let balance = |first: Value, second: Value| json!({ "strategy": { "mode": "loadbalance" }, "targets": [first, second], "override_params": { "top_p": 0.9 } });
    let inner = balance(fallback("one", leaf("a")), fallback("two", leaf("b")));
    let middle = fallback("gold", balance(fallback("three", inner), leaf("c")));
    json!({
        "retry": { "attempts": 2 },
        "strategy": {
            "mode": "conditional",
            "conditions": [{ "query": { "metadata.tier": { "$eq": "gold" } }, "then": "gold" }],
            "default": "rest",
        },
        "targets": [leaf("rest"), middle],
    })
}

#[test]
#[ignore = "prints figures, for whoever wants to know"]
fn overhead_of_a_config_object() {
    let config = "model_list: [{ model_name: g, litellm_params: { model: simulated/m }, model_info: { id: g } }]";
    let fake = FakeLlm::new(Script::default());
    let router = InProcess::new(config, &HashMap::new(), &fake);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (flat, deep) = (json!({ "provider": "simulated" }).to_string(), five_levels().to_string());
    let unseen = Cell::new(0);
    let round = |config: Option<&str>, is_new: bool| {
        runtime.block_on(async {
            let began = Instant::now();
            for _ in 0..REQUESTS {
                let mut request = Request::post("/v1/chat/completions")
                    .header("content-type", "application/json")
                    .header("x-portkey-metadata", r#"{"tier":"gold"}"#);
                if let Some(config) = config {
                    let named = is_new.then(|| {
                        unseen.set(unseen.get() + 1);
                        format!(r#"{{"description":"{}",{}"#, unseen.get(), &config[1..])
                    });
                    request = request.header("x-portkey-config", named.as_deref().unwrap_or(config));
                }
                let body = r#"{"model":"g","messages":[{"role":"user","content":"Hey"}]}"#;
                let response = router.send(request.body(Body::from(body)).unwrap()).await;
                assert_eq!(response.status, 200, "{}", response.body);
            }
            began.elapsed() / REQUESTS
        })
    };
    let cases: [(&str, Option<&str>, bool); 4] = [
        ("a model", None, false),
        ("a config of one target", Some(&flat), false),
        ("a config of five levels", Some(&deep), false),
        ("a config of five levels, never seen before", Some(&deep), true),
    ];
    let mut figures: Vec<Vec<Duration>> = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for (case, (_, config, is_new)) in cases.iter().enumerate() {
            figures[case].push(round(*config, *is_new));
        }
    }
    for ((name, config, _), mut figures) in cases.into_iter().zip(figures) {
        figures.sort();
        let size = config.map_or(0, str::len);
        println!(
            "{name} ({size} bytes): {:?} a request, {:?} to {:?}",
            figures[ROUNDS / 2],
            figures[0],
            figures[ROUNDS - 1]
        );
    }
}

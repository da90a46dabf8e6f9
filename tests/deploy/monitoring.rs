//! Prometheus and Grafana: they find the routers, and ask for metrics that exist.

use std::collections::BTreeSet;

use serde_json::Value;
use weighbridge_telemetry::metrics;

use super::compose::Compose;
use super::{root, strings, text, yaml};

const DASHBOARD: &str = "deploy/grafana/dashboards/weighbridge.json";

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).unwrap()
}

/// Every value of `key` anywhere in `value`.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == key {
                    found.push(field);
                }
                all(field, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The metrics that the dashboard asks for.
fn asked() -> BTreeSet<String> {
    let text = text(DASHBOARD);
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("weighbridge_")).map(str::to_owned).collect()
}

#[test]
fn prometheus_scrapes_every_router() {
    let compose = Compose::read();
    assert_eq!(compose.outside("prometheus", "/etc/prometheus/prometheus.yml"), root().join("deploy/prometheus.yml"));
    let conf = yaml("deploy/prometheus.yml");
    let jobs = conf["scrape_configs"].as_sequence().unwrap();
    let job = jobs.iter().find(|job| job["job_name"].as_str() == Some("weighbridge")).unwrap();
    assert_eq!(job["metrics_path"].as_str(), Some("/metrics"));
    let mut found = Vec::new();
    for names in job["dns_sd_configs"].as_sequence().unwrap() {
        let port = names["port"].as_u64().unwrap();
        found.extend(strings(&names["names"]).iter().map(|name| format!("{name}:{port}")));
    }
    assert_eq!(found, ["router:8000"]);
    compose.assert_reached(&found[0]);
    for job in jobs {
        for group in job["static_configs"].as_sequence().into_iter().flatten() {
            for target in strings(&group["targets"]) {
                compose.assert_reached(&target.replace("localhost", "prometheus"));
            }
        }
    }
}

#[test]
fn grafana_finds_prometheus_and_the_dashboard() {
    let compose = Compose::read();
    let provisioning = compose.outside("grafana", "/etc/grafana/provisioning");
    assert_eq!(provisioning, root().join("./deploy/grafana/provisioning"));
    let sources = yaml(provisioning.join("datasources/prometheus.yaml"));
    let source = &sources["datasources"][0];
    compose.assert_reached(source["url"].as_str().unwrap().strip_prefix("http://").unwrap());

    let boards = yaml(provisioning.join("dashboards/weighbridge.yaml"));
    let folder = boards["providers"][0]["options"]["path"].as_str().unwrap();
    assert!(compose.outside("grafana", folder).join("weighbridge.json").is_file());
    let home = compose.service("grafana")["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    assert_eq!(
        compose.outside("grafana", home).canonicalize().unwrap(),
        root().join(DASHBOARD).canonicalize().unwrap()
    );

    let board = dashboard();
    let mut uids = Vec::new();
    all(&board, "datasource", &mut uids);
    assert!(!uids.is_empty() && uids.iter().all(|of| of["uid"].as_str() == source["uid"].as_str()), "{uids:?}");
}

#[test]
fn panels_have_their_own_ids_and_places() {
    let board = dashboard();
    let panels = board["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut taken = BTreeSet::new();
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_i64().unwrap();
        assert!(place("x") + place("w") <= 24, "{} is too wide", panel["title"]);
        for y in place("y")..place("y") + place("h") {
            for x in place("x")..place("x") + place("w") {
                assert!(taken.insert((x, y)), "{} lies on another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_exist() {
    let names: BTreeSet<String> = metrics::names().unwrap().into_iter().collect();
    let asked = asked();
    let missing: Vec<&String> = asked.difference(&names).collect();
    assert!(missing.is_empty(), "no such metric: {missing:?}");
}

/// What every replica knows of the whole fleet is not added up.
#[test]
fn what_all_replicas_say_is_shown_once() {
    let board = dashboard();
    let mut asked = Vec::new();
    all(&board, "expr", &mut asked);
    let shared =
        ["weighbridge_usage_", "weighbridge_limit_", "weighbridge_in_flight", "weighbridge_cooldown_remaining"];
    let shared = |text: &str| shared.iter().any(|name| text.contains(name));
    for text in asked.iter().map(|expr| expr.as_str().unwrap()).filter(|text| shared(text)) {
        assert!(text.starts_with("max by (deployment) (") && !text.contains("sum"), "{text}");
    }
}

#[test]
fn the_dashboard_shows_what_an_operator_asks_first() {
    let asked = asked();
    for name in [
        "weighbridge_requests_total",
        "weighbridge_request_seconds_bucket",
        "weighbridge_first_token_seconds_bucket",
        "weighbridge_usage_tokens",
        "weighbridge_limit_tpm",
        "weighbridge_in_flight",
        "weighbridge_deployment_state",
        "weighbridge_cooldowns_total",
        "weighbridge_fallbacks_total",
        "weighbridge_retries_total",
        "weighbridge_cost_usd_total",
        "weighbridge_store_mode",
        "weighbridge_store_seconds_bucket",
        "weighbridge_store_batch_size_bucket",
        "weighbridge_worst_case_overshoot_requests",
        "weighbridge_worst_case_overshoot_tokens",
        "weighbridge_replicas",
        "weighbridge_config_generation",
    ] {
        assert!(asked.contains(name), "{name} is not shown");
    }
}

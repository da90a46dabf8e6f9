use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::{Expect, expect, expect_file};
use weighbridge_domain::event::{Event, Observer, StoreOutcome};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::request::Operation;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health, Latency};

use super::{Metrics, Overshoot, Scrape, names};
use crate::sample::{SECRET, attempt, refused, served, table, table_of, view};

const NOW: Timestamp = Timestamp::from_millis(10_000);

fn metrics() -> Metrics {
    let metrics = Metrics::new("1.2.3").unwrap();
    metrics.adopt(&table());
    metrics
}

fn scrape<'a>(table: &'a RoutingTable, views: &'a [DeploymentView]) -> Scrape<'a> {
    const OVERSHOOT: &[Overshoot] =
        &[Overshoot { requests: 3.5, tokens: 0.0 }, Overshoot { requests: f64::INFINITY, tokens: 1000.0 }];
    Scrape { table, views, mode: "local", modes: &["shared", "local"], replicas: 3, overshoot: OVERSHOOT, now: NOW }
}

/// The samples of everything counted whose name begins with one of `prefixes`.
fn check(metrics: &Metrics, prefixes: &[&str], expected: &Expect) {
    let empty = RoutingTable::default();
    let text = metrics.render(&scrape(&empty, &[])).unwrap();
    let begins = |line: &&str| prefixes.iter().any(|prefix| line.starts_with(prefix));
    let lines: Vec<&str> = text.lines().filter(begins).filter(|line| !line.contains("_bucket")).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// One event of every kind.
fn feed(metrics: &Metrics) {
    let (eu, us) = ("azure-eu".into(), "azure-us".into());
    let (group, provider) = ("gpt-4o".into(), "azure".into());
    let kind = FailureKind::RateLimited;
    let until = Timestamp::from_millis(70_000);
    metrics.observe(&Event::ConfigLoaded { generation: 1, fingerprint: "f00d", deployments: 2, left_out: 1 });
    metrics.observe(&Event::ConfigRefused { problems: "model_list: is missing" });
    metrics.observe(&Event::RequestStarted { operation: Operation::Chat });
    metrics.observe(&Event::RequestStarted { operation: Operation::Chat });
    for attempt in [&attempt("azure-eu", 429, Some(kind), 12), &attempt("azure-us", 200, None, 310)] {
        metrics.observe(&Event::AttemptFinished { attempt, group: &group, provider: &provider });
    }
    metrics.observe(&Event::CooldownStarted { deployment: &eu, cause: kind, until, lasts: Duration::from_secs(60) });
    metrics.observe(&Event::Retried { group: &group, kind });
    metrics.observe(&Event::FellBack { from: "gpt-4o", to: "=azure-us", kind });
    metrics.observe(&Event::FirstToken { deployment: &us, after: Duration::from_millis(120) });
    metrics.observe(&Event::InterToken { deployment: &us, mean: Duration::from_millis(20) });
    metrics.observe(&Event::PromptCounted { deployment: &us, ratio: 1.25 });
    metrics.observe(&Event::Settled { deployment: &us, reserved: 100, used: 27 });
    metrics.observe(&Event::LeastBadTried { deployment: &eu });
    metrics.observe(&Event::CooldownEnded { deployment: &eu });
    let took = Duration::from_micros(400);
    metrics.observe(&Event::StoreCalled { took, asks: 3, settlements: 1, outcome: StoreOutcome::Done });
    metrics.observe(&Event::StoreCalled { took, asks: 0, settlements: 9, outcome: StoreOutcome::Done });
    metrics.observe(&Event::StoreCalled { took: took * 100, asks: 1, settlements: 0, outcome: StoreOutcome::TimedOut });
    metrics.observe(&Event::StoreModeChanged { mode: "local", reason: "it is gone" });
    metrics.observe(&Event::StoreReplayed { windows: 4 });
    metrics.observe(&Event::ReplicaReaped { in_flight: 2 });
    metrics.observe(&Event::StoreWarned { what: "it forgets" });
    metrics.observe(&Event::RequestFinished(&served().into()));
}

#[test]
fn events_are_counted() {
    let metrics = metrics();
    feed(&metrics);
    check(
        &metrics,
        &["weighbridge_"],
        &expect![[r#"
            weighbridge_attempt_seconds_sum{deployment="azure-eu"} 0.012
            weighbridge_attempt_seconds_count{deployment="azure-eu"} 1
            weighbridge_attempt_seconds_sum{deployment="azure-us"} 0.31
            weighbridge_attempt_seconds_count{deployment="azure-us"} 1
            weighbridge_attempts_total{deployment="azure-eu",outcome="rate_limited",provider="azure"} 1
            weighbridge_attempts_total{deployment="azure-us",outcome="success",provider="azure"} 1
            weighbridge_build_info{version="1.2.3"} 1
            weighbridge_config_generation 1
            weighbridge_config_info{fingerprint=""} 1
            weighbridge_config_reloads_total{result="loaded"} 1
            weighbridge_config_reloads_total{result="refused"} 1
            weighbridge_cooldowns_total{cause="rate_limited",deployment="azure-eu"} 1
            weighbridge_cost_usd_total{deployment="azure-us"} 0.00025
            weighbridge_deployments_left_out 0
            weighbridge_fallbacks_total{from="gpt-4o",kind="rate_limited",to="=azure-us"} 1
            weighbridge_first_token_seconds_sum{deployment="azure-us"} 0.12
            weighbridge_first_token_seconds_count{deployment="azure-us"} 1
            weighbridge_inter_token_seconds_sum{deployment="azure-us"} 0.02
            weighbridge_inter_token_seconds_count{deployment="azure-us"} 1
            weighbridge_least_bad_total{deployment="azure-eu"} 1
            weighbridge_prompt_estimate_ratio_sum{deployment="azure-us"} 1.25
            weighbridge_prompt_estimate_ratio_count{deployment="azure-us"} 1
            weighbridge_replicas 3
            weighbridge_request_seconds_sum{group="gpt-4o"} 0.33
            weighbridge_request_seconds_count{group="gpt-4o"} 1
            weighbridge_requests_in_flight 1
            weighbridge_requests_total{group="gpt-4o",operation="chat/completions",status="200"} 1
            weighbridge_reservation_ratio_sum{deployment="azure-us"} 0.27
            weighbridge_reservation_ratio_count{deployment="azure-us"} 1
            weighbridge_reserved_tokens_total{deployment="azure-us"} 100
            weighbridge_retries_total{group="gpt-4o",kind="rate_limited"} 1
            weighbridge_settled_tokens_total{deployment="azure-us"} 27
            weighbridge_store_batch_size_sum 4
            weighbridge_store_batch_size_count 2
            weighbridge_store_calls_total{outcome="done"} 2
            weighbridge_store_calls_total{outcome="failed"} 0
            weighbridge_store_calls_total{outcome="stale"} 0
            weighbridge_store_calls_total{outcome="timed_out"} 1
            weighbridge_store_mode{mode="local"} 1
            weighbridge_store_mode{mode="shared"} 0
            weighbridge_store_mode_changes_total{mode="local"} 1
            weighbridge_store_reaped_in_flight_total 2
            weighbridge_store_replayed_windows_total 4
            weighbridge_store_seconds_sum{outcome="done"} 0.0008
            weighbridge_store_seconds_count{outcome="done"} 2
            weighbridge_store_seconds_sum{outcome="timed_out"} 0.04
            weighbridge_store_seconds_count{outcome="timed_out"} 1
            weighbridge_store_warnings_total 1
            weighbridge_tokens_total{deployment="azure-us",direction="cache_read"} 5
            weighbridge_tokens_total{deployment="azure-us",direction="input"} 20
            weighbridge_tokens_total{deployment="azure-us",direction="output"} 7"#]],
    );
}

#[test]
fn a_histogram_has_its_buckets() {
    let metrics = metrics();
    feed(&metrics);
    check(
        &metrics,
        &["# HELP weighbridge_reservation_ratio", "# TYPE weighbridge_reservation_ratio"],
        &expect![[r#"
        # HELP weighbridge_reservation_ratio Used over reserved tokens of a call: far below 1 blocks capacity, above 1 exceeds what was granted.
        # TYPE weighbridge_reservation_ratio histogram"#]],
    );
    let text = metrics.render(&scrape(&RoutingTable::default(), &[])).unwrap();
    assert!(text.contains(r#"weighbridge_reservation_ratio_bucket{deployment="azure-us",le="0.25"} 0"#), "{text}");
    assert!(text.contains(r#"weighbridge_reservation_ratio_bucket{deployment="azure-us",le="0.5"} 1"#), "{text}");
}

#[test]
fn what_clients_write_makes_no_series() {
    let metrics = metrics();
    for n in 0..1000 {
        metrics.observe(&Event::RequestStarted { operation: Operation::Embeddings });
        metrics.observe(&Event::RequestFinished(&refused(&format!("model-{n}")).into()));
    }
    let stray = weighbridge_domain::event::RequestRecord { group: Some("made-up".into()), ..refused("x") };
    metrics.observe(&Event::RequestStarted { operation: Operation::Chat });
    metrics.observe(&Event::RequestFinished(&stray.into()));
    check(
        &metrics,
        &["weighbridge_request"],
        &expect![[r#"
        weighbridge_request_seconds_sum{group="none"} 0
        weighbridge_request_seconds_count{group="none"} 1000
        weighbridge_request_seconds_sum{group="other"} 0
        weighbridge_request_seconds_count{group="other"} 1
        weighbridge_requests_in_flight 0
        weighbridge_requests_total{group="none",operation="chat/completions",status="404"} 1000
        weighbridge_requests_total{group="other",operation="chat/completions",status="404"} 1"#]],
    );
}

#[test]
fn a_new_table_drops_the_series_of_what_is_gone() {
    let metrics = metrics();
    feed(&metrics);
    metrics.adopt(&table_of(&["azure-us", "azure-asia"]));
    let text = metrics.render(&scrape(&RoutingTable::default(), &[])).unwrap();
    assert!(!text.contains("azure-eu"), "{text}");
    assert!(text.contains(r#"weighbridge_attempts_total{deployment="azure-us",outcome="success",provider="azure"} 1"#));
    // A call that was under way when the table changed.
    metrics.observe(&Event::LeastBadTried { deployment: &"azure-eu".into() });
    check(&metrics, &["weighbridge_least_bad"], &expect![[r#"weighbridge_least_bad_total{deployment="other"} 1"#]]);

    metrics.adopt(&RoutingTable::default());
    let text = metrics.render(&scrape(&RoutingTable::default(), &[])).unwrap();
    assert!(!text.contains("azure-us") && !text.contains("gpt-4o"), "{text}");
}

#[test]
fn a_scrape_shows_every_deployment() {
    let metrics = Metrics::new("1.2.3").unwrap();
    let table = table();
    let cooling = Health::Cooling { until: Timestamp::from_millis(12_500), cause: FailureKind::RateLimited };
    let latency = Latency { first_token_ms: 200.0, per_token_ms: 10.0, tokens: 30.0 };
    let views = [view(cooling), DeploymentView { latency: Some(latency), ..view(Health::Ready) }];
    let text = metrics.render(&scrape(&table, &views)).unwrap();
    expect_file!["golden/scrape.txt"].assert_eq(&text);
}

#[test]
fn every_health_has_a_state() {
    let metrics = Metrics::new("1.2.3").unwrap();
    let later = Timestamp::from_millis(11_000);
    let rows = [
        (Health::Ready, "ready", "0"),
        (Health::Cooling { until: later, cause: FailureKind::Timeout }, "cooling", "1"),
        (Health::Cooling { until: Timestamp::from_millis(1), cause: FailureKind::Timeout }, "cooling", "0"),
        (Health::HalfOpen { is_probed: true, cause: FailureKind::Timeout }, "half_open", "0"),
        (Health::Drained { until: None }, "drained", "0"),
        (Health::Drained { until: Some(later) }, "drained", "1"),
    ];
    for (health, state, remaining) in rows {
        let table = table_of(&["a"]);
        let text = metrics.render(&scrape(&table, &[view(health)])).unwrap();
        let on: Vec<&str> = text
            .lines()
            .filter(|l| l.starts_with("weighbridge_deployment_state{deployment=\"a\"") && l.ends_with('1'))
            .collect();
        assert_eq!(on, [format!(r#"weighbridge_deployment_state{{deployment="a",group="gpt-4o",state="{state}"}} 1"#)]);
        let rests = format!(r#"weighbridge_cooldown_remaining_seconds{{deployment="a"}} {remaining}"#);
        assert!(text.lines().any(|line| line == rests), "{rests}\n{text}");
    }
}

#[test]
fn names_are_those_that_are_printed() {
    let metrics = metrics();
    feed(&metrics);
    let mut unlimited = table();
    unlimited.add_group(weighbridge_domain::group::ModelGroup::clone(table().group(&"gpt-4o".into()).unwrap()));
    let latency = Some(Latency { first_token_ms: 1.0, per_token_ms: 1.0, tokens: 1.0 });
    let views = [DeploymentView { latency, ..view(Health::Ready) }; 2];
    let text = metrics.render(&scrape(&unlimited, &views)).unwrap();
    let printed: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let known = names().unwrap();
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let silent: Vec<&&str> = known.difference(&printed).collect();
    assert!(printed.is_subset(&known), "{:?}", printed.difference(&known));
    // Limits that no deployment here has.
    assert_eq!(
        silent,
        [&"weighbridge_limit_itpm", &"weighbridge_limit_max_parallel_requests", &"weighbridge_limit_otpm"]
    );
    assert!(known.iter().all(|name| name.starts_with("weighbridge_")));
}

#[test]
fn no_secret_is_printed() {
    let metrics = metrics();
    feed(&metrics);
    let table = table();
    let text = metrics.render(&scrape(&table, &[view(Health::Ready), view(Health::Ready)])).unwrap();
    assert!(text.contains("azure-eu") && !text.contains(SECRET), "{text}");
    assert!(!format!("{metrics:?}").contains(SECRET));
}

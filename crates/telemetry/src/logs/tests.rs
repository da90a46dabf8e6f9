use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{Expect, expect};
use weighbridge_domain::event::{AttemptRecord, Event, Observer, RequestRecord, StoreOutcome};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::time::Timestamp;

use super::{Format, RequestLog, to_writer};
use crate::sample::{SECRET, refused, served, table};

/// Keeps what is written to it.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `events` are logged as.
fn log(filter: &str, format: Format, events: &[Event<'_>]) -> String {
    let page = Page::default();
    let written = page.clone();
    let dispatch = to_writer(filter, format, move || page.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        for event in events {
            RequestLog.observe(event);
        }
    });
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// The lines without their times, which must be in UTC.
fn check(events: &[Event<'_>], expected: &Expect) {
    let text = log("info", Format::Human, events);
    let lines: Vec<&str> = text
        .lines()
        .map(|line| {
            let (time, rest) = line.split_once(' ').unwrap();
            assert!(is_utc_time(time), "{line}");
            rest.trim_start()
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

/// `2026-01-31T23:59:59.123456Z`
fn is_utc_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000000Z"
}

#[test]
fn a_served_request_is_one_line() {
    check(
        &[Event::RequestFinished(&served().into())],
        &expect![[
            r#"INFO request served request_id="req-1" trace_id="trace-1" model="gpt-4o" group="gpt-4o" deployment="azure-us" status=200 ms=330 first_token_ms=120 attempts="azure-eu 429 12ms, azure-us 200 310ms" retries=1 fallbacks=0 tokens_in=20 tokens_out=7 cost=0.00025 stream=true client_gone=false plan="config.targets[0]""#
        ]],
    );
}

#[test]
fn a_failed_request_is_a_warning() {
    let nobody = AttemptRecord { deployment: None, status: 429, kind: Some(FailureKind::AtLimit), ms: 0 };
    let full = RequestRecord {
        status: 429,
        kind: Some(FailureKind::AtLimit),
        attempts: vec![nobody],
        deployment: None,
        ..refused("gpt-4o")
    };
    check(
        &[Event::RequestFinished(&refused("no-such").into()), Event::RequestFinished(&full.into())],
        &expect![[r#"
            WARN request failed request_id="req-1" trace_id="trace-1" model="no-such" status=404 kind="not_found" ms=0 retries=0 fallbacks=0 stream=false client_gone=false
            INFO request refused request_id="req-1" trace_id="trace-1" model="gpt-4o" status=429 kind="at_limit" ms=0 attempts="none at_limit" retries=0 fallbacks=0 stream=false client_gone=false"#]],
    );
}

#[test]
fn a_client_that_hangs_up_is_no_failure_of_ours() {
    let gone = RequestRecord { client_gone: true, status: 499, ..served() };
    check(
        &[Event::RequestFinished(&gone.into())],
        &expect![[
            r#"INFO request given up by its client request_id="req-1" trace_id="trace-1" model="gpt-4o" group="gpt-4o" deployment="azure-us" status=499 ms=330 first_token_ms=120 attempts="azure-eu 429 12ms, azure-us 200 310ms" retries=1 fallbacks=0 tokens_in=20 tokens_out=7 cost=0.00025 stream=true client_gone=true plan="config.targets[0]""#
        ]],
    );
}

#[test]
fn what_changes_the_next_request_has_a_line() {
    let deployment = &"azure-eu".into();
    let (cause, until, lasts) = (FailureKind::RateLimited, Timestamp::from_millis(70_000), Duration::from_secs(60));
    check(
        &[
            Event::ConfigLoaded { generation: 2, fingerprint: "f00d", deployments: 3, left_out: 1 },
            Event::ConfigRefused { problems: "model_list: is missing\nrouter_settings.timeout: no number" },
            Event::CooldownStarted { deployment, cause, until, lasts },
            Event::LeastBadTried { deployment },
            Event::CooldownEnded { deployment },
            Event::Settled { deployment, reserved: 1, used: 1 },
        ],
        &expect![[r#"
            INFO config loaded generation=2 fingerprint="f00d" deployments=3 left_out=1
            WARN config refused, the old one stays problems="model_list: is missing; router_settings.timeout: no number"
            WARN cooldown started deployment="azure-eu" cause="rate_limited" ms=60000
            WARN least bad of a cooling group tried deployment="azure-eu"
            INFO cooldown ended deployment="azure-eu""#]],
    );
}

#[test]
fn what_becomes_of_the_shared_store_has_a_line() {
    let took = Duration::from_millis(1);
    check(
        &[
            Event::StoreModeChanged { mode: "local", reason: "connection refused" },
            Event::StoreModeChanged { mode: "recovering", reason: "another epoch" },
            Event::StoreReplayed { windows: 3 },
            Event::StoreModeChanged { mode: "shared", reason: "every replica has told" },
            Event::StoreModeChanged { mode: "embedded", reason: "there is no store" },
            Event::ReplicaReaped { in_flight: 2 },
            Event::StoreWarned { what: "maxmemory-policy is allkeys-lru: set it to noeviction" },
            Event::StoreCalled { took, asks: 1, settlements: 1, outcome: StoreOutcome::Done },
        ],
        &expect![[r#"
            WARN the fleet's limits are not exact mode="local" reason="connection refused"
            WARN the fleet's limits are not exact mode="recovering" reason="another epoch"
            INFO told the store what was granted here windows=3
            INFO the fleet's limits are exact mode="shared" reason="every replica has told"
            INFO the fleet's limits are exact mode="embedded" reason="there is no store"
            WARN a replica vanished: its requests in flight are off the books in_flight=2
            WARN the shared store wants attention what="maxmemory-policy is allkeys-lru: set it to noeviction""#]],
    );
}

#[test]
fn json_lines_are_objects_with_a_time() {
    let text = log(
        "info",
        Format::Json,
        &[Event::RequestFinished(&served().into()), Event::RequestFinished(&refused("x").into())],
    );
    let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut lines {
        let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(is_utc_time(time.as_str().unwrap()), "{time}");
    }
    expect![[r#"
        [
          {
            "attempts": "azure-eu 429 12ms, azure-us 200 310ms",
            "client_gone": false,
            "cost": 0.00025,
            "deployment": "azure-us",
            "fallbacks": 0,
            "first_token_ms": 120,
            "group": "gpt-4o",
            "level": "INFO",
            "message": "request served",
            "model": "gpt-4o",
            "ms": 330,
            "plan": "config.targets[0]",
            "request_id": "req-1",
            "retries": 1,
            "status": 200,
            "stream": true,
            "tokens_in": 20,
            "tokens_out": 7,
            "trace_id": "trace-1"
          },
          {
            "client_gone": false,
            "fallbacks": 0,
            "kind": "not_found",
            "level": "WARN",
            "message": "request failed",
            "model": "x",
            "ms": 0,
            "request_id": "req-1",
            "retries": 0,
            "status": 404,
            "stream": false,
            "trace_id": "trace-1"
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&lines).unwrap());
}

#[test]
fn a_clients_text_cannot_forge_a_line() {
    let text =
        log("info", Format::Human, &[Event::RequestFinished(&refused("x\n2026 INFO all is \u{1b}[31mwell").into())]);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let long = "ü".repeat(100_000);
    assert!(log("info", Format::Json, &[Event::RequestFinished(&refused(&long).into())]).len() < 1000);
}

#[test]
fn the_filter_holds() {
    let events = [Event::RequestFinished(&served().into()), Event::RequestFinished(&refused("x").into())];
    assert_eq!(log("warn", Format::Human, &events).lines().count(), 1);
    assert_eq!(log("info,weighbridge=off", Format::Human, &events), "");
    let error = to_writer("info,=", Format::Human, io::sink).unwrap_err();
    assert_eq!(error.to_string(), "log filter \"info,=\"");
}

#[test]
fn no_secret_is_printed() {
    let table = table();
    let deployment = table.deployment("azure-eu").unwrap();
    let page = Page::default();
    let written = page.clone();
    let dispatch = to_writer("trace", Format::Json, move || page.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        RequestLog.observe(&Event::CooldownEnded { deployment: &deployment.id });
        tracing::debug!(auth = ?deployment.endpoint.auth, headers = ?deployment.endpoint.headers, "by mistake");
    });
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("by mistake") && text.contains("azure-eu") && !text.contains(SECRET), "{text}");
}

#[test]
fn what_aws_crates_trace_is_printed_for_nobody() {
    let page = Page::default();
    let written = page.clone();
    let dispatch = to_writer("trace,aws_sigv4=trace", Format::Json, move || page.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::trace!(target: "aws_sigv4::http_request", "a whole request");
        tracing::debug!(target: "aws_config::sts", "a role");
        tracing::trace!("our own");
    });
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("a whole request") && text.contains("a role") && text.contains("our own"), "{text}");
}

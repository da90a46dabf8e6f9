//! Config objects over real sockets: how long they may be, and that all tell of a plan alike.

use std::time::Duration;

use serde_json::{Value, json};
use weighbridge_loadtest::wait::eventually;

use crate::support::child::{Finished, command, run};
use crate::support::http::chat;
use crate::support::live::{Live, Providers};

const SCRIPT: &str = "providers: { a: { status: 500 }, b: {}, c: {} }";

/// A conditional over a load balance over fallbacks, saved in the file.
fn nested(providers: &Providers) -> String {
    providers.put_into(
        r#"
virtual_keys:
  a: { provider: openai, api_key: k, custom_host: "http://PROVIDERS/a/v1" }
  b: { provider: openai, api_key: k, custom_host: "http://PROVIDERS/b/v1" }
  c: { provider: openai, api_key: k, custom_host: "http://PROVIDERS/c/v1" }
saved_configs:
  pc-nested:
    strategy: { mode: conditional, conditions: [{ query: { metadata.tier: gold }, then: gold }], default: rest }
    targets:
      - { name: rest, virtual_key: c }
      - name: gold
        strategy: { mode: loadbalance }
        targets:
          - { strategy: { mode: fallback }, targets: [{ virtual_key: a }, { virtual_key: b }] }
          - { virtual_key: c }
"#,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nested_plan_reads_the_same_wherever_it_is_told() {
    let live = Live::by(SCRIPT, nested).await;
    let headers = [("x-portkey-config", "pc-nested"), ("x-portkey-metadata", r#"{"tier":"gold"}"#)];
    let client = headers.iter().fold(live.router.clone(), |client, (name, value)| client.with_header(name, *value));
    let answer = client.with_header("x-portkey-trace-id", "nested").chat(&chat("m")).await;
    let path = "config.targets[1].targets[0].targets[1]";
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-portkey-last-used-option-index"), path);
    assert_eq!(answer.header("x-weighbridge-itinerary"), "@a -> @b");

    let logs = async || live.router.get("/router/logs?trace_id=nested").await.json()["logs"].clone();
    eventually("it is written", Duration::from_secs(2), async || {
        logs().await.as_array().is_some_and(|logs| logs.len() == 1)
    })
    .await;
    let row = &logs().await[0];
    assert_eq!(
        (&row["plan_path"], &row["group"], &row["attempts"][0]["deployment"]),
        (&json!(path), &json!("@b"), &json!("@a"))
    );

    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("nested.yaml"), nested(&live.providers)).unwrap();
    let headers = headers.map(|(name, value)| format!("{name}: {value}"));
    let mut explain = command("weighbridge", &["explain", "--config", "nested.yaml"]);
    explain.current_dir(directory.path()).args(headers.iter().flat_map(|header| ["--header", header]));
    let Finished { code, stdout, stderr } = run(explain, &chat("m").to_string());
    assert_eq!(code, Some(0), "{stderr}");
    let stops: Vec<_> = stdout.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(stops, ["0. @a  config.targets[1].targets[0].targets[0]", &format!("1. @b  {path}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn configs_may_be_long_and_in_any_script() {
    let live = Live::by(SCRIPT, nested).await;
    let config = |length: usize| {
        let description = "\u{fc}ber\u{4e2d}\u{6587} ".repeat(length / 11);
        json!({ "description": description, "virtual_key": "b", "override_params": { "user": "J\u{fc}rgen" } })
            .to_string()
    };
    let ask = async |config: String| live.router.clone().with_header("x-portkey-config", config).chat(&chat("m")).await;
    let answer = ask(config(240_000)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let seen = live.providers.requests("b").pop().expect("a request").body;
    assert_eq!(seen["user"], "J\u{fc}rgen");
    let answer = ask(config(280_000)).await;
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &told["message"]), (400, &json!("The config is longer than 256 KB")));
}

//! Another configuration while requests run: one swap, nothing lost, and a bad one changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use weighbridge_loadtest::process::{Process, Signal};
use weighbridge_loadtest::wait::eventually;

use crate::support::child::router;
use crate::support::http::{Client, Reply, chat, chat_stream};
use crate::support::live::Providers;

const SCRIPT: &str =
    "providers: { slow: { tokens: 10, token_ms: 150 }, limited: { status: { status: 429, retry_after: 40 } } }";
const PATIENCE: Duration = Duration::from_secs(10);

/// A router whose configuration can be changed with and without its watch noticing.
struct Reloading {
    providers: Providers,
    process: Process,
    router: Client,
    directory: tempfile::TempDir,
}

impl Reloading {
    /// A router of the deployments `names`, in group `g`.
    async fn start(names: &[&str]) -> Self {
        let providers = Providers::start(SCRIPT).await;
        let directory = tempfile::tempdir().unwrap();
        let path = |place: &str| directory.path().join(place).join("router_config.yaml");
        std::fs::create_dir(directory.path().join("watched")).unwrap();
        std::fs::create_dir(directory.path().join("aside")).unwrap();
        std::fs::write(path("watched"), providers.config(names, "")).unwrap();
        // The same file by another name: what is written there is in no directory that is watched.
        std::fs::hard_link(path("watched"), path("aside")).unwrap();
        let (process, router) = router(&path("watched")).await;
        Self { providers, process, router, directory }
    }

    fn path(&self, place: &str) -> PathBuf {
        self.directory.path().join(place).join("router_config.yaml")
    }

    /// Writes a configuration of the deployments `names`; the watch does not see it.
    fn write_aside(&self, names: &[&str]) {
        std::fs::write(self.path("aside"), self.providers.config(names, "")).unwrap();
    }

    /// The deployments in force.
    async fn deployments(&self) -> Vec<String> {
        let page = self.router.get("/router/deployments").await.json();
        page["deployments"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    async fn reload(&self) -> Reply {
        self.router.post("/router/reload", &json!({})).await
    }

    /// The number of the configuration in force.
    async fn generation(&self) -> String {
        let metrics = self.router.get("/metrics").await.body;
        let line = metrics.lines().find_map(|line| line.strip_prefix("weighbridge_config_generation ")).unwrap();
        line.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_noticed() {
    let reloading = Reloading::start(&["one"]).await;
    let is_in_force = async |id: &str| {
        let at_last = async || reloading.deployments().await == [id];
        eventually(&format!("{id} is in force"), PATIENCE, at_last).await;
    };
    is_in_force("one").await;
    std::fs::write(reloading.path("watched"), reloading.providers.config(&["two"], "")).unwrap();
    is_in_force("two").await;
    // As editors and Kubernetes do it: another file is put in its place.
    let beside = reloading.directory.path().join("watched/new");
    std::fs::write(&beside, reloading.providers.config(&["three"], "")).unwrap();
    std::fs::rename(&beside, reloading.path("watched")).unwrap();
    is_in_force("three").await;
    // A bad one is refused, and the next good one is noticed all the same.
    std::fs::write(reloading.path("watched"), "model_list: 5\n").unwrap();
    eventually("it is refused", PATIENCE, async || {
        let metrics = reloading.router.get("/metrics").await.body;
        metrics.contains("weighbridge_config_reloads_total{result=\"refused\"} 1")
    })
    .await;
    assert_eq!(reloading.deployments().await, ["three"]);
    std::fs::write(reloading.path("watched"), reloading.providers.config(&["four"], "")).unwrap();
    is_in_force("four").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads() {
    let reloading = Reloading::start(&["one"]).await;
    reloading.write_aside(&["two"]);
    // Longer than the watch takes: what follows is the signal's doing.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(reloading.deployments().await, ["one"]);
    reloading.process.signal(Signal::Reload);
    eventually("two is in force", PATIENCE, async || reloading.deployments().await == ["two"]).await;
    assert_eq!(reloading.generation().await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_changes_nothing() {
    let reloading = Reloading::start(&["one"]).await;
    for (text, told) in [
        ("model_list:\n  - model_name: g\n    litellm_params: {}\n", "router_config.yaml:3: model_list[0]"),
        ("server:\n  drain_delai: 1\n", "router_config.yaml:2: server.drain_delai"),
        ("model_list: [\n", "router_config.yaml:"),
        ("", "the file is empty"),
    ] {
        std::fs::write(reloading.path("aside"), text).unwrap();
        let refused = reloading.reload().await;
        assert_eq!(refused.status, 400, "{text}: {}", refused.body);
        let problems = refused.json()["error"]["problems"].to_string();
        assert!(problems.contains(told), "{text}: {}", refused.body);
        assert_eq!(reloading.deployments().await, ["one"]);
        assert_eq!(reloading.generation().await, "1");
        assert_eq!(reloading.router.chat(&chat("g")).await.status, 200);
    }
    reloading.write_aside(&["two"]);
    let accepted = reloading.reload().await;
    assert_eq!((accepted.status, &accepted.json()["generation"]), (200, &json!(2)), "{}", accepted.body);
    assert_eq!(reloading.deployments().await, ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_the_table_it_began_with() {
    let reloading = Reloading::start(&["slow"]).await;
    let running = reloading.router.begin(&chat_stream("g")).await;
    assert_eq!(running.headers()["x-weighbridge-deployment"], "slow");
    reloading.write_aside(&["fast"]);
    assert_eq!(reloading.reload().await.status, 200);
    // The table it began with is gone for everybody else.
    assert_eq!(reloading.deployments().await, ["fast"]);
    assert_eq!(reloading.router.chat(&chat("g")).await.header("x-weighbridge-deployment"), "fast");
    assert_eq!(reloading.providers.report("slow").open_streams, 1);
    let reply = Reply::read(running).await;
    assert!(reply.is_whole_stream(), "{reply:#?}");
    assert_eq!(reloading.providers.report("slow").cancelled, 0);
    assert_eq!(reloading.router.in_flight().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_keeps_its_state() {
    let reloading = Reloading::start(&["limited", "drained", "used", "gone"]).await;
    let router = &reloading.router;
    assert_eq!(router.post("/router/deployments/drained/cooldown", &json!({})).await.status, 200);
    for _ in 0..3 {
        // The first request finds that `limited` is; all are served by the next one that may be asked.
        assert_eq!(router.chat(&chat("g")).await.header("x-weighbridge-deployment"), "used");
    }
    let rows = async || {
        [router.deployment("limited").await, router.deployment("drained").await, router.deployment("used").await]
    };
    let [mut limited, drained, used] = rows().await;
    assert_eq!((&limited["state"], &drained["state"]), (&json!("cooling"), &json!("drained")));
    assert_eq!(used["usage"]["requests"], 3);

    reloading.write_aside(&["limited", "drained", "used", "new"]);
    assert_eq!(reloading.reload().await.status, 200);
    let [mut limited_after, drained_after, used_after] = rows().await;
    let left = limited_after["cooldown"]["remaining_ms"].take().as_u64().unwrap();
    let had = limited["cooldown"]["remaining_ms"].take().as_u64().unwrap();
    assert!(left <= had && left > 20_000, "{had} ms were left, now {left}");
    assert_eq!([limited, drained, used], [limited_after, drained_after, used_after]);
    assert_eq!(router.deployment("new").await["usage"]["requests"], 0);
    assert!(router.deployment("gone").await.is_null());
    assert_eq!(router.chat(&chat("g")).await.header("x-weighbridge-deployment"), "used");
    assert_eq!(reloading.providers.report("limited").requests, 1, "it still rests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_keeps_the_store_it_began_with() {
    let mut reloading = Reloading::start(&["slow"]).await;
    let another =
        reloading.providers.config(&["slow"], "state: { store: redis, redis: { port: 1, host: 127.0.0.1 } }\n");
    std::fs::write(reloading.path("aside"), another).unwrap();
    let reply = reloading.reload().await;
    let warnings = reply.json()["warnings"].to_string();
    assert!(reply.status == 200 && warnings.contains("keeps the store it began with"), "{}", reply.body);
    assert_eq!(reloading.router.get("/router/deployments").await.json()["mode"], "embedded");
    reloading.process.signal(Signal::Terminate);
    assert!(reloading.process.ended().await.success());
}

//! The commands as a person at a terminal meets them: what they print, and how they exit.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use weighbridge_loadtest::process::{Process, Signal};
use weighbridge_loadtest::wait::eventually;

use crate::support::child::{Finished, command, router, router_by, run};
use crate::support::http::{Client, chat, chat_stream};
use crate::support::live::Providers;

const GOOD: &str = r#"model_list:
  - model_name: g
    litellm_params: { model: openai/m, api_key: sk-secret-of-mine, tpm: 100 }
    model_info: { id: one }
  - model_name: g
    litellm_params: { model: openai/m, api_key: os.environ/NOT_SET }
    model_info: { id: two }
  - model_name: other
    litellm_params: { model: simulated/m }
    model_info: { id: three }
router_settings: { fallbacks: [{ g: [other] }], no_such_key: 1 }
"#;
const BAD: &str = r#"model_list:
  - model_name: g
    litellm_params: { model: openai/m, api_key: sk-secret-of-mine, tpm: many }
  - litellm_params: { model: openai/m }
router_settings: { fallbacks: [{ g: [nobody] }] }
server:
  drain_delai: 1
"#;

/// What a command must come to.
struct Told<'a> {
    args: &'a [&'a str],
    input: &'a str,
    code: i32,
    stdout: &'a [&'a str],
    stderr: &'a [&'a str],
}

impl Told<'_> {
    /// Runs `weighbridge` where `good.yaml` and `bad.yaml` stand.
    fn check(&self, directory: &Path) {
        let mut command = command("weighbridge", self.args);
        command.current_dir(directory);
        let finished = run(command, self.input);
        let Finished { code, stdout, stderr } = &finished;
        assert_eq!(*code, Some(self.code), "{:?}: {finished:#?}", self.args);
        for (found, wanted) in [(stdout, self.stdout), (stderr, self.stderr)] {
            for text in wanted {
                assert!(found.contains(text), "{:?} does not say {text:?}: {finished:#?}", self.args);
            }
            assert_eq!(found.is_empty(), wanted.is_empty(), "{:?}: {finished:#?}", self.args);
            assert!(!found.contains("sk-secret"), "{:?}: {finished:#?}", self.args);
        }
    }
}

#[test]
fn commands_tell_what_is_wrong_and_exit_by_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("good.yaml"), GOOD).unwrap();
    std::fs::write(directory.path().join("bad.yaml"), BAD).unwrap();
    let check = |args: &[&str], input: &str, code, stdout: &[&str], stderr: &[&str]| {
        Told { args, input, code, stdout, stderr }.check(directory.path());
    };
    let good =
        ["warning: good.yaml:6: model_list[1]", "NOT_SET is not set", "good.yaml: ok, 2 deployments", "1 left out"];
    check(&["check", "--config", "good.yaml"], "", 0, &good, &[]);
    let all = [
        "error: bad.yaml:3: model_list[0].litellm_params.tpm: \"many\" is not a number",
        "error: bad.yaml:4: model_list[1]",
        "warning: bad.yaml:5: router_settings.fallbacks",
        "error: bad.yaml:7: server.drain_delai",
        "did you mean `drain_delay`",
        "bad.yaml cannot be used",
    ];
    check(&["check", "--config", "bad.yaml"], "", 1, &all, &[]);
    check(&["serve", "--config", "bad.yaml"], "", 1, &[], &all);
    check(&["explain", "--config", "bad.yaml"], "{}", 1, &[], &all);
    check(&["check", "--config", "none.yaml"], "", 1, &["none.yaml cannot be read"], &[]);
    check(&["serve", "--config", "good.yaml", "--listen", "1.2.3.4:5"], "", 1, &[], &["cannot listen on 1.2.3.4:5"]);
    check(&["serve", "--no-such-flag"], "", 2, &[], &["--no-such-flag"]);

    let explain = ["explain", "--config", "good.yaml"];
    let ask = r#"{"model":"g","messages":[{"role":"user","content":"Hey"}]}"#;
    let way = ["0. g", "one  openai/m", "1. other", "three  simulated/m"];
    check(&explain, ask, 0, &way, &[]);
    std::fs::write(directory.path().join("ask.json"), ask).unwrap();
    check(&["explain", "--config", "good.yaml", "--request", "ask.json"], "", 0, &way, &[]);
    check(&["explain", "--config", "good.yaml", "--header", "nope"], ask, 1, &[], &["`nope` is not a header"]);
    check(&explain, r#"{"model":"zzz","messages":[]}"#, 1, &[], &["`zzz` does not exist here", "g, other"]);
    check(&explain, "hey", 1, &[], &["not a JSON object"]);
}

#[test]
fn the_demo_shows_what_it_says() {
    let finished = run(command("weighbridge", &["demo", "--once", "--listen", "127.0.0.1:0"]), "");
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let steps: Vec<&str> = finished.stdout.split("\n\n").collect();
    let [_, distribution, failover, cooldown, back, limit] = steps.as_slice() else { panic!("{finished:#?}") };
    for provider in ["azure-eu", "azure-us", "openai"] {
        assert!(distribution.contains(&format!("   {provider}")), "{distribution}");
    }
    // It has used least, so that the others may get nothing for a while.
    assert!(back.contains("   azure-eu"), "{back}");
    assert!(!failover.contains("   azure-eu"), "{failover}");
    for step in [distribution, failover, back] {
        assert!(step.contains("answers: 60 × 200;"), "no client sees a failure: {step}");
    }
    let row = cooldown.lines().find(|line| line.trim_start().starts_with("azure-eu")).unwrap();
    assert!(row.contains("cooling") && row.contains("rate_limited"), "{row}");
    assert!(limit.contains("answers: 10 × 200, 5 × 429"), "{limit}");
    assert!(finished.stderr.is_empty(), "{finished:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_configuration_answers_without_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // No arguments and no environment but a port, as after a clone.
    let mut bare = command("weighbridge", &["--listen", "127.0.0.1:8000"]);
    bare.current_dir(root).env("PORT", "0");
    let (process, router) = router_by(bare).await;
    // What the README says.
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let body = r#"{"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Hey"}]}"#;
    assert!(readme.contains("curl localhost:8000/router/completions") && readme.contains(body));
    let body: Value = serde_json::from_str(body).unwrap();
    let reply = router.post("/router/completions", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(!reply.text().is_empty());
    let mut streaming = body;
    streaming["stream"] = true.into();
    let reply = router.post("/router/completions", &streaming).await;
    assert!(reply.is_whole_stream(), "{reply:#?}");
    // The ones that lack keys are shown with the variable that they lack.
    let log = process.log();
    let page = router.get("/router/deployments").await.body;
    for variable in ["AZURE_API_BASE", "OPENAI_API_KEY"] {
        assert!(log.contains(variable) && page.contains(variable), "{variable}: {log}\n{page}");
    }
}

#[test]
fn the_documented_keys_and_configs_are_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("docs/portkey.md")).unwrap();
    let (_, yaml) = text.split_once("```yaml\n").unwrap();
    let (yaml, _) = yaml.split_once("```").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let model = "model_list: [{ model_name: g, litellm_params: { model: simulated/m } }]\n";
    std::fs::write(directory.path().join("documented.yaml"), format!("{model}{yaml}")).unwrap();
    let mut check = command("weighbridge", &["check", "--config", "documented.yaml"]);
    check.current_dir(&directory).env("OPENAI_API_KEY", "sk-1").env("AZURE_API_KEY", "k-2");
    let finished = run(check, "");
    assert!(finished.stdout.contains("4 deployments in 4 groups, 0 left out, 0 warnings"), "{finished:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_file_and_port() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.yaml");
    std::fs::write(&file, GOOD).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut command = command("weighbridge", &["serve", "--listen", "127.0.0.1:1"]);
    command.env("PORT", port.to_string()).env("WEIGHBRIDGE_CONFIG", &file).env("NOT_SET", "sk-secret-set-now");
    let (process, router) = router_by(command).await;
    assert_eq!(router.address().port(), port);
    assert_eq!(router.models().await, ["g", "other"]);
    assert_eq!(router.deployment("two").await["state"], "ready", "NOT_SET is set");
    assert!(!process.log().contains("sk-secret"), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn fakellm_plays_its_script() {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), "providers: { p: { text: Hello there, status: 418 } }").unwrap();
    let path = script.path().to_str().unwrap();
    let mut process = Process::start(command("fakellm", &["--listen", "127.0.0.1:0", "--script", path]));
    let fake = Client::new(process.address_after("fakellm listens on http://").await);
    assert_eq!(fake.post("/p/v1/chat/completions", &chat("m")).await.status, 418);
    let reply = fake.post("/q/v1/chat/completions", &chat_stream("m")).await;
    assert!(reply.is_whole_stream(), "{reply:#?}");
    assert_eq!(fake.get("/admin/p/report").await.json()["by_status"], json!({ "418": 1 }));
    process.signal(Signal::Terminate);
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.log());
    std::fs::write(script.path(), "providers: { p: { latencie: 1 } }").unwrap();
    let refused = run(command("fakellm", &["--listen", "127.0.0.1:0", "--script", path]), "");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("latencie"), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_traffic_and_of_no_secret() {
    let providers = Providers::start("providers: { first: { statuses: [429, 200] }, second: {} }").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let rest = "general_settings: { master_key: sk-secret-of-masters }\nrouter_settings: { cooldown_time: 50 }\n";
    std::fs::write(file.path(), providers.config(&["first", "second"], rest).replace("sk-own", "sk-secret-own"))
        .unwrap();
    let (process, router) = router(file.path()).await;
    assert_eq!(router.chat(&chat("g")).await.status, 401, "the master key is asked for");
    let router = router.with_key("sk-secret-of-masters");
    for body in [chat("g"), chat_stream("g"), chat("sk-secret-typed-as-a-model")] {
        router.chat(&body).await;
    }
    let wanted = [
        "weighbridge_requests_total{group=\"g\"",
        "weighbridge_attempts_total{deployment=\"first\",outcome=\"rate_limited\"",
        "weighbridge_attempts_total{deployment=\"second\",outcome=\"success\"",
        "weighbridge_fallbacks_total{from=\"g#0\",kind=\"rate_limited\",to=\"g#1\"} 1",
        "weighbridge_cooldowns_total{cause=\"rate_limited\",deployment=\"first\"} 1",
        "weighbridge_deployment_state{deployment=\"first\",group=\"g\",state=\"cooling\"} 1",
        "weighbridge_request_seconds_count",
        "weighbridge_tokens_total",
        "weighbridge_usage_requests{deployment=\"second\"} 2",
        "weighbridge_in_flight{deployment=\"second\"} 0",
        "weighbridge_requests_in_flight 0",
        "weighbridge_store_mode{mode=\"embedded\"} 1",
        "weighbridge_build_info{version=",
        "weighbridge_config_generation 1",
    ];
    let mut page = String::new();
    eventually("the last stream is settled", Duration::from_secs(2), async || {
        page = router.get("/metrics").await.body;
        page.contains("weighbridge_requests_in_flight 0")
    })
    .await;
    for text in wanted {
        assert!(page.contains(text), "no {text} in\n{page}");
    }
    let everything =
        [page, process.log(), router.get("/router/deployments").await.body, router.get("/model/info").await.body];
    for text in everything {
        assert!(!text.contains("sk-secret-o"), "{text}");
    }
}

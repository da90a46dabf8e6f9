//! Scenarios as data: a configuration, simulated providers, requests, and what must come of them.
//!
//! Every file of `scenarios/` holds a list of them. They run in this process and in virtual time:
//! a cooldown of a minute takes none, and what took how long is exact.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use weighbridge_fakellm::{FakeLlm, ProviderScript, Script};

use crate::support::replica::{InProcess, Response};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    /// `model_list` in short.
    #[serde(default)]
    deployments: Vec<Deployment>,
    /// The rest of the configuration.
    #[serde(default)]
    config: Map<String, Value>,
    /// How the providers behave; one that is not named is without fault.
    #[serde(default)]
    providers: BTreeMap<String, ProviderScript>,
    #[serde(default)]
    env: HashMap<String, String>,
    steps: Vec<Step>,
}

/// An entry of `model_list`: an OpenAI deployment at the simulated provider `at`, which is its id too.
#[derive(Deserialize)]
struct Deployment {
    group: String,
    at: String,
    /// Instead of `at`.
    id: Option<String>,
    #[serde(default)]
    info: Map<String, Value>,
    /// `litellm_params`.
    #[serde(flatten)]
    params: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Seconds to let pass first.
    #[serde(default)]
    wait: f64,
    /// Providers that behave differently from now on.
    #[serde(default)]
    put: BTreeMap<String, ProviderScript>,
    #[serde(default)]
    send: Option<Send>,
    #[serde(default)]
    expect: Expect,
}

/// A request; its body is a chat of one message unless it says otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    #[serde(default = "post")]
    method: String,
    #[serde(default = "chat")]
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A config object, in which `at: a` stands for a target at the simulated provider `a`.
    portkey: Option<Value>,
    #[serde(default)]
    body: Map<String, Value>,
    /// How often, one after the other.
    #[serde(default = "once")]
    times: u32,
    /// All `times` at once.
    #[serde(default)]
    at_once: bool,
}

fn post() -> String {
    "POST".to_owned()
}

fn chat() -> String {
    "/v1/chat/completions".to_owned()
}

fn once() -> u32 {
    1
}

/// What must come of a step; what is not named is not looked at.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    /// The status of every request.
    status: Option<u16>,
    /// How many requests got which status.
    statuses: Option<BTreeMap<u16, u32>>,
    /// Headers of the last response; null is a header that must not be there.
    headers: BTreeMap<String, Option<String>>,
    /// Values in the last response's JSON, by JSON pointer.
    json: BTreeMap<String, Value>,
    /// Text the last response's body must hold.
    contains: Vec<String>,
    /// Text it must not hold.
    lacks: Vec<String>,
    /// Calls that reached each provider in this step; one that is not named, none when any is.
    calls: Option<BTreeMap<String, u64>>,
    /// The least and the most that reached a provider.
    calls_between: BTreeMap<String, (u64, u64)>,
    /// The least and the most milliseconds the step took.
    took_ms: Option<(u128, u128)>,
    /// Body fields the provider saw last, by JSON pointer; null is a field that must not be there.
    sent: BTreeMap<String, BTreeMap<String, Value>>,
}

#[test]
fn every_scenario_holds() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut report = String::new();
    let mut count = 0;
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenarios: Vec<Scenario> =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for scenario in scenarios {
            count += 1;
            let name = format!("{}: {}", file.file_stem().unwrap().display(), scenario.name);
            for problem in run(scenario) {
                writeln!(report, "{name}: {problem}").unwrap();
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
    println!("{count} scenarios");
    assert!(count > 50);
}

/// Runs a scenario; what did not hold.
fn run(scenario: Scenario) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut names: BTreeSet<String> = scenario.providers.keys().cloned().collect();
        names.extend(scenario.deployments.iter().map(|deployment| deployment.at.clone()));
        let fake = FakeLlm::new(Script { seed: Some(3), providers: scenario.providers });
        let config = config(scenario.deployments, scenario.config);
        let router = InProcess::new(&config, &scenario.env, &fake);
        let mut problems = Vec::new();
        for (number, step) in scenario.steps.into_iter().enumerate() {
            let found = run_step(&router, &fake, &names, step).await;
            problems.extend(found.into_iter().map(|problem| format!("step {}: {problem}", number + 1)));
        }
        problems
    })
}

async fn run_step(router: &InProcess, fake: &FakeLlm, names: &BTreeSet<String>, step: Step) -> Vec<String> {
    tokio::time::sleep(Duration::from_secs_f64(step.wait)).await;
    for (provider, script) in step.put {
        fake.put(&provider, script);
    }
    let before = calls(fake, names);
    let began = Instant::now();
    let responses = match &step.send {
        None => Vec::new(),
        Some(send) if send.at_once => {
            let requests = (0..send.times).map(|_| router.send(request(send)));
            futures_util::future::join_all(requests).await
        }
        Some(send) => {
            let mut responses = Vec::new();
            for _ in 0..send.times {
                responses.push(router.send(request(send)).await);
            }
            responses
        }
    };
    let took = began.elapsed().as_millis();
    let mut made = calls(fake, names);
    for (provider, count) in &mut made {
        *count -= before.get(provider).copied().unwrap_or_default();
    }
    made.retain(|_, count| *count > 0);
    step.expect.check(&responses, &made, took, fake)
}

fn calls(fake: &FakeLlm, names: &BTreeSet<String>) -> BTreeMap<String, u64> {
    names.iter().map(|name| (name.clone(), fake.report(name).requests)).collect()
}

/// The configuration as a user would write it.
fn config(deployments: Vec<Deployment>, mut rest: Map<String, Value>) -> String {
    let entries: Vec<Value> = deployments
        .into_iter()
        .map(|deployment| {
            let Deployment { group, at, id, mut info, params } = deployment;
            let mut all =
                json!({ "model": "openai/m", "api_base": format!("http://fake/{at}/v1"), "api_key": "sk-own" });
            all.as_object_mut().unwrap().extend(params);
            info.entry("id").or_insert_with(|| id.unwrap_or(at).into());
            json!({ "model_name": group, "litellm_params": all, "model_info": info })
        })
        .collect();
    if !entries.is_empty() {
        rest.insert("model_list".to_owned(), entries.into());
    }
    serde_yaml::to_string(&rest).unwrap()
}

fn request(send: &Send) -> Request<Body> {
    let mut builder = Request::builder().method(send.method.as_str()).uri(&send.path);
    for (name, value) in &send.headers {
        builder = builder.header(name, value);
    }
    if let Some(config) = &send.portkey {
        builder = builder.header("x-portkey-config", with_hosts(config.clone()).to_string());
    }
    let body = match send.method.as_str() {
        "GET" => Body::empty(),
        _ => {
            let mut body = Map::new();
            if send.path.contains("completions") && send.method == "POST" {
                body.insert("model".to_owned(), "g".into());
                body.insert("messages".to_owned(), json!([{ "role": "user", "content": "Hey" }]));
            }
            body.extend(send.body.clone());
            let mut body = Value::Object(body);
            if send.path.starts_with("/router/configs/") {
                body = with_hosts(body);
            }
            Body::from(if body == json!({}) { String::new() } else { body.to_string() })
        }
    };
    builder.header("content-type", "application/json").body(body).unwrap()
}

/// `config` with `at` written out.
fn with_hosts(config: Value) -> Value {
    match config {
        Value::Array(items) => items.into_iter().map(with_hosts).collect(),
        Value::Object(mut members) => {
            if let Some(at) = members.remove("at") {
                let host = format!("http://fake/{}/v1", at.as_str().unwrap());
                for (key, value) in [("provider", "openai"), ("api_key", "sk-own"), ("custom_host", &host)] {
                    members.entry(key).or_insert_with(|| value.into());
                }
            }
            Value::Object(members.into_iter().map(|(key, value)| (key, with_hosts(value))).collect())
        }
        other => other,
    }
}

impl Expect {
    fn check(&self, responses: &[Response], made: &BTreeMap<String, u64>, took: u128, fake: &FakeLlm) -> Vec<String> {
        let mut problems = Vec::new();
        let mut seen: BTreeMap<u16, u32> = BTreeMap::new();
        for response in responses {
            *seen.entry(response.status).or_default() += 1;
        }
        let count = u32::try_from(responses.len()).unwrap();
        let wanted = self.statuses.clone().or(self.status.map(|status| BTreeMap::from([(status, count)])));
        let last_body = responses.last().map_or("", |last| last.body.as_str());
        if wanted.is_some_and(|wanted| wanted != seen) {
            problems.push(format!("statuses are {seen:?}; the last body is {last_body}"));
        }
        if self.calls.as_ref().is_some_and(|wanted| wanted.iter().filter(|(_, count)| **count > 0).ne(made.iter())) {
            problems.push(format!("calls are {made:?}"));
        }
        for (provider, (least, most)) in &self.calls_between {
            let count = made.get(provider).copied().unwrap_or_default();
            if !(*least..=*most).contains(&count) {
                problems.push(format!("{provider} got {count} calls"));
            }
        }
        if self.took_ms.is_some_and(|(least, most)| !(least..=most).contains(&took)) {
            problems.push(format!("it took {took} ms"));
        }
        if let Some(last) = responses.last() {
            self.check_last(last, &mut problems);
        }
        for (provider, fields) in &self.sent {
            let body = fake.requests(provider).pop().map(|recorded| recorded.body).unwrap_or_default();
            check_fields(fields, &body, &format!("{provider} saw"), &mut problems);
        }
        problems
    }

    fn check_last(&self, last: &Response, problems: &mut Vec<String>) {
        for (name, wanted) in &self.headers {
            let found = last.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            if found != *wanted {
                problems.push(format!("header {name} is {found:?}"));
            }
        }
        for text in &self.contains {
            if !last.body.contains(text) {
                problems.push(format!("the body lacks {text:?}: {}", last.body));
            }
        }
        for text in &self.lacks {
            if last.body.contains(text) {
                problems.push(format!("the body holds {text:?}: {}", last.body));
            }
        }
        let body = serde_json::from_str(&last.body).unwrap_or_default();
        check_fields(&self.json, &body, "the body has", problems);
    }
}

fn check_fields(fields: &BTreeMap<String, Value>, body: &Value, whose: &str, problems: &mut Vec<String>) {
    for (pointer, wanted) in fields {
        let found = body.pointer(pointer).unwrap_or(&Value::Null);
        if found != wanted {
            problems.push(format!("{whose} {found} at {pointer}"));
        }
    }
}

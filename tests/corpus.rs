//! Configurations as people write them serve requests, with nothing changed but where they are sent.
//!
//! The files are not part of the repository: `CORPUS_DIR` names a directory that holds them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use weighbridge_config::env::Environment;
use weighbridge_config::load;
use weighbridge_domain::settings::Access;
use weighbridge_domain::table::{ListedModel, RoutingTable};
use weighbridge_fakellm::{FakeLlm, Script};
use weighbridge_providers::catalog::catalog;

use crate::support::fake::Redirected;
use crate::support::replica::{InProcess, Response, table};

/// The most models of one file that are asked for.
const MODELS: usize = 30;

/// Files that nobody can use: some are no YAML, two ask for code of their own to let clients in.
const REFUSED: &[&str] = &["012.yaml", "028.yaml", "076.yaml", "096.yaml", "145.yaml", "162.yaml"];

/// Answers every variable.
#[derive(Debug)]
struct EverythingIsSet;

impl Environment for EverythingIsSet {
    fn get(&self, name: &str) -> Option<String> {
        let is = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        Some(if is(&["BASE", "URL", "HOST", "ENDPOINT"]) {
            "https://example.test/v1".to_owned()
        } else if is(&["PORT", "RPM", "TPM", "TIMEOUT"]) {
            "6379".to_owned()
        } else {
            "value-of-a-variable".to_owned()
        })
    }
}

fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    #[expect(clippy::disallowed_methods, reason = "where the files are is not a setting of the router")]
    let directory = std::env::var("CORPUS_DIR").map_or_else(|_| beside(), PathBuf::from);
    let litellm = directory.join("litellm");
    litellm.is_dir().then_some(litellm)
}

#[test]
fn real_configurations_serve() {
    let Some(directory) = directory() else {
        println!("skipped: no corpus (set CORPUS_DIR)");
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_refused = REFUSED.contains(&name);
        // A file is right or wrong wherever it is checked, whatever the environment holds.
        if load(file, &catalog(), &HashMap::new()).is_err() != is_refused {
            wrong.push(format!("{name}: not the same where no variable is set"));
        }
        let outcome = match load(file, &catalog(), &EverythingIsSet) {
            Err(refused) if !is_refused => {
                wrong.push(format!("{name}: {:#?}", refused.problems));
                continue;
            }
            Err(_) => "files refused",
            Ok(loaded) if loaded.table.deployments().next().is_none() => "files without a usable deployment",
            Ok(loaded) => {
                for (model, outcome) in serve(loaded.table) {
                    match outcome {
                        Ok(outcome) => *totals.entry(outcome).or_default() += 1,
                        Err(_) if REFUSED_MODELS.contains(&(name, &model)) => {}
                        Err(problem) => wrong.push(format!("{name}: {model}: {problem}")),
                    }
                }
                "files that serve"
            }
        };
        *totals.entry(outcome).or_default() += 1;
    }
    println!("{} files: {totals:?}", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(totals["files that serve"] > 70 && totals["models served"] > 450, "{totals:?}");
}

/// Models whose files set what their provider does not have, and ask for an error then (`drop_params: false`).
const REFUSED_MODELS: &[(&str, &str)] = &[
    ("082.yaml", "batch-processor"),
    ("082.yaml", "code-executor"),
    ("082.yaml", "computer-use-full"),
    ("082.yaml", "system-control"),
    ("082.yaml", "tools"),
    ("082.yaml", "web-tools"),
];

/// Config objects that nobody can serve, and a part of the reason that is given.
const REFUSED_OBJECTS: &[(&str, &str)] = &[
    ("002.json", "path: targets,1,resource_name, message: Required: write the resource_name"),
    ("008.json", "path: targets,0,prompt_id, message: Prompts are kept by Portkey's hosted service"),
    ("012.json", "path: retry,attempts, message: Required"),
    ("034.json", "path: targets,0,targets,0,prompt_id, message: Prompts are kept"),
    ("046.json", "path: targets,0,input_guardrails, message: Guardrails and hooks are not run by this router"),
    ("050.json", "path: input_guardrails, message: Guardrails and hooks are not run by this router"),
    ("070.json", "path: targets,0,input_guardrails, message: Guardrails and hooks are not run by this router"),
    ("094.json", "path: strategy, message: Required: there are 3 targets and nothing says how they are used"),
    ("102.json", "path: targets, message: Required: a strategy needs targets"),
    ("106.json", "path: before_request_hooks, message: Guardrails and hooks are not run by this router"),
];

#[test]
fn real_config_objects_serve() {
    let Some(directory) = directory().map(|litellm| litellm.with_file_name("portkey")) else {
        println!("skipped: no corpus (set CORPUS_DIR)");
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let object: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let Response { status, body, .. } = serve_object(&object);
        match REFUSED_OBJECTS.iter().find(|(refused, _)| *refused == name) {
            Some((_, reason)) if status == 400 && body.contains(reason) => {}
            None if status == 200 => {}
            _ => wrong.push(format!("{name}: {status} {body}")),
        }
    }
    println!("{} config objects, {} refused with a reason", files.len(), REFUSED_OBJECTS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() > 50);
}

/// Sends a request with `object` to a router that has every virtual key and model it names.
fn serve_object(object: &Value) -> Response {
    let mut keys = BTreeSet::new();
    let mut models = BTreeSet::from(["asked".to_owned()]);
    gather(object, &mut keys, &mut models);
    let entry = |model| json!({ "model_name": model, "litellm_params": { "model": "openai/m", "api_key": "k" } });
    let keys = keys.iter().map(|key| (key.clone(), json!({ "provider": "openai", "api_key": "k" })));
    let config = json!({
        "model_list": models.iter().map(entry).collect::<Value>(),
        "virtual_keys": keys.collect::<serde_json::Map<_, _>>(),
    });
    let table = table(&config.to_string(), &HashMap::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let router = InProcess::of(table, Arc::new(Redirected::new(&FakeLlm::new(Script::default()), "any")));
        let body = json!({ "model": "asked", "messages": [{ "role": "user", "content": "Hey" }] });
        let request = Request::post("/v1/chat/completions")
            .header("content-type", "application/json")
            .header("x-portkey-config", object.to_string())
            .header("x-portkey-metadata", r#"{"_user":"u"}"#);
        router.send(request.body(Body::from(body.to_string())).unwrap()).await
    })
}

/// The virtual keys that `object` names, providers without a key among them, and its models without a provider.
fn gather(object: &Value, keys: &mut BTreeSet<String>, models: &mut BTreeSet<String>) {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let slug = |text: &str| text.strip_prefix('@').map(|rest| rest.split('/').next().unwrap_or_default().to_owned());
    let model = object.pointer("/override_params/model").and_then(Value::as_str);
    keys.extend(text("virtual_key").map(str::to_owned));
    keys.extend(text("virtualKey").map(str::to_owned));
    match (text("provider"), model) {
        (Some(provider), _) if object.get("api_key").is_none() => {
            keys.insert(slug(provider).unwrap_or_else(|| provider.to_owned()));
        }
        (Some(_), _) | (None, None) => {}
        (None, Some(model)) => match slug(model) {
            Some(slug) => drop(keys.insert(slug)),
            None => drop(models.insert(model.to_owned())),
        },
    }
    for target in object.get("targets").and_then(Value::as_array).into_iter().flatten() {
        gather(target, keys, models);
    }
}

/// Asks for every model that `table` lists, in virtual time; what came of it, or what was wrong.
fn serve(table: RoutingTable) -> Vec<(String, Result<&'static str, String>)> {
    let key = match &table.server.access {
        Access::Open => None,
        Access::Key(key) => Some(key.reveal().to_owned()),
        Access::Locked => return vec![(String::new(), Ok("files that let nobody in"))],
    };
    let asked: Vec<Ask> = table.listed().iter().take(MODELS).map(|model| Ask::of(&table, model)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let router = InProcess::of(table, Arc::new(Redirected::new(&FakeLlm::new(Script::default()), "any")));
        let mut outcomes = Vec::new();
        for Ask { model, is_usable, path, body } in asked {
            let mut request = Request::post(path).header("content-type", "application/json");
            if let Some(key) = &key {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            let Response { status, body, .. } = router.send(request.body(Body::from(body.to_string())).unwrap()).await;
            let outcome = match status {
                200 => Ok("models served"),
                503 if !is_usable && body.contains("has no deployment that can be called") => {
                    Ok("models without a usable deployment")
                }
                _ => Err(format!("{path}: {status} {body}")),
            };
            outcomes.push((model, outcome));
        }
        outcomes
    })
}

/// A request for a model.
struct Ask {
    model: String,
    /// Whether its group has a deployment that can be called.
    is_usable: bool,
    path: &'static str,
    body: Value,
}

impl Ask {
    /// A request for `listed`, of the kind that its group is for.
    fn of(table: &RoutingTable, listed: &ListedModel) -> Self {
        let deployments = match listed.group.as_ref().and_then(|name| table.group(name)) {
            Some(group) => group.deployments.as_slice(),
            None => &[],
        };
        let model = listed.name.replace('*', "some-model");
        let (path, mut body) = match deployments.iter().find_map(|deployment| deployment.mode.as_deref()) {
            Some("embedding") => ("/v1/embeddings", json!({ "input": "Hey" })),
            Some("completion") => ("/v1/completions", json!({ "prompt": "Hey" })),
            Some("moderation") => ("/v1/moderations", json!({ "input": "Hey" })),
            Some("rerank") => ("/v1/rerank", json!({ "query": "Hey", "documents": ["Ho"] })),
            Some("image_generation") => ("/v1/images/generations", json!({ "prompt": "Hey" })),
            Some("audio_speech") => ("/v1/audio/speech", json!({ "input": "Hey", "voice": "alloy" })),
            _ => ("/v1/chat/completions", json!({ "messages": [{ "role": "user", "content": "Hey" }] })),
        };
        body["model"] = model.as_str().into();
        Self { model, is_usable: !deployments.is_empty(), path, body }
    }
}

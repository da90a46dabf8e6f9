//! Configurations as people write them serve requests, with nothing changed but where they are sent.
//!
//! The files are not part of the repository: `CORPUS_DIR` names a directory that holds them.

use std::collections::{BTreeMap, HashMap};
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
use crate::support::replica::{InProcess, Response};

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

//! Configurations as people write them load; none makes the loader panic.
//!
//! The files are not part of the repository: `CORPUS_DIR` names a directory that holds them.

use std::path::{Path, PathBuf};

use weighbridge_config::env::Environment;
use weighbridge_config::load;
use weighbridge_config::problem::Severity;
use weighbridge_providers::catalog::catalog;

/// Answers every variable.
#[derive(Debug)]
struct EverythingIsSet;

impl Environment for EverythingIsSet {
    fn get(&self, name: &str) -> Option<String> {
        let is_url = ["BASE", "URL", "HOST", "ENDPOINT"].iter().any(|part| name.contains(part));
        let is_number = ["PORT", "RPM", "TPM", "TIMEOUT"].iter().any(|part| name.contains(part));
        Some(match (is_url, is_number) {
            (true, _) => "https://example.test/v1".to_owned(),
            (false, true) => "6379".to_owned(),
            (false, false) => "value-of-a-variable".to_owned(),
        })
    }
}

/// Files that cannot be used: four are no YAML, and two ask for code of their own to let
/// clients in (028, 076).
const REFUSED: &[&str] = &["012.yaml", "028.yaml", "076.yaml", "096.yaml", "145.yaml", "162.yaml"];

fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    #[expect(clippy::disallowed_methods, reason = "where the files are is not a setting of the router")]
    let directory = std::env::var("CORPUS_DIR").map_or_else(|_| beside(), PathBuf::from);
    let litellm = directory.join("litellm");
    litellm.is_dir().then_some(litellm)
}

#[test]
fn real_configurations_load() {
    let Some(directory) = directory() else {
        println!("skipped: no corpus (set CORPUS_DIR)");
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let errors = match load(file, &catalog(), &EverythingIsSet) {
            Ok(loaded) => {
                let table = &loaded.table;
                println!("{name}: {} deployments, {} left out", table.deployments().count(), table.left_out().len());
                for warning in &loaded.warnings {
                    println!("    {warning}");
                }
                Vec::new()
            }
            Err(refused) => {
                let errors = refused.problems.iter().filter(|problem| problem.severity == Severity::Error);
                errors.map(ToString::to_string).collect()
            }
        };
        if errors.is_empty() == REFUSED.contains(&name.as_str()) {
            wrong.push(format!("{name}: {errors:#?}"));
        }
    }
    assert!(files.len() > 50, "only {} files", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

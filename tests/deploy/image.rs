//! Dockerfile: it builds and copies what is there.

use std::collections::BTreeSet;
use std::fs;

use super::{directives, root, text};

/// The binaries that the workspace builds.
pub(super) fn binaries() -> BTreeSet<String> {
    let mut binaries = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let mut section = "";
        let mut package = String::new();
        for line in manifest.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            } else if let Some(name) = line.strip_prefix("name = ") {
                let name = name.trim_matches('"').to_owned();
                match section {
                    "[package]" => package = name,
                    "[[bin]]" => drop(binaries.insert(name)),
                    _ => {}
                }
            }
        }
        if folder.join("src/main.rs").is_file() {
            binaries.insert(package);
        }
    }
    binaries
}

#[test]
fn it_builds_binaries_of_the_workspace() {
    let dockerfile = text("Dockerfile");
    let binaries = binaries();
    let built: Vec<&str> =
        dockerfile.split_whitespace().filter_map(|word| word.strip_prefix("/src/target/release/")).collect();
    assert_eq!(built, ["weighbridge", "fakellm"]);
    for name in built {
        assert!(binaries.contains(name), "no binary {name} in {binaries:?}");
    }
    assert!(directives(&dockerfile, "RUN")[0].contains("--locked"), "built from other versions than tested");
}

#[test]
fn everything_copied_is_there_and_sent_to_the_builder() {
    let dockerfile = text("Dockerfile");
    let argument = directives(&dockerfile, "ARG")[0].split_once('=').unwrap();
    assert_eq!(argument, ("CONFIG_FILE", "./router_config.yaml"));
    let ignored = text(".dockerignore");
    for copy in directives(&dockerfile, "COPY") {
        if copy.starts_with("--from=") {
            continue;
        }
        let (from, _) = copy.rsplit_once(' ').unwrap();
        for source in from.split(' ') {
            let source = source.replace("${CONFIG_FILE}", argument.1);
            assert!(root().join(&source).exists(), "{source} is not there");
            let plain = source.trim_start_matches("./");
            assert!(!ignored.lines().any(|line| line.trim_end_matches('/') == plain), "{source} is ignored");
        }
    }
    // Cargo needs every member's manifest and all that the manifests name.
    for needed in ["Cargo.toml", "Cargo.lock", "crates", "tests", "deploy", "router_config.yaml"] {
        assert!(!ignored.lines().any(|line| line == needed), "{needed} is ignored");
    }
}

#[test]
fn it_runs_the_router_on_port_8000_as_nobody_in_particular() {
    let dockerfile = text("Dockerfile");
    assert_eq!(directives(&dockerfile, "ENV"), ["PORT=8000", "WEIGHBRIDGE_CONFIG=/app/router_config.yaml"]);
    assert_eq!(directives(&dockerfile, "EXPOSE"), ["8000"]);
    assert_eq!(directives(&dockerfile, "USER"), ["65532:65532"]);
    assert_eq!(directives(&dockerfile, "ENTRYPOINT"), [r#"["weighbridge"]"#]);
    assert!(dockerfile.contains("\nCMD [\"serve\"]\n"));
    assert!(dockerfile.contains("COPY ${CONFIG_FILE} /app/router_config.yaml"));
    assert!(dockerfile.contains("COPY deploy/healthcheck.sh /app/healthcheck.sh"));
}

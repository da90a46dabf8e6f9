//! The whole test run, cheapest first.

use crate::run::{has, run};
use crate::{cost, setup};

/// Format, lints, every Rust test, the SDKs against a running router, then what a request costs.
pub(crate) fn all() -> Result<(), String> {
    if has("cargo", &["fmt", "--version"]) {
        run("cargo", &["fmt", "--all", "--check"])?;
    }
    if has("cargo", &["clippy", "--version"]) {
        run("cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
        // What only `cargo xtask fleet` runs must not rot meanwhile.
        let long = ["clippy", "--package", "weighbridge-tests", "--test", "fleet-long", "--locked"];
        run("cargo", &[&long[..], &["--", "-D", "warnings"]].concat())?;
    }
    setup::redis()?;
    run("cargo", &["build", "--workspace", "--locked", "--bins", "--examples"])?;
    run("cargo", &["test", "--workspace", "--locked"])?;
    let sdks = setup::sdks()?;
    run(&sdks.python, &["-m", "pytest", "-q", "tests/sdk"])?;
    run("node", &["--test", "tests/sdk/node/"])?;
    cost::guard()
}

//! What a request costs, counted in instructions: held against the baseline, and how it grows.

use crate::run::run;
use crate::setup;

/// What is counted is optimised as what is shipped, but built in half the time.
const BUILD: [&str; 6] = ["build", "--profile", "cost", "--locked", "--package", "weighbridge-cost"];
const BINARY: &str = "target/cost/cost";

/// Compares what requests cost with the baseline in the repository.
pub(crate) fn guard() -> Result<(), String> {
    tool(&["guard"])
}

/// Makes what requests cost now the baseline.
pub(crate) fn bless() -> Result<(), String> {
    tool(&["guard", "--bless"])
}

/// Writes `docs/growth.md`.
pub(crate) fn growth() -> Result<(), String> {
    setup::redis()?;
    tool(&["growth"])
}

fn tool(args: &[&str]) -> Result<(), String> {
    setup::valgrind()?;
    run("cargo", &BUILD)?;
    run(BINARY, args)
}

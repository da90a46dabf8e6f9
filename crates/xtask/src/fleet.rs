//! Fleets under load and under faults, for as long as that takes.

use crate::run::run;
use crate::setup;

/// The tests of minutes, then the table of what a fleet and the controls exceed their limits by.
pub(crate) fn all() -> Result<(), String> {
    setup::redis()?;
    setup::valkey()?;
    run(
        "cargo",
        &["build", "--release", "--locked", "--bins", "--package", "weighbridge", "--package", "weighbridge-loadtest"],
    )?;
    let long = ["test", "--release", "--locked", "--package", "weighbridge-tests", "--test", "fleet-long"];
    run("cargo", &[&long[..], &["--", "--test-threads", "2"]].concat())?;
    run(
        "cargo",
        &["run", "--release", "--locked", "--quiet", "--package", "weighbridge-loadtest", "--bin", "overshoot"],
    )
}

//! Fleets under load and under faults, for as long as that takes.

use crate::run::run;
use crate::setup;

/// How the tools of the harness are run.
const OPTIMIZED: [&str; 5] = ["--release", "--locked", "--quiet", "--package", "weighbridge-loadtest"];
/// What is played in virtual time: seeds without a fault, seeds with all, and a fleet of hundreds with all.
const SIMULATIONS: [&[&str]; 3] = [
    &["--faults", "none", "--seeds", "3"],
    &["--faults", "all", "--seeds", "10"],
    &["--faults", "all", "--replicas", "200", "--deployments", "2000", "--rate", "1000"],
];

/// The tests of minutes, fleets in virtual time, then the table of what a fleet and the controls exceed their limits by.
pub(crate) fn all() -> Result<(), String> {
    setup::redis()?;
    setup::valkey()?;
    run(
        "cargo",
        &["build", "--release", "--locked", "--bins", "--package", "weighbridge", "--package", "weighbridge-loadtest"],
    )?;
    let long = ["test", "--release", "--locked", "--package", "weighbridge-tests", "--test", "fleet-long"];
    run("cargo", &[&long[..], &["--", "--test-threads", "2"]].concat())?;
    for arguments in SIMULATIONS {
        run("cargo", &[&["run"], &OPTIMIZED[..], &["--bin", "simulate", "--"], arguments].concat())?;
    }
    run("cargo", &[&["run"], &OPTIMIZED[..], &["--bin", "overshoot"]].concat())
}

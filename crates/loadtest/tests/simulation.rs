//! A small fleet in virtual time, with everything that may go wrong, once each.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use weighbridge_loadtest::simulation::fault::Fault;
use weighbridge_loadtest::simulation::run::{Outcome, Plan, run};

fn play(seed: u64, faults: &[Fault]) -> Outcome {
    let lasts = Duration::from_secs(180);
    // So few requests that a debug build takes seconds.
    let plan = Plan { seed, replicas: 40, deployments: 300, lasts, rate: 60.0, faults: faults.to_vec() };
    run(&plan).expect("a runtime")
}

fn check(seed: u64, faults: &[Fault]) {
    let outcome = play(seed, faults);
    let first = outcome.violations.first().map_or("", String::as_str);
    assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}\n{first}", outcome.sorts);
    let tally = outcome.tally;
    assert!(tally.granted > 5000 && tally.refused > 500 && tally.probes > 50 && tally.trips > 10, "{tally:?}");
    assert_eq!(tally.granted, tally.settled + tally.died, "each grant ends once");
}

#[test]
fn everything_goes_wrong_once() {
    check(1, &Fault::ALL);
}

#[test]
fn everything_goes_wrong_in_another_way() {
    check(2, &Fault::ALL);
}

#[test]
fn everything_goes_wrong_in_a_third_way() {
    check(3, &Fault::ALL);
}

#[test]
fn a_seed_plays_the_same_again() {
    let plan = Plan {
        seed: 7,
        replicas: 10,
        deployments: 60,
        lasts: Duration::from_secs(60),
        rate: 30.0,
        faults: Fault::ALL.to_vec(),
    };
    let [one, again] = [(), ()].map(|()| run(&plan).expect("a runtime"));
    assert_eq!(format!("{one:?}"), format!("{again:?}"));
}

//! Plays a fleet in virtual time, and says whether what is promised was kept.

#![expect(clippy::print_stdout, reason = "a command that prints a table")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use weighbridge_loadtest::simulation::fault::Fault;
use weighbridge_loadtest::simulation::run::{Outcome, Plan, run};

/// Plays a fleet in virtual time.
#[derive(Debug, Parser)]
struct Args {
    /// Where all random numbers start.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds are played, from that one on.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Replicas.
    #[arg(long, default_value_t = 40)]
    replicas: usize,
    /// Deployments.
    #[arg(long, default_value_t = 300)]
    deployments: usize,
    /// Minutes of virtual time.
    #[arg(long, default_value_t = 3)]
    minutes: u64,
    /// The most requests a second.
    #[arg(long, default_value_t = 5000.0)]
    rate: f64,
    /// What goes wrong: all, none, or names, separated by commas.
    #[arg(long, default_value = "all")]
    faults: String,
    /// How many violations are told.
    #[arg(long, default_value_t = 1)]
    tell: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(faults) = faults(&args.faults) else {
        println!("--faults: all, none, or of {}", Fault::ALL.map(Fault::name).join(", "));
        return ExitCode::FAILURE;
    };
    for seed in args.seed..args.seed + args.seeds {
        let plan = Plan {
            seed,
            replicas: args.replicas,
            deployments: args.deployments,
            lasts: Duration::from_secs(args.minutes * 60),
            rate: args.rate,
            faults: faults.clone(),
        };
        #[expect(clippy::disallowed_methods, reason = "how long it took is told, and nothing depends on it")]
        let began = Instant::now();
        let outcome = match run(&plan) {
            Ok(outcome) => outcome,
            Err(error) => {
                println!("no runtime: {error}");
                return ExitCode::FAILURE;
            }
        };
        tell(&args, seed, &outcome, began.elapsed());
        if !outcome.violations.is_empty() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn faults(names: &str) -> Option<Vec<Fault>> {
    match names {
        "all" => Some(Fault::ALL.to_vec()),
        "none" => Some(Vec::new()),
        names => names.split(',').map(Fault::named).collect(),
    }
}

fn tell(args: &Args, seed: u64, outcome: &Outcome, took: Duration) {
    let tally = &outcome.tally;
    println!(
        "seed {seed}: {} replicas, {} deployments, {} min, faults {}; {:.1} s",
        args.replicas,
        args.deployments,
        args.minutes,
        args.faults,
        took.as_secs_f64()
    );
    println!(
        "  asked {} granted {} (alone {}, probes {}) refused {} left {} settled {} died {} trips {} turns {}",
        tally.asked,
        tally.granted,
        tally.alone,
        tally.probes,
        tally.refused,
        tally.left,
        tally.settled,
        tally.died,
        tally.trips,
        tally.turns
    );
    let used = outcome.utilisation.map_or(String::new(), |used| format!("used {:.1} % of the limits; ", used * 100.0));
    println!("  {used}limits exceeded by {:.0} % of the bound at most", tally.most_exceeded * 100.0);
    println!("  violations: {}", outcome.violations.len());
    for (sort, (count, ms)) in &outcome.sorts {
        println!("  {count:>6} times, first at {ms} ms: {sort}");
    }
    for violation in outcome.violations.iter().take(args.tell) {
        println!("{violation}");
    }
}

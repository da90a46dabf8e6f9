//! How far a fleet exceeds its limits, and how far limiters with known holes do: a table.
//!
//! Ends with 1 when a limit was exceeded with Redis healthy, or when a control looks exact.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use weighbridge_loadtest::experiments::{
    Limiter, Survivors, Sustained, failover, stampede, sustained, sustained_alone,
};
use weighbridge_loadtest::load::Shape;
use weighbridge_loadtest::redis::{Program, Server, Setup};
use weighbridge_loadtest::report::Table;

/// Replica processes over a real Redis, under demand at and above their limits.
#[derive(Debug, Parser)]
struct Args {
    /// Windows of a minute that each long run lasts.
    #[arg(long, default_value_t = 3)]
    windows: u32,
    /// What the arrivals follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these runs.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Run {
    /// Poisson demand over Redis.
    Poisson,
    /// Poisson demand without Redis.
    Alone,
    /// Demand in bursts over Redis.
    Bursts,
    /// Poisson demand over Valkey.
    Valkey,
    /// A few seconds of far too much.
    Stampede,
    /// The same before limiters with known holes.
    Controls,
    /// A failover with lost writes, remembered and not.
    Failover,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let is_wanted = |run| args.only.is_empty() || args.only.contains(&run);
    let mut table = Table::default();
    // Several crowds: one may fill a limit to the last place by chance.
    for seed in args.seed..args.seed + 3 {
        if is_wanted(Run::Stampede) {
            stampede(Limiter::Shared, seed, &mut table).await;
        }
        if is_wanted(Run::Controls) {
            for limiter in [Limiter::Alone, Limiter::Racing, Limiter::Flushing] {
                stampede(limiter, seed, &mut table).await;
            }
        }
    }
    if is_wanted(Run::Failover) {
        for survivors in [Survivors::All, Survivors::None] {
            failover(survivors, args.seed, &mut table).await;
        }
    }
    let (windows, seed) = (args.windows, args.seed);
    if is_wanted(Run::Poisson) {
        let run = Sustained { name: "fleet", shape: Shape::Poisson, windows, seed };
        sustained(run, &Server::plain().await, &mut table).await;
    }
    if is_wanted(Run::Alone) {
        let run = Sustained { name: "control: each for itself, steadily", shape: Shape::Poisson, windows: 1, seed };
        sustained_alone(run, &mut table).await;
    }
    if is_wanted(Run::Bursts) {
        let shape = Shape::Bursts { on: Duration::from_secs(5), off: Duration::from_secs(10) };
        let run = Sustained { name: "fleet, bursts", shape, windows, seed };
        sustained(run, &Server::plain().await, &mut table).await;
    }
    if is_wanted(Run::Valkey)
        && let Some(valkey) = Program::valkey()
    {
        let run = Sustained { name: "fleet, Valkey", shape: Shape::Poisson, windows: 1, seed };
        sustained(run, &Server::start(Setup::plain().by(valkey)).await, &mut table).await;
    }
    println!("{table}");
    let (exceeded, blind) = verdict(&table);
    exceeded.iter().for_each(|run| println!("exceeded its limit: {run}"));
    blind.iter().for_each(|run| println!("looks exact, and cannot be: {run}"));
    if exceeded.is_empty() && blind.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The runs that exceeded a limit and may not, and the controls that exceeded none.
fn verdict(table: &Table) -> (Vec<&str>, Vec<&str>) {
    let runs: BTreeSet<_> = table.rows.iter().map(|row| row.run.as_str()).collect();
    let is_control = |run: &&str| run.starts_with("control");
    let exceeded = runs.iter().filter(|run| !is_control(run) && table.has_violations(run));
    let blind = runs.iter().filter(|run| is_control(run) && !table.has_violations(run));
    (exceeded.copied().collect(), blind.copied().collect())
}

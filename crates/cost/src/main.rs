//! What a request costs, counted in instructions and allocations, which no neighbour's load can move.

mod baseline;
mod callgrind;
mod case;
mod client;
mod cost;
mod growth;
mod guard;
mod http;
mod profile;
mod serve;
mod uncounted;
mod upstream;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::callgrind::Runs;
use crate::case::Case;
use crate::cost::Cost;

/// What a request costs.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Counts what requests cost, and compares it with the baseline in the repository.
    Guard {
        /// Makes what is counted the baseline.
        #[arg(long)]
        bless: bool,
    },
    /// Measures how a request's cost grows, and writes `docs/growth.md`.
    Growth {
        /// Measures one section only, and writes nothing.
        #[arg(long)]
        only: Option<growth::Section>,
    },
    /// Counts what the requests of some cases cost.
    Count {
        /// The cases' names: `chat-300b`, `deployments/1000`.
        cases: Vec<String>,
        /// Requests before counting begins.
        #[arg(long, default_value_t = Runs::USUAL.warm)]
        warm: usize,
        /// Requests that are counted.
        #[arg(long, default_value_t = Runs::USUAL.count)]
        count: usize,
    },
    /// Writes what Callgrind found about a case to a file, for `callgrind_annotate --inclusive=yes` and its like.
    Profile {
        /// The case's name.
        case: String,
        /// The file.
        to: PathBuf,
    },
    /// Serves one case, for Callgrind to count.
    Serve {
        /// The case's name.
        case: String,
        /// Requests before counting begins.
        #[arg(long, default_value_t = Runs::USUAL.warm)]
        warm: usize,
        /// Requests that are counted.
        #[arg(long, default_value_t = Runs::USUAL.count)]
        count: usize,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Guard { bless } => run(guard::run(&in_repository("crates/cost/baseline.txt"), bless)),
        Command::Growth { only: Some(section) } => run(growth::tell(section)),
        Command::Growth { only: None } => run(growth::run(&in_repository("docs/growth.md"))),
        Command::Count { cases, warm, count } => run(tell(cases, Runs { warm, count })),
        Command::Profile { case, to } => run(keep(case, to)),
        Command::Serve { case, warm, count } => serve_case(&case, warm, count),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => complain(&message),
    }
}

fn serve_case(name: &str, warm: usize, count: usize) -> Result<(), String> {
    let case = Case::named(name).ok_or_else(|| format!("there is no case {name:?}"))?;
    serve::run(case, warm, count).map_err(|error| error.to_string())
}

async fn tell(cases: Vec<String>, runs: Runs) -> Result<(), String> {
    let costs = callgrind::costs(cases.iter().map(|case| (case.clone(), runs)).collect()).await?;
    for (case, Cost { instructions, allocations, calls }) in cases.iter().zip(costs) {
        say(&format!("{case:<20}{instructions:>12.0}{allocations:>10.2}{calls:>8.2}"));
    }
    Ok(())
}

async fn keep(case: String, to: PathBuf) -> Result<(), String> {
    let profile = callgrind::profile(&case, Runs::USUAL).await?;
    std::fs::write(&to, profile).map_err(|error| format!("{}: {error}", to.display()))
}

/// Runs what only waits for other processes.
fn run(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}

/// Where a file of the repository is.
fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("")).join(path)
}

/// Tells the person at the terminal.
#[expect(clippy::print_stdout, reason = "a command-line tool")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Says on standard error why there is nothing more to do.
#[expect(clippy::print_stderr, reason = "a command-line tool's last words")]
fn complain(message: &str) -> ExitCode {
    eprintln!("cost: {message}");
    ExitCode::FAILURE
}

//! What a request costs, beside nginx, LiteLLM and Portkey: `cargo xtask bench` runs this and installs what it needs.
//!
//! Two processors are used: one for whoever is measured, one for who asks ([`load`]), who answers (`fakellm --bare`) and
//! Redis. Each round measures every target in every case, one after the other, while the others stand still ([`bench`],
//! [`themes`]); what is read goes into [`readings`], and [`report`] writes `docs/benchmarks.md` from them.

#![expect(clippy::expect_used, reason = "a harness that cannot start what it measures has nothing to report")]

mod args;
mod bench;
mod http;
mod lengths;
mod load;
mod machine;
mod process;
mod readings;
mod report;
mod stats;
mod targets;
mod themes;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::bench::Bench;
use crate::machine::Machine;
use crate::process::{Core, pin};

fn main() -> ExitCode {
    let args = Args::parse();
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        say("two processors are needed: one for whoever is measured, one for the load");
        return ExitCode::FAILURE;
    }
    pin(Core::Load, &[std::process::id()]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let readings = runtime.block_on(async {
        let mut bench = Bench::start(&args).await;
        bench.run().await;
        bench.into_readings()
    });
    let machine = Machine::look();
    match report::write(&args, &machine, &readings) {
        Ok(path) => say(&format!("written: {}", path.display())),
        Err(error) => {
            say(&format!("the document cannot be written: {error}"));
            return ExitCode::FAILURE;
        }
    }
    if readings.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells the person at the terminal.
#[expect(clippy::print_stderr, reason = "a command-line tool")]
fn say(text: &str) {
    eprintln!("{text}");
}

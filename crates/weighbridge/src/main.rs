//! The `weighbridge` command: wiring only.

mod args;
mod check;
mod demo;
mod explain;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

/// A request makes some hundred small allocations, and frees them on whatever thread it has come to.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().command();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("the runtime cannot be started: {error}")),
    };
    let done = match command {
        Command::Check(args) => return check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Serve(args) => runtime.block_on(serve::run(&args)),
        Command::Demo(args) => runtime.block_on(demo::run(&args)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => complain(&message),
    }
}

/// Says on standard error why there is nothing more to do.
#[expect(clippy::print_stderr, reason = "a command-line tool's last words")]
fn complain(message: &str) -> ExitCode {
    eprintln!("weighbridge: {message}");
    ExitCode::FAILURE
}

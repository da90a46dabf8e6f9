//! What CI and contributors call: `cargo xtask test`, `cargo xtask cost`, `cargo xtask bench`, `cargo xtask growth`,
//! `cargo xtask fleet`, `cargo xtask fuzz`, `cargo xtask setup`, `cargo xtask models FILE`.

mod bench;
mod cost;
mod fleet;
mod fuzz;
mod models;
mod run;
mod setup;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["test"] => test::all(),
        ["cost"] => cost::guard(),
        ["cost", "--bless"] => cost::bless(),
        ["growth"] => cost::growth(),
        ["fleet"] => fleet::all(),
        ["fuzz"] => fuzz::all("600"),
        ["fuzz", seconds] => fuzz::all(seconds),
        ["setup"] => setup::all(),
        ["bench", rest @ ..] => bench::all(rest),
        ["models", file] => models::extend(file),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            run::say(&format!("xtask: {message}"));
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "\
usage:
  cargo xtask test          install what the tests need, then run format, lints, unit, scenario, fleet and SDK tests
  cargo xtask cost          count the instructions, allocations and system calls of a request, and compare with the baseline
  cargo xtask cost --bless  make what is counted the baseline
  cargo xtask growth        measure how a request's cost grows with files, bodies, streams and fleets: docs/growth.md
  cargo xtask fleet         run fleets under load and faults for half an hour, and print what they exceeded
  cargo xtask fuzz [SECS]   give any bytes to each wire format's readers and writers, ten minutes each (needs cargo-fuzz)
  cargo xtask bench [--quick] [ONLY…]
                            measure what a request costs beside nginx, LiteLLM and Portkey, and write docs/benchmarks.md
  cargo xtask setup         only install what the tests call: Redis and Valgrind, and below target/ the SDKs and Valkey
  cargo xtask models FILE   add or replace rows of the model table from a file of the same columns";

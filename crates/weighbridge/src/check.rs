//! `weighbridge check`: every problem of a configuration at once.

use std::process::ExitCode;

use weighbridge_config::env::ProcessEnvironment;
use weighbridge_config::load;
use weighbridge_config::problem::Problem;
use weighbridge_providers::catalog::catalog;

use crate::args::ConfigFile;

/// Prints the problems and a verdict; exit 0 when the configuration can serve.
#[expect(clippy::print_stdout, reason = "the answer of this command")]
pub(crate) fn run(args: &ConfigFile) -> ExitCode {
    match load(&args.config, &catalog(), &ProcessEnvironment) {
        Ok(loaded) => {
            print_problems(&loaded.warnings);
            println!(
                "{}: ok, {} deployments in {} groups, {} left out, {} warnings",
                args.config.display(),
                loaded.table.deployments().count(),
                loaded.table.groups().count(),
                loaded.table.left_out().len(),
                loaded.warnings.len(),
            );
            ExitCode::SUCCESS
        }
        Err(refused) => {
            print_problems(&refused.problems);
            println!("{}", refused);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the answer of this command")]
fn print_problems(problems: &[Problem]) {
    for problem in problems {
        println!("{problem}");
    }
}

//! YAML dialects compiled to a routing table, with every problem named; hot reload.
//!
//! A file is read as nodes that know their line (`yaml`), the nodes are walked section by
//! section (`compile`), and what comes out is a [`RoutingTable`] and every [`Problem`] there is.

pub mod env;
pub mod objects;
pub mod problem;
pub mod watch;

mod aliases;
mod assembly;
mod auth;
mod base_url;
mod body;
mod compile;
mod deployment;
mod endpoint;
mod entry;
mod fallbacks;
mod groups;
mod identity;
mod include;
mod json;
mod known;
mod layers;
mod lend;
mod limits;
mod mock;
mod model_list;
mod models;
mod plans;
mod pools;
mod reader;
mod report;
mod retry;
mod scalar;
mod sections;
mod siblings;
mod smoothing;
mod store;
mod strategy_names;
mod suggest;
mod targets;
#[cfg(test)]
mod tests;
mod traits;
mod upstream;
mod variables;
mod yaml;

use std::path::{Path, PathBuf};

use weighbridge_domain::provider::Catalog;
use weighbridge_domain::table::RoutingTable;

use crate::env::Environment;
use crate::include::Source;
use crate::problem::{Problem, Severity};
use crate::report::Report;

/// A configuration that can serve.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub table: RoutingTable,
    /// What is odd about it; none of it is fatal.
    pub warnings: Vec<Problem>,
    /// The file and everything it includes, for the watch.
    pub files: Vec<PathBuf>,
}

/// A configuration that cannot serve: at least one of the problems is an error.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used", .path.display())]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// Errors and warnings alike, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Loads the file at `path` and everything it includes.
///
/// # Errors
/// When it cannot serve, with every problem it has.
pub fn load(path: &Path, catalog: &Catalog, environment: &dyn Environment) -> Result<Loaded, Box<Refused>> {
    let report = Report::default();
    let source = include::read(path, &report);
    finish(path, source, report, catalog, environment)
}

/// Loads configuration text that stands in no file; `include` is an error in it.
///
/// # Errors
/// When it cannot serve, with every problem it has.
pub fn load_text(text: &str, catalog: &Catalog, environment: &dyn Environment) -> Result<Loaded, Box<Refused>> {
    let report = Report::default();
    let source = include::read_text(text, &report);
    finish(Path::new("-"), source, report, catalog, environment)
}

fn finish(
    path: &Path,
    source: Source,
    report: Report,
    catalog: &Catalog,
    environment: &dyn Environment,
) -> Result<Loaded, Box<Refused>> {
    // What follows from a file that could not be read is no problem of its own.
    let table = if report.has_errors() {
        RoutingTable::default()
    } else {
        compile::compile(&source, &report, catalog, environment)
    };
    let problems = report.into_problems();
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(Box::new(Refused { path: path.to_owned(), problems }));
    }
    Ok(Loaded { table, warnings: problems, files: source.files })
}

//! YAML dialects compiled to a routing table, with every problem named; hot reload.
//!
//! A file is read as nodes that know their line ([`yaml`]), the nodes are walked section by
//! section, and what comes out is a [`RoutingTable`] and every [`problem::Problem`] there is.

pub mod env;
pub mod problem;

use std::path::{Path, PathBuf};

use weighbridge_domain::provider::Catalog;
use weighbridge_domain::table::RoutingTable;

use crate::env::Environment;
use crate::problem::Problem;

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
    let _ = (catalog, environment);
    Err(Box::new(Refused { path: path.to_owned(), problems: Vec::new() }))
}

/// Loads configuration text that stands in no file; `include` is an error in it.
///
/// # Errors
/// When it cannot serve, with every problem it has.
pub fn load_text(text: &str, catalog: &Catalog, environment: &dyn Environment) -> Result<Loaded, Box<Refused>> {
    let _ = (text, catalog, environment);
    Err(Box::new(Refused { path: PathBuf::from("-"), problems: Vec::new() }))
}

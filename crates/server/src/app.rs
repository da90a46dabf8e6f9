//! What every handler shares.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use weighbridge_engine::Engine;

use crate::admission::Admission;
use crate::configs::Configs;
use crate::drain::Drain;
use crate::id::Ids;
use crate::reports::Reports;
use crate::snapshot::Snapshot;

/// What the HTTP surface is made of.
#[derive(Debug)]
pub struct AppParts {
    /// Who runs requests.
    pub engine: Arc<Engine>,
    /// Who prints `/metrics`.
    pub metrics: Arc<dyn MetricsPage>,
    /// Who loads the configuration anew.
    pub reload: Arc<dyn Reload>,
    /// When the end begins.
    pub drain: Drain,
}

/// Prints the page that Prometheus reads.
pub trait MetricsPage: Send + Sync + fmt::Debug {
    /// The page in Prometheus' text format: what was counted, and what `snapshot` shows.
    ///
    /// # Errors
    /// Why it cannot be printed, for the log.
    fn render(&self, snapshot: &Snapshot) -> Result<String, String>;
}

/// Loads the configuration anew and puts it in force.
pub trait Reload: Send + Sync + fmt::Debug {
    /// Does so. When it cannot serve, nothing has changed and every problem is told, a line each.
    fn reload(&self) -> Reloading<'_>;
}

/// A reload under way.
pub type Reloading<'a> = Pin<Box<dyn Future<Output = Result<Reloaded, Vec<String>>> + Send + 'a>>;

/// A configuration that has been put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Its number, counted from 1.
    pub generation: u64,
    /// What is odd about it, a line each.
    pub warnings: Vec<String>,
}

/// What every handler shares.
#[derive(Debug)]
pub struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: Arc<dyn MetricsPage>,
    pub(crate) reload: Arc<dyn Reload>,
    pub(crate) drain: Drain,
    pub(crate) admission: Admission,
    pub(crate) configs: Configs,
    pub(crate) ids: Ids,
    pub(crate) reports: Reports,
}

impl App {
    /// An HTTP surface made of `parts`, with nobody in it yet.
    pub fn new(parts: AppParts) -> Arc<Self> {
        Arc::new(Self {
            engine: parts.engine,
            metrics: parts.metrics,
            reload: parts.reload,
            drain: parts.drain,
            admission: Admission::default(),
            configs: Configs::default(),
            ids: Ids::new(),
            reports: Reports::default(),
        })
    }

    /// Requests being served, streams included.
    pub fn in_flight(&self) -> usize {
        self.admission.in_flight()
    }
}

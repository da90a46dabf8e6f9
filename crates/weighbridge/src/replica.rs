//! One replica: an engine, the configuration it came from, and who is told what happens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use weighbridge_config::env::ProcessEnvironment;
use weighbridge_config::{Loaded, Refused, load, load_text};
use weighbridge_domain::event::{Event, Observer};
use weighbridge_domain::table::RoutingTable;
use weighbridge_engine::Engine;
use weighbridge_providers::catalog::catalog;
use weighbridge_server::{App, AppParts, Drain, MetricsPage, Reload, Reloaded, Reloading, Snapshot};
use weighbridge_state::{Exposure, Mode, SharedState};
use weighbridge_telemetry::logs::RequestLog;
use weighbridge_telemetry::metrics::{Metrics, Overshoot, Scrape};
use weighbridge_telemetry::observers::Observers;
use weighbridge_telemetry::records::{Waiting, Writer, recorder};

use crate::router::{BuildError, engine};

/// Between two times at which records are written.
const RECORDS_PAUSE: Duration = Duration::from_millis(250);
/// How long a table is held on to that is no longer in force.
const LET_GO: Duration = Duration::from_secs(30);
/// How long the last records are waited for.
const RECORDS_PATIENCE: Duration = Duration::from_secs(1);

/// One replica, ready to be served.
#[derive(Debug)]
pub struct Replica {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    /// Records of requests that have ended, until somebody writes them down.
    records: std::sync::Mutex<Option<Writer>>,
    unwritten: Waiting,
    /// Where the configuration stands; `None` when it was given as text.
    file: Option<PathBuf>,
    /// Held while another configuration is put in force.
    in_force: Mutex<InForce>,
}

/// The configuration in force.
#[derive(Debug)]
struct InForce {
    /// Its number, counted from 1.
    generation: u64,
    /// The files it came from.
    files: Vec<PathBuf>,
}

impl Replica {
    /// A replica by the file at `path`.
    ///
    /// # Errors
    /// When the configuration cannot serve, with every problem it has.
    pub fn from_file(path: &Path) -> Result<Arc<Self>, BuildError> {
        Self::from_loaded(load(path, &catalog(), &ProcessEnvironment)?, Some(path.to_owned()))
    }

    /// A replica by configuration text; it cannot be reloaded.
    ///
    /// # Errors
    /// When the configuration cannot serve, with every problem it has.
    pub fn from_yaml(text: &str) -> Result<Arc<Self>, BuildError> {
        Self::from_loaded(load_text(text, &catalog(), &ProcessEnvironment)?, None)
    }

    /// A replica by a configuration that is loaded already, and stands in `file`.
    ///
    /// # Errors
    /// When the HTTP client or the metrics cannot be set up.
    pub fn from_loaded(mut loaded: Loaded, file: Option<PathBuf>) -> Result<Arc<Self>, BuildError> {
        let metrics =
            Metrics::new(env!("CARGO_PKG_VERSION")).map_err(|error| BuildError::Metrics(error.to_string()))?;
        let metrics = Arc::new(metrics);
        let in_force = Mutex::new(InForce { generation: 1, files: std::mem::take(&mut loaded.files) });
        let (recorder, writer, unwritten) = recorder();
        let observers =
            Observers(vec![Arc::clone(&metrics) as Arc<dyn Observer>, Arc::new(RequestLog), Arc::new(recorder)]);
        let engine = Arc::new(engine(loaded, Arc::new(observers))?);
        let records = std::sync::Mutex::new(Some(writer));
        let replica = Self { engine, metrics, records, unwritten, file, in_force };
        tell_loaded(&replica.engine, &replica.metrics, &replica.engine.table(), 1);
        Ok(Arc::new(replica))
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The files the configuration in force came from, for a watch.
    pub async fn files(&self) -> Vec<PathBuf> {
        self.in_force.lock().await.files.clone()
    }

    /// The HTTP surface of this replica, which ends with `drain`; must be made within a tokio runtime.
    pub fn app(self: &Arc<Self>, drain: Drain) -> Arc<App> {
        if let Some(writer) = self.records.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tokio::spawn(write_records(writer, Arc::clone(self.engine.state())));
        }
        App::new(AppParts {
            engine: Arc::clone(&self.engine),
            metrics: Arc::clone(self) as Arc<dyn MetricsPage>,
            reload: Arc::clone(self) as Arc<dyn Reload>,
            drain,
        })
    }

    /// Leaves the fleet, once the last records of requests are written or have been waited for long enough.
    pub async fn leave(&self) {
        let give_up_at = Instant::now() + RECORDS_PATIENCE;
        while self.unwritten.count() > 0 && Instant::now() < give_up_at {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.engine.state().close().await;
    }

    async fn load_again(&self) -> Result<Reloaded, Vec<String>> {
        let Some(file) = self.file.clone() else {
            return Err(vec!["this router was started from text: there is no file to load again".to_owned()]);
        };
        // One at a time, so that the later file wins.
        let mut in_force = self.in_force.lock().await;
        let loading = tokio::task::spawn_blocking(move || load(&file, &catalog(), &ProcessEnvironment));
        let loaded = match loading.await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(refused)) => return Err(self.refuse(&refused)),
            Err(_) => return Err(vec!["loading the configuration failed".to_owned()]),
        };
        *in_force = InForce { generation: in_force.generation + 1, files: loaded.files };
        let generation = in_force.generation;
        let mut warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        let mut table = loaded.table;
        let store = &self.engine.table().store;
        if table.store != *store {
            warnings.push(
                "warning: where counters live has changed; this process keeps the store it began with: start it anew"
                    .to_owned(),
            );
            table.store.clone_from(store);
        }
        let table = Arc::new(table);
        let (engine, metrics) = (Arc::clone(&self.engine), Arc::clone(&self.metrics));
        // Thousands of deployments take milliseconds, in which this thread serves requests.
        let adopting = tokio::task::spawn_blocking(move || {
            let old = engine.adopt(Arc::clone(&table));
            tell_loaded(&engine, &metrics, &table, generation);
            old
        });
        if let Ok(old) = adopting.await {
            tokio::spawn(let_go(old));
        }
        Ok(Reloaded { generation, warnings })
    }

    /// Tells why a configuration was not put in force.
    fn refuse(&self, refused: &Refused) -> Vec<String> {
        let problems: Vec<String> = refused.problems.iter().map(ToString::to_string).collect();
        self.engine.observer().observe(&Event::ConfigRefused { problems: &problems.join("\n") });
        problems
    }
}

fn tell_loaded(engine: &Engine, metrics: &Metrics, table: &RoutingTable, generation: u64) {
    metrics.adopt(table);
    engine.observer().observe(&Event::ConfigLoaded {
        generation,
        fingerprint: &table.fingerprint,
        deployments: table.deployments().count(),
        left_out: table.left_out().len(),
    });
}

/// Lets go of a table that is no longer in force once most requests that began with it are over: whoever is the last to do
/// so takes it down, and that is to be no thread that serves requests.
async fn let_go(table: Arc<RoutingTable>) {
    tokio::time::sleep(LET_GO).await;
    tokio::task::spawn_blocking(move || drop(table));
}

/// Writes down what a recorder has taken, for as long as there is one.
async fn write_records(mut writer: Writer, state: Arc<dyn SharedState>) {
    while let Some((records, lost)) = writer.next().await {
        if lost > 0 {
            tracing::warn!(lost, "records of requests were lost: they came faster than they could be written");
        }
        state.keep(records).await;
        // What ends meanwhile is written with one call.
        tokio::time::sleep(RECORDS_PAUSE).await;
    }
}

impl Reload for Replica {
    fn reload(&self) -> Reloading<'_> {
        Box::pin(self.load_again())
    }
}

impl MetricsPage for Replica {
    fn render(&self, snapshot: &Snapshot) -> Result<String, String> {
        let of = |exposure: &Exposure| Overshoot { requests: exposure.requests, tokens: exposure.tokens };
        let overshoot: Vec<Overshoot> = snapshot.exposure.iter().map(of).collect();
        let scrape = Scrape {
            table: &snapshot.table,
            views: &snapshot.views,
            mode: snapshot.status.mode.label(),
            modes: &Mode::ALL.map(Mode::label),
            replicas: snapshot.status.replicas,
            overshoot: &overshoot,
            now: snapshot.now,
        };
        self.metrics.render(&scrape).map_err(|error| error.to_string())
    }
}

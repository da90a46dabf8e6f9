//! `weighbridge serve`: a replica until SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use weighbridge::BuildError;
use weighbridge::replica::Replica;
use weighbridge_config::env::ProcessEnvironment;
use weighbridge_config::load;
use weighbridge_config::watch::Watch;
use weighbridge_providers::catalog::catalog;
use weighbridge_server::{Drain, Reload, serve};
use weighbridge_state::Mode;
use weighbridge_telemetry::logs::{self, Format};

use crate::args::Serve;
use crate::signals;

/// How long the shared store is waited for before the first request is served.
const JOIN_PATIENCE: Duration = Duration::from_secs(1);

/// Runs a replica to its end.
///
/// # Errors
/// What keeps it from starting, in words for the terminal.
pub(crate) async fn run(args: &Serve) -> Result<(), String> {
    let path = &args.file.config;
    let loaded =
        load(path, &catalog(), &ProcessEnvironment).map_err(|refused| BuildError::from(refused).to_string())?;
    let format = if loaded.table.server.json_logs { Format::Json } else { Format::Human };
    logs::init(&args.log, format).map_err(|error| error.to_string())?;
    warn(loaded.warnings.iter().map(ToString::to_string));
    let replica = Replica::from_loaded(loaded, Some(path.clone())).map_err(|error| error.to_string())?;
    let address = SocketAddr::new(args.listen.ip(), args.port.unwrap_or(args.listen.port()));
    let listener = listen(address).await?;
    // Port 0 means any: the log tells which it came to be.
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let drain = Drain::new();
    join_fleet(&replica).await;
    tokio::spawn(reload_on_change(Arc::clone(&replica)));
    tokio::spawn(reload_on_hangup(Arc::clone(&replica)));
    tokio::spawn(drain_on_signal(drain.clone()));
    tracing::info!(%address, config = %path.display(), "serving");
    let served = serve(listener, replica.app(drain.clone()), drain).await.map_err(|error| error.to_string());
    // Whoever else is in the fleet need not wait to find this replica gone.
    replica.leave().await;
    served
}

/// Waits until the shared store is joined: a replica that serves before that takes a share that others may be using.
/// One that cannot be reached is not waited for longer than a moment.
async fn join_fleet(replica: &Replica) {
    let state = replica.engine().state();
    let give_up_at = Instant::now() + JOIN_PATIENCE;
    while state.status().mode == Mode::Local && Instant::now() < give_up_at {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Loads the configuration anew whenever one of its files changed.
async fn reload_on_change(replica: Arc<Replica>) {
    let mut files = replica.files().await;
    let mut watch = watch(&files);
    while let Some(changes) = &mut watch
        && changes.changed().await.is_some()
    {
        loop {
            // A link may lead elsewhere now. Begun before the files are read, so that a change
            // while they are is noticed too.
            watch = self::watch(&files);
            reload(&replica).await;
            let read = replica.files().await;
            if read == files {
                break;
            }
            files = read;
        }
    }
}

fn watch(files: &[PathBuf]) -> Option<Watch> {
    match Watch::start(files) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "after a change, send SIGHUP or POST /router/reload");
            None
        }
    }
}

/// Loads the configuration anew at every SIGHUP.
async fn reload_on_hangup(replica: Arc<Replica>) {
    let Some(mut hangups) = signals::hangups() else { return };
    while hangups.recv().await.is_some() {
        reload(&replica).await;
    }
}

/// Loads the configuration anew. The log tells what was refused.
async fn reload(replica: &Replica) {
    if let Ok(reloaded) = replica.reload().await {
        warn(reloaded.warnings);
    }
}

/// Logs what is odd about a configuration; the level says already that it is a warning.
fn warn(warnings: impl IntoIterator<Item = String>) {
    for warning in warnings {
        tracing::warn!("{}", warning.trim_start_matches("warning: "));
    }
}

/// A socket at `address`.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; choose another with --listen or PORT"))
}

/// Begins the end at SIGTERM or SIGINT.
pub(crate) async fn drain_on_signal(drain: Drain) {
    signals::terminated().await;
    tracing::info!("draining: readiness is off, requests under way are finished");
    drain.begin();
}

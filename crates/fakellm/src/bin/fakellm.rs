//! Simulated LLM providers: `fakellm --listen 127.0.0.1:9001 --script providers.yaml`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use weighbridge_fakellm::{FakeLlm, Script, ScriptError};

/// Simulated LLM providers: latency, rate limits, errors, broken streams.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen.
    #[arg(long, env = "FAKELLM_LISTEN", default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// How the providers behave, as YAML. Without it all answer at once and without fault.
    #[arg(long, env = "FAKELLM_SCRIPT", value_name = "FILE")]
    script: Option<PathBuf>,
}

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("{path}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Bad { path: PathBuf, source: ScriptError },
    #[error("cannot listen on {listen}: {source}")]
    Listen { listen: SocketAddr, source: io::Error },
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed nobody reads the reason.
            _ = writeln!(io::stderr(), "fakellm: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Args { listen, script }: Args) -> Result<(), StartError> {
    let script = script.as_deref().map_or_else(|| Ok(Script::default()), read)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let running = FakeLlm::new(script).spawn(listen).await.map_err(|source| StartError::Listen { listen, source })?;
    // Where standard output is closed nobody waits for the address.
    _ = writeln!(io::stdout(), "fakellm listens on http://{}", running.address());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(())
}

fn read(path: &Path) -> Result<Script, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::Unreadable { path: path.into(), source })?;
    Script::from_yaml(&text).map_err(|source| StartError::Bad { path: path.into(), source })
}

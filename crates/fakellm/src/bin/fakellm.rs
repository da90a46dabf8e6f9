//! Simulated LLM providers: `fakellm --listen 127.0.0.1:9001 --script providers.yaml`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use weighbridge_fakellm::{FakeLlm, Script, ScriptError, bare};

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
    /// Give everybody the same few answers, on one thread and as fast as that goes: for benchmarks. Streams below
    /// `/paced`, `/burst` and `/slow`.
    #[arg(long, conflicts_with = "script")]
    bare: bool,
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
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut runtime = if args.bare { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let done = runtime.enable_all().build().map_err(StartError::Runtime);
    match done.and_then(|runtime| runtime.block_on(run(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed nobody reads the reason.
            _ = writeln!(io::stderr(), "fakellm: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Args { listen, script, bare }: Args) -> Result<(), StartError> {
    let cannot_listen = |source| StartError::Listen { listen, source };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let ended = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    if bare {
        let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
        announce(listener.local_addr().map_err(cannot_listen)?);
        return tokio::select! {
            failed = bare::serve(listener) => failed.map_err(cannot_listen),
            () = ended => Ok(()),
        };
    }
    let script = script.as_deref().map_or_else(|| Ok(Script::default()), read)?;
    let running = FakeLlm::new(script).spawn(listen).await.map_err(cannot_listen)?;
    announce(running.address());
    ended.await;
    running.stop().await;
    Ok(())
}

fn announce(address: SocketAddr) {
    // Where standard output is closed nobody waits for the address.
    _ = writeln!(io::stdout(), "fakellm listens on http://{address}");
}

fn read(path: &Path) -> Result<Script, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::Unreadable { path: path.into(), source })?;
    Script::from_yaml(&text).map_err(|source| StartError::Bad { path: path.into(), source })
}

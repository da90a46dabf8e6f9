//! What can be typed on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A router for LLM fleets: LiteLLM's config.yaml, limits that hold. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "weighbridge", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

impl Cli {
    /// What to do; `serve` when nothing was said.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a replica. SIGTERM drains, SIGHUP reloads.
    Serve(Serve),
    /// Print every problem of a configuration. Exit 0 when it can serve.
    Check(ConfigFile),
    /// Print the way a request would take, and why; calls no provider.
    Explain(Explain),
    /// Run simulated providers and a router on loopback: no keys, no Redis.
    Demo(Demo),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The deployment list.
    #[arg(long, env = "WEIGHBRIDGE_CONFIG", default_value = "router_config.yaml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Where to listen.
    #[arg(long, default_value = "0.0.0.0:8000")]
    pub(crate) listen: SocketAddr,
    /// Overrides the port of --listen.
    #[arg(long, env = "PORT")]
    pub(crate) port: Option<u16>,
    /// Which log lines to print (`warn`, `info`, `weighbridge_telemetry=debug`, …).
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub(crate) log: String,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// A header of the request, as `Name: value`. May be given often.
    #[arg(long)]
    pub(crate) header: Vec<String>,
    /// The request's JSON body: a file, or `-` for standard input.
    #[arg(long, default_value = "-")]
    pub(crate) request: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the router listens.
    #[arg(long, default_value = "127.0.0.1:8000")]
    pub(crate) listen: SocketAddr,
    /// End after the tour instead of staying up for curl.
    #[arg(long)]
    pub(crate) once: bool,
}

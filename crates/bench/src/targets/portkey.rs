//! Portkey's gateway, as `cargo xtask bench` installs it.

use std::path::PathBuf;
use std::time::Duration;

use super::launch::{free_address, launch};
use super::{Dialect, Kind, Peer, SMALL, Target, Upstream};
use crate::machine::tools;
use crate::process::{Core, pinned};

const PATIENCE: Duration = Duration::from_secs(60);

/// Where it is, when it is there.
pub(crate) fn installed() -> PathBuf {
    tools().join("portkey/node_modules/@portkey-ai/gateway")
}

impl Target {
    /// Starts it; requests tell it where the upstream is.
    ///
    /// # Errors
    /// When it does not start; it may not be installed.
    pub(crate) async fn portkey(upstream: &Upstream) -> Result<Self, String> {
        let script = installed().join("build/start-server.js");
        if !script.exists() {
            return Err("it is not installed".to_owned());
        }
        let address = free_address();
        let mut command = pinned(Core::Proxy, "node");
        command.arg(script).args([&format!("--port={}", address.port()), "--headless"]).env("NODE_ENV", "production");
        let mut target = Self {
            name: Peer::PORTKEY,
            addresses: vec![address],
            first: Duration::ZERO,
            dialect: Dialect::Portkey { upstream: upstream.address },
            processes: Vec::new(),
            _files: None,
        };
        let (process, first) = launch(command, address, &target.ask(Kind::Chat(SMALL)), PATIENCE).await?;
        target.processes.push(process);
        target.first = first;
        Ok(target)
    }
}

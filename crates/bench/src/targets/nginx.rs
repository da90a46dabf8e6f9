//! nginx as a plain reverse proxy: it looks at nothing, and is the limit.

use std::time::Duration;

use super::launch::{free_address, launch};
use super::{Dialect, Kind, Peer, SMALL, Target, Upstream};
use crate::process::{Core, pinned};

const PATIENCE: Duration = Duration::from_secs(10);

impl Target {
    /// Starts it with one worker: connections kept on both sides, nothing buffered, no access log.
    ///
    /// # Errors
    /// When it does not start; it may not be installed.
    pub(crate) async fn nginx(upstream: &Upstream) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let address = free_address();
        let path = directory.path().join("nginx.conf");
        let text = include_str!("nginx.conf")
            .replace("{directory}", &directory.path().display().to_string())
            .replace("{listen}", &address.to_string())
            .replace("{upstream}", &upstream.address.to_string());
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
        let mut command = pinned(Core::Proxy, "nginx");
        command.arg("-p").arg(directory.path()).arg("-c").arg(&path).args(["-e", "stderr"]);
        let mut target = Self {
            name: Peer::NGINX,
            addresses: vec![address],
            first: Duration::ZERO,
            dialect: Dialect::Plain,
            processes: Vec::new(),
            _files: Some(directory),
        };
        let (process, first) = launch(command, address, &target.ask(Kind::Chat(SMALL)), PATIENCE).await?;
        target.processes.push(process);
        target.first = first;
        Ok(target)
    }
}

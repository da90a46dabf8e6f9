//! LiteLLM's proxy, as `cargo xtask bench` installs it.

use std::path::PathBuf;
use std::time::Duration;

use super::launch::{free_address, launch};
use super::{Dialect, Kind, Peer, SMALL, Target, Upstream, base, group};
use crate::machine::tools;
use crate::process::{Core, pinned};

const PATIENCE: Duration = Duration::from_secs(120);

/// Where it is, when it is there.
pub(crate) fn installed() -> PathBuf {
    tools().join("litellm")
}

impl Target {
    /// Starts it with one worker, without database and limits: a deployment a group.
    ///
    /// # Errors
    /// When it does not start; it may not be installed.
    pub(crate) async fn litellm(upstream: &Upstream) -> Result<Self, String> {
        let program = installed().join("bin/litellm");
        if !program.exists() {
            return Err("it is not installed".to_owned());
        }
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = directory.path().join("config.yaml");
        std::fs::write(&path, config(upstream)).map_err(|error| error.to_string())?;
        let address = free_address();
        let mut command = pinned(Core::Proxy, program);
        command.arg("--config").arg(&path).args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--num_workers", "1", "--telemetry", "False"]);
        // Without the first it asks the network for prices, without the second it looks for a `.env` and prints more, and
        // without the last it does not start without a key. The others here ask for none either.
        command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LITELLM_MODE", "PRODUCTION");
        command.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
        command.env("LITELLM_LOG", "ERROR").current_dir(directory.path());
        let mut target = Self {
            name: Peer::LITELLM,
            addresses: vec![address],
            first: Duration::ZERO,
            dialect: Dialect::Groups,
            processes: Vec::new(),
            _files: Some(directory),
        };
        let (process, first) = launch(command, address, &target.ask(Kind::Chat(SMALL)), PATIENCE).await?;
        target.processes.push(process);
        target.first = first;
        Ok(target)
    }
}

fn config(upstream: &Upstream) -> String {
    let rows = [
        (Kind::Chat(SMALL), "gpt-4o-mini"),
        (Kind::Embeddings, "text-embedding-3-small"),
        (Kind::Paced, "gpt-4o-mini"),
        (Kind::Burst, "gpt-4o-mini"),
        (Kind::Slow, "gpt-4o-mini"),
    ]
    .map(|(kind, model)| {
        let base = format!("http://{}{}", upstream.address, base(kind));
        format!(
            "  - {{ model_name: {}, litellm_params: {{ model: openai/{model}, api_base: \"{base}\", api_key: sk-x }} }}\n",
            group(kind)
        )
    });
    format!("model_list:\n{}litellm_settings: {{ telemetry: false }}\n", rows.concat())
}

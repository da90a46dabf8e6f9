//! Weighbridge, with limits that are counted and do not bind.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use weighbridge_loadtest::http::Client;
use weighbridge_loadtest::redis::Server;

use super::launch::{free_address, launch};
use super::{Dialect, Kind, Router, SMALL, Target, Upstream, base, group};
use crate::machine::binary;
use crate::process::{Core, pinned};

const PATIENCE: Duration = Duration::from_secs(20);
/// In each group.
const DEPLOYMENTS: usize = 4;
/// Limits that are counted and never reached.
const AMPLE: &str = "rpm: 400000000, tpm: 40000000000";

/// Where its counters live.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State<'a> {
    /// In the process.
    Embedded,
    /// In a Redis, shared by so many replicas.
    Redis(&'a Server, usize),
}

/// What it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// Warnings.
    Warnings,
    /// A line for each request.
    Requests,
}

impl Target {
    /// Starts its replicas, all on one processor.
    ///
    /// # Errors
    /// When one does not start, or they do not agree on their Redis.
    pub(crate) async fn weighbridge(upstream: &Upstream, state: State<'_>, log: Log) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = directory.path().join("config.yaml");
        std::fs::write(&path, config(upstream, state)).map_err(|error| error.to_string())?;
        let (name, replicas) = match (state, log) {
            (State::Embedded, Log::Warnings) => (Router::EMBEDDED, 1),
            (State::Embedded, Log::Requests) => (Router::LOGGING, 1),
            (State::Redis(_, 1), _) => (Router::REDIS_1, 1),
            (State::Redis(_, replicas), _) => (Router::REDIS_3, replicas),
        };
        let mut target = Self {
            name,
            addresses: (0..replicas).map(|_| free_address()).collect(),
            first: Duration::ZERO,
            dialect: Dialect::Groups,
            processes: Vec::new(),
            _files: Some(directory),
        };
        let ask = target.ask(Kind::Chat(SMALL));
        let level = if log == Log::Requests { "info" } else { "warn" };
        for address in target.addresses.clone() {
            let mut command = pinned(Core::Proxy, binary("weighbridge"));
            command
                .args(["serve", "--listen", &address.to_string(), "--log", level, "--config"])
                .arg(&path)
                .env_clear();
            let (process, first) = launch(command, address, &ask, PATIENCE).await?;
            target.processes.push(process);
            target.first = target.first.max(first);
        }
        if matches!(state, State::Redis(..)) {
            target.is_in("shared").await?;
        }
        Ok(target)
    }

    /// Waits until all replicas say that the truth is there.
    ///
    /// # Errors
    /// When one does not say so for long.
    pub(crate) async fn is_in(&self, mode: &str) -> Result<(), String> {
        let give_up_at = Instant::now() + PATIENCE;
        for address in &self.addresses {
            let client = Client::new(*address);
            loop {
                let found = client.get("/router/deployments").await.json()["mode"].clone();
                if found == mode {
                    break;
                }
                if Instant::now() > give_up_at {
                    return Err(format!("its truth is {found} and not {mode}:\n{}", self.last_words()));
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// The same replicas under the name that they have once their Redis is gone.
    pub(crate) fn renamed_away(mut self) -> Self {
        self.name = Router::AWAY;
        self
    }
}

fn config(upstream: &Upstream, state: State<'_>) -> String {
    let rows = [
        (Kind::Chat(SMALL), "gpt-4o-mini", AMPLE),
        (Kind::Embeddings, "text-embedding-3-small", AMPLE),
        (Kind::Paced, "gpt-4o-mini", AMPLE),
        (Kind::Burst, "gpt-4o-mini", AMPLE),
        (Kind::Slow, "gpt-4o-mini", AMPLE),
        (Kind::Tight, "gpt-4o-mini", "rpm: 2, tpm: 40000000000"),
    ];
    let mut text = "model_list:\n".to_owned();
    for (kind, model, limits) in rows {
        let (group, base) = (group(kind), format!("http://{}{}", upstream.address, base(kind)));
        for number in 0..DEPLOYMENTS {
            _ = writeln!(
                text,
                "  - {{ model_name: {group}, model_info: {{ id: {group}-{number} }}, litellm_params: {{ \
                 model: openai/{model}, api_base: \"{base}\", api_key: sk-x, {limits} }} }}"
            );
        }
    }
    text += "virtual_keys:\n";
    for name in LEAVES {
        let base = format!("http://{}/v1", upstream.address);
        _ = writeln!(text, "  {name}: {{ provider: openai, api_key: sk-x, custom_host: \"{base}\", {AMPLE} }}");
    }
    text += "server: { drain_delay: 0, drain_timeout: 1 }\n";
    text += &match state {
        State::Embedded => "state: { store: memory }\n".to_owned(),
        State::Redis(server, _) => format!("state: {{ store: redis, redis: {{ url: \"{}\" }} }}\n", server.url()),
    };
    text
}

/// The virtual keys at the leaves of the config object.
const LEAVES: [&str; 5] = ["a", "b", "c", "rest", "rescue"];

/// Conditions, turns and fallbacks, five deep, down to virtual keys that have limits.
pub(super) fn tree() -> String {
    let leaf = |key: &str| json!({ "name": key, "virtual_key": key, "override_params": { "temperature": 0.5 } });
    let fallback = |name: &str, first: Value| {
        let strategy = json!({ "mode": "fallback", "on_status_codes": [429, 500] });
        json!({ "name": name, "strategy": strategy, "targets": [first, leaf("rescue")] })
    };
    let balance = |first: Value, second: Value| json!({ "strategy": { "mode": "loadbalance" }, "targets": [first, second], "override_params": { "top_p": 0.9 } });
    let inner = balance(fallback("one", leaf("a")), fallback("two", leaf("b")));
    let middle = fallback("gold", balance(fallback("three", inner), leaf("c")));
    let is_gold = json!({ "query": { "metadata.tier": { "$eq": "gold" } }, "then": "gold" });
    json!({
        "retry": { "attempts": 2 },
        "strategy": { "mode": "conditional", "conditions": [is_gold], "default": "rest" },
        "targets": [leaf("rest"), middle],
    })
    .to_string()
}

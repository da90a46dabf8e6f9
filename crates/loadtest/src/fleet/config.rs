//! The configuration of a replica.

use std::fmt::Write;

use super::providers::Providers;

/// What a replica is configured with.
#[derive(Debug, Clone)]
pub struct Config {
    deployments: Vec<Deployment>,
    store: Store,
    /// Further lines of its `state.redis` section, each `name: value`.
    redis: Vec<String>,
    /// Further sections.
    rest: String,
}

/// Where its counters live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In the replica.
    Memory,
    /// In Redis, which these lines of the `state.redis` section lead to.
    Redis(Vec<String>),
}

/// A deployment: the provider of the same name, in a group of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id, its group's name and its provider's.
    pub name: String,
    /// Its limits, as the configuration has them: `rpm: 60`.
    pub limits: String,
    /// The kind of provider: `openai` gives nothing back of what was reserved, `hosted_vllm` does.
    pub kind: &'static str,
}

impl Deployment {
    /// A deployment of a provider that gives nothing back.
    pub fn new(name: &str, limits: &str) -> Self {
        Self { name: name.to_owned(), limits: limits.to_owned(), kind: "openai" }
    }
}

impl Store {
    /// In the Redis at `url`, together with all that use the same.
    pub fn redis(url: &str) -> Self {
        Self::Redis(vec![format!("url: \"{url}\"")])
    }
}

impl Config {
    /// A configuration of `deployments` that share their limits through `store`.
    pub fn new(deployments: &[Deployment], store: Store) -> Self {
        Self { deployments: deployments.to_vec(), store, redis: Vec::new(), rest: String::new() }
    }

    /// With a further line in its `state.redis` section.
    #[must_use]
    pub fn with_redis(mut self, line: &str) -> Self {
        self.redis.push(line.to_owned());
        self
    }

    /// With a further section.
    #[must_use]
    pub fn with(mut self, section: &str) -> Self {
        self.rest += section;
        self.rest += "\n";
        self
    }

    /// The file.
    pub fn text(&self, providers: &Providers) -> String {
        let mut text = "model_list:\n".to_owned();
        for Deployment { name, limits, kind } in &self.deployments {
            let base = providers.base(name);
            writeln!(
                text,
                "  - {{ model_name: {name}, model_info: {{ id: {name} }}, litellm_params: {{ model: {kind}/m, \
                 api_base: \"{base}\", api_key: sk-own, {limits} }} }}"
            )
            .expect("text grows");
        }
        // One attempt a request, so that whoever counts attempts counts requests; and an end without delay.
        text += "router_settings: { num_retries: 0 }\nserver: { drain_delay: 0, drain_timeout: 10 }\n";
        match &self.store {
            Store::Memory => text += "state: { store: memory }\n",
            Store::Redis(lines) => {
                let lines = [lines.as_slice(), &self.redis].concat().join(", ");
                writeln!(text, "state: {{ store: redis, redis: {{ {lines} }} }}").expect("text grows");
            }
        }
        text + &self.rest
    }
}

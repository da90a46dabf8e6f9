//! The configuration of a replica.

use std::fmt::Write;
use std::time::Duration;

use super::providers::Providers;

/// How long the providers here take for a reply.
pub const LATENCY: Duration = Duration::from_millis(20);

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

/// A deployment: the provider of the same name, in a group of the same name. Its id is another
/// (`at-a` for `a`), as one who asks for a deployment by its id gets it while it cools, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its group's name and its provider's.
    pub name: String,
    /// Its limits, as the configuration has them: `rpm: 60`.
    pub limits: String,
    /// The same limits as fakellm has them, for the judge: `requests: 60`. Empty when there are none.
    pub judged: String,
}

impl Deployment {
    /// One that takes so many requests a minute.
    pub fn rpm(name: &str, most: u64) -> Self {
        Self { name: name.to_owned(), limits: format!("rpm: {most}"), judged: format!("requests: {most}") }
    }

    /// One that takes so many tokens a minute.
    pub fn tpm(name: &str, most: u64) -> Self {
        Self { name: name.to_owned(), limits: format!("tpm: {most}"), judged: format!("tokens: {most}") }
    }

    /// One with limits that the judge does not count, or with none.
    pub fn unjudged(name: &str, limits: &str) -> Self {
        Self { name: name.to_owned(), limits: limits.to_owned(), judged: String::new() }
    }

    /// The script of a provider that judges its limits without enforcing or telling them: no
    /// interval of a minute may hold more. Replies take 20 ms.
    pub fn script(&self) -> String {
        let limits = match self.judged.as_str() {
            "" => String::new(),
            judged => format!("limits: [{{ discipline: sliding_log, {judged}, enforce: false, announce: false }}]"),
        };
        format!("{{ latency: {}, record: 20000, {limits} }}", LATENCY.as_millis())
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
        for Deployment { name, limits, .. } in &self.deployments {
            let base = providers.base(name);
            // A provider of a kind that gives nothing back of what was reserved.
            writeln!(
                text,
                "  - {{ model_name: {name}, model_info: {{ id: at-{name} }}, litellm_params: {{ model: openai/m, \
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

//! The judge: simulated providers that hold what arrives against their own limits.

use weighbridge_fakellm::{FakeLlm, ProviderScript, Report, Running, Script};

use super::config::Deployment;
use crate::http::Client;

/// Simulated providers that listen. They stop when this is dropped.
#[derive(Debug)]
pub struct Providers {
    fake: FakeLlm,
    running: Running,
}

/// A request that a provider saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When, in milliseconds of the judge's clock.
    pub at_ms: u64,
    /// The status it got.
    pub status: u16,
}

impl Providers {
    /// A provider for each of `deployments`, which judges its limits.
    pub async fn judging(deployments: &[Deployment]) -> Self {
        let lines = deployments.iter().map(|deployment| format!("{}: {}\n", deployment.name, deployment.script()));
        Self::start(&lines.collect::<String>()).await
    }

    /// Providers that behave as `script` says: a line `name: { … }` each.
    pub async fn start(script: &str) -> Self {
        let lines: String = script.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!("seed: 1\nproviders:\n{lines}");
        let script = Script::from_yaml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let fake = FakeLlm::new(script);
        let running = fake.clone().spawn(([127, 0, 0, 1], 0).into()).await.expect("loopback");
        Self { fake, running }
    }

    /// Where the provider `name` is.
    pub fn base(&self, name: &str) -> String {
        format!("http://{}/{name}/v1", self.running.address())
    }

    /// A client that asks providers past every router.
    pub fn client(&self) -> Client {
        Client::new(self.running.address())
    }

    /// Lets a provider behave otherwise from now on.
    pub fn put(&self, name: &str, script: &str) {
        self.fake.put(name, ProviderScript::from_yaml(script).unwrap_or_else(|error| panic!("{error}\n{script}")));
    }

    /// What a provider counted.
    pub fn report(&self, name: &str) -> Report {
        self.fake.report(name)
    }

    /// What a provider saw, in order; no more than its script records.
    pub fn seen(&self, name: &str) -> Vec<Seen> {
        let requests = self.fake.requests(name).into_iter();
        requests.map(|request| Seen { at_ms: request.at_ms, status: request.status }).collect()
    }
}

//! One replica: `weighbridge serve` as a process of its own.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::config::Config;
use super::providers::Providers;
use crate::binaries::binary;
use crate::http::Client;
use crate::process::{Process, Signal};

/// How often it is asked again what it does not say yet.
const GLANCE: Duration = Duration::from_millis(10);

/// A replica. It is killed when this is dropped.
#[derive(Debug)]
pub struct Replica {
    process: Process,
    client: Client,
    config: tempfile::NamedTempFile,
}

impl Replica {
    /// Starts one and waits until it listens.
    pub async fn start(config: &Config, providers: &Providers) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), config.text(providers)).expect("the file");
        let (process, client) = serve(&file).await;
        Self { process, client, config: file }
    }

    /// Starts so many.
    pub async fn start_many(count: usize, config: &Config, providers: &Providers) -> Vec<Self> {
        let mut replicas = Vec::new();
        for _ in 0..count {
            replicas.push(Self::start(config, providers).await);
        }
        replicas
    }

    /// A client of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it as if the machine had lost power.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// It stands still; its connections stay open.
    pub fn pause(&self) {
        self.process.signal(Signal::Stop);
    }

    /// It goes on where it stood.
    pub fn resume(&self) {
        self.process.signal(Signal::Continue);
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(&mut self) {
        self.process.signal(Signal::Terminate);
        let status = self.process.ended().await;
        assert!(status.success(), "it ended with {status}:\n{}", self.log());
    }

    /// Starts it again by the same configuration, at another port.
    pub async fn restart(&mut self) {
        self.kill();
        (self.process, self.client) = serve(&self.config).await;
    }

    /// Where it says the truth is: `shared`, `local`, `recovering`, `embedded`.
    pub async fn mode(&self) -> String {
        let page = self.client.get("/router/deployments").await.json();
        page["mode"].as_str().unwrap_or_default().to_owned()
    }

    /// The row of the deployment in `group`; null when there is none.
    pub async fn deployment(&self, group: &str) -> Value {
        let page = self.client.get("/router/deployments").await.json();
        let rows = page["deployments"].as_array().expect("rows");
        rows.iter().find(|row| row["group"] == group).cloned().unwrap_or_default()
    }

    /// Requests of the last minute, as it knows them.
    pub async fn used(&self, group: &str) -> u64 {
        self.deployment(group).await["usage"]["requests"].as_u64().expect("a number")
    }

    /// Requests in flight, as it knows them.
    pub async fn in_flight(&self, group: &str) -> u64 {
        self.deployment(group).await["in_flight"].as_u64().expect("a number")
    }

    /// The value of a metric's series, written as the page has it; nothing when it is not there.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let page = self.client.get("/metrics").await.body;
        page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    /// How many requests beyond its limit the deployment in `group` might get because of this replica,
    /// as it says itself.
    pub async fn foretold(&self, group: &str) -> f64 {
        let series = format!("weighbridge_worst_case_overshoot_requests{{deployment=\"at-{group}\"}}");
        self.metric(&series).await.unwrap_or_default()
    }

    /// The most that all of `replicas` together said so until `end`.
    pub async fn foretold_until(end: Instant, replicas: &[Self], group: &str) -> f64 {
        let mut most = 0.0;
        while Instant::now() < end {
            let mut sum = 0.0;
            for replica in replicas {
                sum += replica.foretold(group).await;
            }
            most = f64::max(most, sum);
            tokio::time::sleep(GLANCE * 10).await;
        }
        most
    }

    /// Waits until it says that the truth is `mode`, and tells how long that took.
    pub async fn is_in(&self, mode: &str, within: Duration) -> Duration {
        let began = Instant::now();
        loop {
            let found = self.mode().await;
            if found == mode {
                return began.elapsed();
            }
            assert!(began.elapsed() < within, "{found} and not {mode} within {within:?}:\n{}", self.events());
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// What it printed, but for the line of each request.
    fn events(&self) -> String {
        let log = self.log();
        let lines = log.lines().filter(|line| !line.contains(" request_id="));
        lines.map(|line| format!("{line}\n")).collect()
    }
}

async fn serve(config: &tempfile::NamedTempFile) -> (Process, Client) {
    let mut command = Command::new(binary("weighbridge"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config.path()).env_clear();
    let mut process = Process::start(command);
    let client = Client::new(process.address_after("serving address=").await);
    (process, client)
}

//! A master, its replicas and the sentinels that watch them.

use std::process::Command;
use std::time::Duration;

use super::ports;
use super::resp::{Link, Value};
use super::server::Server;
use super::setup::Setup;
use crate::process::{PATIENCE, Process};
use crate::wait::eventually;

/// The name that the sentinels know the master by.
const NAME: &str = "main";

/// A master, a replica and sentinels.
#[derive(Debug)]
pub struct Watched {
    /// The master at first.
    pub first: Server,
    /// The one that takes over.
    pub second: Server,
    sentinels: Vec<(u16, Process)>,
    _directory: tempfile::TempDir,
}

impl Watched {
    /// Starts them, and waits until every sentinel knows the others and the replica.
    pub async fn start(sentinels: usize) -> Self {
        let (first, second) = (Server::plain().await, Server::plain().await);
        second.follow(&first).await;
        eventually("the replica is in step", PATIENCE, async || second.is_in_step().await).await;
        let directory = tempfile::tempdir().expect("a directory");
        let start = |_| {
            let port = ports::free();
            let path = directory.path().join(format!("{port}.conf"));
            let text = format!(
                "port {port}\nbind 127.0.0.1\nprotected-mode no\ndir {}\n\
                 sentinel monitor {NAME} 127.0.0.1 {} {}\n\
                 sentinel down-after-milliseconds {NAME} 500\nsentinel failover-timeout {NAME} 3000\n",
                directory.path().display(),
                first.port(),
                sentinels / 2 + 1
            );
            std::fs::write(&path, text).expect("a file");
            let mut command = Command::new(Setup::plain().program.path());
            command.arg(path).arg("--sentinel");
            (port, Process::start(command))
        };
        let started: Vec<_> = (0..sentinels).map(start).collect();
        let watched = Self { first, second, sentinels: started, _directory: directory };
        for port in watched.sentinel_ports() {
            eventually("a sentinel knows everybody", PATIENCE, async || {
                let row = ask(port, &["SENTINEL", "MASTER", NAME]).await;
                let others = i64::try_from(sentinels - 1).expect("few");
                field(&row, "num-slaves") == 1 && field(&row, "num-other-sentinels") == others
            })
            .await;
        }
        watched
    }

    /// Where the sentinels listen.
    pub fn sentinel_ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(|(port, _)| *port).collect()
    }

    /// The name that the sentinels know the master by.
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// What is written to the master from now on does not reach the replica.
    pub async fn cut_replication(&self) {
        cut_replication(&self.first, &self.second).await;
    }

    /// Waits until the sentinels have made the replica the master, and tells how long that took.
    pub async fn failed_over(&self) -> Duration {
        let second = self.second.port().to_string();
        let port = self.sentinel_ports()[0];
        eventually("a failover", PATIENCE, async || {
            let named = ask(port, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).await;
            let is_named = named.all().get(1).is_some_and(|port| port.text() == second);
            is_named && self.second.info().await.text("role") == "master"
        })
        .await
    }
}

/// What is written to `master` from now on does not reach `replica`, which stays a replica.
pub async fn cut_replication(master: &Server, replica: &Server) {
    // It asks to be let in with a password that the master does not have, and is turned away.
    replica.set("masterauth", "nobody-has-this-one").await;
    master.call(&["CLIENT", "KILL", "TYPE", "replica"]).await;
    eventually("the replica is cut off", PATIENCE, async || !replica.is_in_step().await).await;
}

async fn ask(port: u16, words: &[&str]) -> Value {
    match Link::open(port).await {
        Ok(mut link) => link.call(words).await.unwrap_or(Value::Nil),
        Err(_) => Value::Nil,
    }
}

/// A number of a row that is names and values in turn.
fn field(row: &Value, name: &str) -> i64 {
    let mut pairs = row.all().chunks_exact(2);
    pairs.find(|pair| pair[0].text() == name).map_or(0, |pair| pair[1].int())
}

//! A Redis server of one's own, and a store before it whose time is told.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::runtime::Runtime;
use weighbridge_domain::event::Silent;
use weighbridge_domain::store::{RedisSettings, ServerAddress};
use weighbridge_domain::time::Timestamp;
use weighbridge_state::fleet::link::Connector;
use weighbridge_state::fleet::{FleetParts, FleetStore};
use weighbridge_state::redis::RedisConnector;
use weighbridge_state::{Mode, SharedState};

/// A server that is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    /// An empty server somewhere on loopback.
    pub(crate) fn start() -> Self {
        Self::at(free_port())
    }

    /// An empty server at `port`.
    pub(crate) fn at(port: u16) -> Self {
        Self::with(port, &[])
    }

    /// An empty server somewhere that does not know the command by which RESP3 is chosen.
    pub(crate) fn of_old() -> Self {
        Self::with(free_port(), &["--rename-command", "HELLO", ""])
    }

    fn with(port: u16, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(dir.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed; `cargo xtask setup` sees to it");
        Self { child, port, _dir: dir }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback").port()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A store before a server.
pub(crate) struct Shared {
    pub(crate) runtime: Runtime,
    pub(crate) store: Arc<FleetStore>,
    _server: Option<Server>,
}

impl Shared {
    /// A store before a server of its own, to which it is `now`.
    pub(crate) fn start(now: Timestamp) -> Self {
        let server = Server::start();
        let shared = Self::before(&server, "contract", now);
        Self { _server: Some(server), ..shared }
    }

    /// A store before `server`, to which it is `now`.
    pub(crate) fn before(server: &Server, namespace: &str, now: Timestamp) -> Self {
        let runtime = runtime();
        let clock = Arc::new(AtomicU64::new(now.as_millis()));
        let store = runtime.block_on(async {
            let store = replica(settings(server, namespace), &clock);
            joined(&store).await;
            store
        });
        Self { runtime, store, _server: None }
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// How a replica before `server` behaves, as long as a test does not say otherwise.
pub(crate) fn settings(server: &Server, namespace: &str) -> RedisSettings {
    let mut settings = RedisSettings::single(ServerAddress { host: "127.0.0.1".to_owned(), port: server.port });
    settings.namespace = namespace.to_owned();
    // A machine that does other things as well must not look like a store that is gone.
    settings.call_timeout = Duration::from_secs(5);
    settings
}

/// A replica that begins to connect, by a clock that is told.
pub(crate) fn replica(settings: RedisSettings, clock: &Arc<AtomicU64>) -> Arc<FleetStore> {
    let connector = |shard| {
        let connector = RedisConnector::with_told_clock(settings.clone(), shard, Arc::clone(clock));
        Arc::new(connector) as Arc<dyn Connector>
    };
    Arc::new(FleetStore::start(FleetParts {
        settings: &settings,
        connectors: (0..settings.shards).map(connector).collect(),
        observer: Arc::new(Silent),
        seed: None,
        told: Some(Arc::clone(clock)),
    }))
}

/// Waits until `store` shares what it knows.
pub(crate) async fn joined(store: &FleetStore) {
    until("it shares what it knows", || store.status().mode == Mode::Shared).await;
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not within 15 s: {what}");
}

//! One server: a process with a directory of its own.

use std::io;
use std::path::Path;
use std::process::Command;

use super::info::Info;
use super::ports;
use super::resp::{Link, Value};
use super::setup::Setup;
use crate::process::{PATIENCE, Process, Signal};
use crate::wait::eventually;

/// A server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    port: u16,
    process: Process,
    directory: tempfile::TempDir,
}

impl Server {
    /// Starts one and waits until it answers.
    pub async fn start(setup: Setup) -> Self {
        Self::start_at(setup, ports::free()).await
    }

    /// The default one.
    pub async fn plain() -> Self {
        Self::start(Setup::plain()).await
    }

    pub(super) async fn start_at(setup: Setup, port: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let process = Process::start(command(&setup, port, directory.path()));
        let mut server = Self { setup, port, process, directory };
        server.answers().await;
        server
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens for encrypted connections.
    pub fn tls_port(&self) -> u16 {
        self.setup.tls_port.expect("a server with TLS")
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
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

    /// Starts it again where it was, with nothing in it.
    pub async fn restart_empty(&mut self) {
        self.kill();
        // There is none unless it was saved.
        std::fs::remove_file(self.directory.path().join("dump.rdb")).ok();
        self.restart().await;
    }

    /// Starts it again where it was, with what was in it when it was last saved.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = Process::start(command(&self.setup, self.port, self.directory.path()));
        self.answers().await;
    }

    /// A connection, logged in.
    ///
    /// # Errors
    /// When it does not listen.
    pub async fn link(&self) -> io::Result<Link> {
        let mut link = Link::open(self.port).await?;
        if let Some((user, password)) = &self.setup.login {
            link.call(&["AUTH", user, password]).await?;
        }
        Ok(link)
    }

    /// One command; panics when there is no answer, or the answer is that it is wrong.
    pub async fn call(&self, words: &[&str]) -> Value {
        let mut link = self.link().await.expect("the server listens");
        match link.call(words).await.expect("the server answers") {
            Value::Refused(why) => panic!("{words:?}: {why}"),
            value => value,
        }
    }

    /// Deletes all keys.
    pub async fn flush(&self) {
        self.call(&["FLUSHALL"]).await;
    }

    /// Forgets all scripts.
    pub async fn flush_scripts(&self) {
        self.call(&["SCRIPT", "FLUSH"]).await;
    }

    /// Writes what is in it to disk, for [`Server::restart`].
    pub async fn save(&self) {
        self.call(&["SAVE"]).await;
    }

    /// Changes a setting.
    pub async fn set(&self, name: &str, value: &str) {
        self.call(&["CONFIG", "SET", name, value]).await;
    }

    /// Makes it a replica of another server.
    pub async fn follow(&self, master: &Self) {
        self.call(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]).await;
    }

    /// Makes it a replica of nobody who answers: it refuses writes.
    pub async fn follow_nobody(&self) {
        self.call(&["REPLICAOF", "127.0.0.1", "1"]).await;
    }

    /// Makes it a master.
    pub async fn lead(&self) {
        self.call(&["REPLICAOF", "NO", "ONE"]).await;
    }

    /// Whether it has everything that its master had at some instant.
    pub async fn is_in_step(&self) -> bool {
        let info = self.info().await;
        info.text("master_link_status") == "up" && info.text("master_sync_in_progress") == "0"
    }

    /// The keys that match `pattern`.
    pub async fn keys(&self, pattern: &str) -> Vec<String> {
        self.call(&["KEYS", pattern]).await.all().iter().map(Value::text).collect()
    }

    /// Deletes the keys that match `pattern`, and tells how many.
    pub async fn delete_matching(&self, pattern: &str) -> usize {
        let keys = self.keys(pattern).await;
        for key in &keys {
            self.call(&["DEL", key]).await;
        }
        keys.len()
    }

    /// What it says about itself.
    pub async fn info(&self) -> Info {
        Info::read(&self.call(&["INFO", "everything"]).await.text())
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.process.log()
    }

    async fn answers(&mut self) {
        eventually("the server answers", PATIENCE, async || {
            assert!(!self.process.has_ended(), "the server ended:\n{}", self.process.log());
            let Ok(mut link) = self.link().await else { return false };
            link.call(&["PING"]).await.is_ok_and(|pong| pong == Value::Text("PONG".to_owned()))
        })
        .await;
    }
}

fn command(setup: &Setup, port: u16, directory: &Path) -> Command {
    let path = directory.join("redis.conf");
    let text = format!("port {port}\ndir {}\n{}\n", directory.display(), setup.lines.join("\n"));
    std::fs::write(&path, text).expect("a file");
    let mut command = Command::new(setup.program.path());
    command.arg(path);
    command
}

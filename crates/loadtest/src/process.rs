//! A process that is killed when its guard is dropped.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait::eventually;

/// How long a process may take to begin and to end, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A process and what it prints.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: tempfile::NamedTempFile,
}

/// What can be sent to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Please end.
    Terminate,
    /// Read the configuration again.
    Reload,
    /// Stand still.
    Stop,
    /// Go on.
    Continue,
}

impl Process {
    /// Starts `command`.
    pub fn start(mut command: Command) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a file");
        // Both write at the end of one file, as they would to a terminal.
        let output = || Stdio::from(File::options().append(true).open(log.path()).expect("the file"));
        let child = command.stdin(Stdio::null()).stdout(output()).stderr(output()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{} does not start: {error}", command.get_program().display()));
        Self { child, log }
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("the log")
    }

    /// Waits until it prints an address behind `words`; panics when it ends before.
    pub async fn address_after(&mut self, words: &str) -> SocketAddr {
        let mut found = None;
        eventually(&format!("it says {words:?}"), PATIENCE, async || {
            let log = self.log();
            assert!(!self.has_ended(), "it ended:\n{log}");
            let said = log.split_once(words).and_then(|(_, rest)| rest.split_once(char::is_whitespace));
            found = said.and_then(|(address, _)| address.parse().ok());
            found.is_some()
        })
        .await;
        found.expect("it was there")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Terminate => "-TERM",
            Signal::Reload => "-HUP",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        let status = Command::new("kill").arg(name).arg(self.id().to_string()).status();
        assert!(status.expect("kill").success());
    }

    /// Its resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("it runs").count()
    }

    /// Ends it as if the machine had lost power.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", PATIENCE, async || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        })
        .await;
        status.expect("it ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

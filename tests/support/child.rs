//! The binaries as processes of their own.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::http::{Client, eventually};

/// How long a process may take to begin and to end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process that serves. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    log: tempfile::NamedTempFile,
}

/// A command that has nothing of this process's environment.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(binaries().join(program));
    command.args(args).env_clear();
    command
}

/// `weighbridge serve` with the file at `config`, anywhere on loopback.
pub(crate) fn serve(config: &Path) -> Command {
    let config = config.to_str().expect("a path that is text");
    command("weighbridge", &["serve", "--config", config, "--listen", "127.0.0.1:0"])
}

/// Runs `command` to its end, `input` on its standard input.
pub(crate) fn run(mut command: Command, input: &str) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a file");
        // Both write at the end of one file, as they would to a terminal.
        let output = || Stdio::from(File::options().append(true).open(log.path()).expect("the file"));
        let child = command.stdin(Stdio::null()).stdout(output()).stderr(output()).spawn();
        Self { child: child.expect("the binary starts"), log }
    }

    /// A router by the file at `config`, once it listens.
    pub(crate) async fn serve(config: &Path) -> (Self, Client) {
        Self::served(serve(config)).await
    }

    /// A router by the `command` that [`serve`] makes, once it listens.
    pub(crate) async fn served(command: Command) -> (Self, Client) {
        let process = Self::start(command);
        let address = process.address_after("serving address=").await;
        (process, Client::new(address))
    }

    /// The address that it prints behind `words`.
    pub(crate) async fn address_after(&self, words: &str) -> SocketAddr {
        let find = |log: &str| -> Option<SocketAddr> {
            let (_, rest) = log.split_once(words)?;
            rest.split_once(char::is_whitespace)?.0.parse().ok()
        };
        eventually(&format!("it says {words:?}"), PATIENCE, async || find(&self.log()).is_some()).await;
        find(&self.log()).expect("it was there")
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("the log")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.expect("kill").success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", PATIENCE, async || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        })
        .await;
        status.expect("it ended")
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Open files and sockets.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("it runs").count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Where the binaries are, built if they are not fresh: `cargo test` of this package alone builds none.
fn binaries() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("a path");
        let directory = test.ancestors().nth(2).expect("target/<profile>/deps/<test>").to_owned();
        let profile = match directory.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "--bins", "-p", "weighbridge", "-p", "weighbridge-fakellm"]);
        cargo.args(["--profile", profile, "--target-dir"]).arg(directory.parent().expect("a parent"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // Told by cargo to this process; build scripts would take them for a change.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_") || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
            {
                cargo.env_remove(name);
            }
        }
        cargo.status().expect("cargo").success().then_some(directory)
    });
    built.as_deref().expect("the binaries build")
}

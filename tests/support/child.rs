//! The binaries as processes of their own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use weighbridge_loadtest::binaries::binary;
use weighbridge_loadtest::process::Process;

use super::http::Client;

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that has nothing of this process's environment.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(binary(program));
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

/// A router by the file at `config`, once it listens.
pub(crate) async fn router(config: &Path) -> (Process, Client) {
    router_by(serve(config)).await
}

/// A router by the `command` that [`serve`] makes, once it listens.
pub(crate) async fn router_by(command: Command) -> (Process, Client) {
    let mut process = Process::start(command);
    let address = process.address_after("serving address=").await;
    (process, Client::new(address))
}

//! Which processor a process runs on, and whether it runs: with the system's own tools.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use super::stat::tree;

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// For whoever is measured.
    Proxy,
    /// For who asks, who answers, and Redis.
    Load,
}

impl Core {
    fn number(self) -> &'static str {
        match self {
            Self::Proxy => "0",
            Self::Load => "1",
        }
    }
}

/// A command that runs on one processor only.
pub(crate) fn pinned(core: Core, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core.number()]).arg(program);
    command
}

/// Moves the processes `roots`, and what they started, to a processor.
pub(crate) fn pin(core: Core, roots: &[u32]) {
    for id in tree(roots) {
        run("taskset", &["-a", "-p", "-c", core.number(), &id.to_string()]);
    }
}

/// The processes, and what they started, do nothing until they are resumed.
pub(crate) fn stand_still(roots: &[u32]) {
    send("-STOP", roots);
}

/// They go on.
pub(crate) fn resume(roots: &[u32]) {
    send("-CONT", roots);
}

fn send(signal: &str, roots: &[u32]) {
    let ids: Vec<String> = tree(roots).iter().map(u32::to_string).collect();
    let args: Vec<&str> = std::iter::once(signal).chain(ids.iter().map(String::as_str)).collect();
    run("kill", &args);
}

fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{program} {args:?} failed");
}

//! Starting other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// Tells the person at the terminal.
#[expect(clippy::print_stderr, reason = "a command-line tool")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Runs `program` at the top of the repository, its output shown.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<(), String> {
    say(&format!("$ {program} {}", args.join(" ")));
    let mut command = Command::new(program);
    // Told by cargo to this process; build scripts would take them for a change, and everything would be built anew.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    let status = command
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} {} failed", args.join(" "))) }
}

/// Whether `program` can be started at all.
pub(crate) fn has(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

//! Holds what requests cost against the baseline.

mod verdict;

use std::fs;
use std::path::Path;
use std::process::Command;

use self::verdict::{Verdict, table};
use crate::baseline::Baseline;
use crate::callgrind::{self, Runs};
use crate::case::GUARDED;
use crate::say;

/// What is said when something has grown.
const GREW: &str = "\
Requests cost more than the baseline allows. `target/cost/cost profile CASE FILE` and `callgrind_annotate --inclusive=yes FILE` show where.
Make it cheaper; or `cargo xtask cost --bless`, and say in the commit what it buys.";

/// Counts all cases and compares them with the baseline at `path`, which they become where it is `blessed`.
///
/// # Errors
/// What has grown, or why nothing could be counted.
pub(crate) async fn run(path: &Path, is_blessed: bool) -> Result<(), String> {
    if std::env::consts::ARCH != "x86_64" {
        say("the baseline is one of x86_64: nothing was counted");
        return Ok(());
    }
    let names = || GUARDED.iter().map(|(name, _)| (*name).to_owned());
    let costs = callgrind::costs(names().map(|name| (name, Runs::USUAL)).collect()).await?;
    let now = Baseline { tools: tools(), costs: names().zip(costs).collect() };
    let before = match fs::read_to_string(path) {
        Ok(text) => Baseline::read(&text)?,
        Err(_) => Baseline::default(),
    };
    say(&table(&before, &now));
    if is_blessed {
        return fs::write(path, now.write()).map_err(|error| format!("{}: {error}", path.display()));
    }
    if now.tools != before.tools {
        say(&format!("The baseline was counted with {}; this is {}.", before.tools, now.tools));
    }
    match verdict::of_all(&before, &now) {
        Verdict::Same => Ok(()),
        Verdict::Shrank => {
            say("Requests cost less than the baseline: please keep it so with `cargo xtask cost --bless`.");
            Ok(())
        }
        Verdict::Grew => Err(GREW.to_owned()),
    }
}

/// What this was compiled and is counted with.
fn tools() -> String {
    let said = |program: &str| {
        let output = Command::new(program).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&output).into_owned();
        text.split(" (").next().unwrap_or_default().trim().to_owned()
    };
    format!("{}, {}, {}", said("rustc"), said("valgrind"), std::env::consts::ARCH)
}

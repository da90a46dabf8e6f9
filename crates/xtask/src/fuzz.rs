//! Any bytes to every reader and writer of the wire formats.

use std::fs;

use crate::run::{has, root, run};

/// Runs every target for `seconds`, beginning with what the golden files hold.
pub(crate) fn all(seconds: &str) -> Result<(), String> {
    if seconds.parse::<u32>().is_err() {
        return Err(format!("{seconds:?} is no number of seconds"));
    }
    if !has("cargo", &["fuzz", "--version"]) {
        return Err("cargo-fuzz is missing; install it with: cargo install cargo-fuzz --locked".to_owned());
    }
    for target in targets()? {
        let found = format!("fuzz/corpus/{target}");
        fs::create_dir_all(root().join(&found)).map_err(|error| format!("{found}: {error}"))?;
        let golden = ["clients", "providers"].map(|side| format!("crates/wire/golden/{side}/{target}"));
        let seeds = golden.iter().filter(|path| root().join(path).is_dir()).map(String::as_str);
        let time = format!("-max_total_time={seconds}");
        // What it needs of the compiler is unstable, and works in the stable one when that is told so.
        let command = ["RUSTC_BOOTSTRAP=1", "cargo", "fuzz", "run", &target, &found];
        let limits = ["--", &time, "-timeout=20", "-rss_limit_mb=4000"];
        run("env", &command.into_iter().chain(seeds).chain(limits).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The names of all targets, in order.
fn targets() -> Result<Vec<String>, String> {
    let directory = root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let name = |file: fs::DirEntry| file.path().file_stem()?.to_str().map(str::to_owned);
    let mut names: Vec<String> = files.flatten().filter_map(name).collect();
    names.sort();
    Ok(names)
}

//! What the figures were measured on.

use std::fs;
use std::thread::available_parallelism;

use tokio::process::Command;

/// The machine and the versions.
pub(super) async fn section() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |model| model.trim_matches([' ', '\t', ':']));
    let cores = available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: Vec<&str> = kernel.trim().split(['.', '-']).take(2).collect();
    let rustc = first_line("rustc").await;
    let valgrind = first_line("valgrind").await;
    let redis = first_line("redis-server").await;
    format!(
        "{cores} cores of {model}, Linux {}; {rustc}; {valgrind}; {}.\n",
        kernel.join("."),
        redis.split(" sha").next().unwrap_or_default()
    )
}

async fn first_line(program: &str) -> String {
    let output = Command::new(program).arg("--version").output().await;
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

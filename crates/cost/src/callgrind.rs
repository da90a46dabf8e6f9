//! Runs cases under Callgrind.

use std::process::Stdio;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::case::Case;
use crate::cost::Cost;
use crate::{profile, serve, uncounted};

/// How long a case may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often a case is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    /// Before counting begins: until connections are open, tables have grown, and lengths of prompts are learned.
    pub(crate) warm: usize,
    /// While it is counted.
    pub(crate) count: usize,
}

impl Runs {
    /// Long enough that everything is warm, and short enough for CI. One second of the router's time is counted, so that what
    /// happens once a second is in it once.
    pub(crate) const USUAL: Self = Self { warm: 200, count: 200 };
}

/// The costs of the cases of these names, in the same order, as many at a time as there are cores.
pub(crate) async fn costs(cases: Vec<(String, Runs)>) -> Result<Vec<Cost>, String> {
    let cores = Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from)));
    let mut running = JoinSet::new();
    for (place, (name, runs)) in cases.into_iter().enumerate() {
        let cores = Arc::clone(&cores);
        running.spawn(async move {
            // It is never closed.
            let core = cores.acquire().await;
            let cost = cost(&name, runs).await.map_err(|error| format!("{name}: {error}"));
            drop(core);
            cost.map(|cost| (place, cost))
        });
    }
    let mut costs = Vec::new();
    while let Some(ended) = running.join_next().await {
        costs.push(ended.map_err(|error| error.to_string())??);
    }
    costs.sort_by_key(|(place, _)| *place);
    Ok(costs.into_iter().map(|(_, cost)| cost).collect())
}

/// What one of the things costs that the case called `name` is about.
async fn cost(name: &str, runs: Runs) -> Result<Cost, String> {
    let case = Case::named(name).ok_or("there is no such case")?;
    let total = profile::total(&profile(name, runs).await?).ok_or("callgrind counted nothing")?;
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let requests = runs.count as f64;
    Ok(total.each(requests * f64::from(case.parts)))
}

/// What Callgrind writes about the case called `name`.
pub(crate) async fn profile(name: &str, runs: Runs) -> Result<String, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = |name: &str| directory.path().join(name);
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--combine-dumps=no"])
        .arg(format!("--toggle-collect={}", uncounted::NAME))
        // Unless told so, it would count what is uncounted only.
        .arg("--collect-atstart=yes")
        .arg(format!("--zero-before={}", serve::BEGINS))
        .arg(format!("--dump-before={}", serve::ENDS))
        .arg(format!("--callgrind-out-file={}", path("profile").display()))
        .arg(format!("--log-file={}", path("log").display()))
        .arg(std::env::current_exe().map_err(|error| error.to_string())?)
        .args(["serve", name, "--warm", &runs.warm.to_string(), "--count", &runs.count.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(path("said")).map_err(|error| error.to_string())?)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("valgrind cannot be started: {error}"))?;
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    let status = ended.map_err(|_| "it takes too long")?.map_err(|error| error.to_string())?;
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap_or_default();
    if !status.success() {
        return Err(format!("{status}\n{}{}", read("said"), read("log")));
    }
    // What was counted before the end of measuring; the rest comes after it.
    Ok(read("profile.1"))
}

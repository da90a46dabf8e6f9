//! What requests notice of a large file that is loaded again.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use weighbridge::replica::Replica;
use weighbridge_server::Reload;

use super::cpu::Thread;
use super::latency::{ms, quantile};
use crate::case::{Case, among};
use crate::client::Client;
use crate::serve;
use crate::upstream;

/// Deployments in the file.
const DEPLOYMENTS: usize = 10_000;
/// How often it is loaded again.
const RELOADS: usize = 8;
/// Between two times.
const REST: Duration = Duration::from_secs(1);
/// Connections, and how often each asks.
const CLIENTS: u32 = 10;
const EVERY: Duration = Duration::from_millis(20);
/// How late a timer may be: what is later waited for the answer before.
const TIMER: Duration = Duration::from_millis(2);

/// A request: when it was due, and when it was answered.
type Asked = (Instant, Instant);

/// The table.
pub(super) async fn section() -> Result<String, String> {
    let case = among(DEPLOYMENTS).ok_or("there is no such case")?;
    let upstream =
        upstream::start(case.reply.clone(), &watch::Sender::new(0)).await.map_err(|error| error.to_string())?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = directory.path().join("router_config.yaml");
    let config = case.config.replace("UPSTREAM", &upstream.to_string());
    fs::write(&path, &config).map_err(|error| error.to_string())?;

    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| error.to_string())?;
    let measured = measure(&runtime, Arc::new(case), &path, &config).await;
    runtime.shutdown_background();
    let (asked, reloads) = measured?;
    let changed = config.replacen("sk-own", "sk-new", 100);
    let serving = tokio::task::spawn_blocking(move || on_serving_thread(&path, &changed));
    let serving = serving.await.map_err(|error| error.to_string())??;
    Ok(table(&asked, &reloads, serving))
}

async fn measure(
    runtime: &Runtime,
    case: Arc<Case>,
    path: &Path,
    config: &str,
) -> Result<(Vec<Asked>, Vec<Asked>), String> {
    let file = path.to_owned();
    let started = runtime.spawn(async move {
        let replica = Replica::from_file(&file).map_err(|error| error.to_string())?;
        let address = serve::listen(&replica).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((replica, address))
    });
    let (replica, router) = started.await.map_err(|error| error.to_string())??;
    let (stop, stopped) = watch::channel(false);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(ask(router, Arc::clone(&case), EVERY * number / CLIENTS, stopped.clone()));
    }
    let mut reloads = Vec::new();
    for number in 0..RELOADS {
        sleep(REST).await;
        // Every file is another one.
        fs::write(path, config.replacen("sk-own", &format!("sk-own-{number}"), 100))
            .map_err(|error| error.to_string())?;
        let replica = Arc::clone(&replica);
        let reloading = runtime.spawn(async move {
            let began = Instant::now();
            replica.reload().await.map(|_| (began, Instant::now()))
        });
        reloads.push(reloading.await.map_err(|error| error.to_string())?.map_err(|problems| problems.join("\n"))?);
    }
    sleep(REST).await;
    stop.send_replace(true);
    let mut asked = Vec::new();
    while let Some(ended) = clients.join_next().await {
        asked.extend(ended.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?);
    }
    Ok((asked, reloads))
}

/// What a reload takes of a thread that serves requests: the rest of it, reading the file, has a thread of its own.
fn on_serving_thread(path: &Path, changed: &str) -> Result<Duration, String> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let replica = Replica::from_file(path).map_err(|error| error.to_string())?;
        fs::write(path, changed).map_err(|error| error.to_string())?;
        let thread = Thread::this()?;
        let before = thread.seconds()?;
        replica.reload().await.map_err(|problems| problems.join("\n"))?;
        Ok(Duration::from_secs_f64(thread.seconds()? - before))
    })
}

/// Asks at fixed times, whenever the answers come.
async fn ask(
    router: SocketAddr,
    case: Arc<Case>,
    offset: Duration,
    stopped: watch::Receiver<bool>,
) -> std::io::Result<Vec<Asked>> {
    let mut client = Client::connect(router).await?;
    let seen = watch::Sender::new(0);
    let mut due = Instant::now() + offset;
    let mut asked = Vec::new();
    while !*stopped.borrow() {
        due += EVERY;
        sleep_until(due).await;
        let began = Instant::now().min(due + TIMER);
        let answer = client.ask(&case.requests[0], &seen).await?;
        if answer.status != case.status {
            return Err(std::io::Error::other(format!("answered {}", answer.status)));
        }
        asked.push((began, Instant::now()));
    }
    Ok(asked)
}

fn table(asked: &[Asked], reloads: &[Asked], serving: Duration) -> String {
    let is_during = |(began, ended): &&Asked| reloads.iter().any(|(from, to)| began <= to && ended >= from);
    let sorted = |asked: Vec<&Asked>| {
        let mut took: Vec<Duration> = asked.into_iter().map(|(began, ended)| *ended - *began).collect();
        took.sort();
        took
    };
    let (during, beside): (Vec<&Asked>, Vec<&Asked>) = asked.iter().partition(is_during);
    let row = |name: &str, took: &[Duration]| {
        let [half, most, last] = [0.5, 0.99, 1.0].map(|share| ms(quantile(took, share)));
        format!("| {name} | {} | {half} ms | {most} ms | {last} ms |\n", took.len())
    };
    let lasted = sorted(reloads.iter().collect());
    format!(
        "## Reload\n\nA file of {DEPLOYMENTS} deployments, changed and loaded again {RELOADS} times while {} requests a second \
         come. A reload took {} ms, the longest {}; {} ms of it are processor time of a thread that serves requests.\n\n| requests | | p50 | p99 | longest |\n|---|--:|--:|--:|--:|\n{}{}",
        CLIENTS * 1000 / EVERY.subsec_millis(),
        ms(quantile(&lasted, 0.5)),
        ms(quantile(&lasted, 1.0)),
        ms(serving),
        row("between reloads", &sorted(beside)),
        row("during one", &sorted(during)),
    )
}

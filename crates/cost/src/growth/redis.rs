//! What Redis does for a turn, and for a replica that nobody asks.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use weighbridge::replica::Replica;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{Event, Observer};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_loadtest::redis::Server;
use weighbridge_loadtest::wait::eventually;
use weighbridge_state::{Admission, Candidate, Mode, Outcome, Regard, Reserve, Settlement, SharedState, open};

use crate::case::{ROOMY, groups};

/// Groups of four deployments.
const GROUPS: usize = 75;
const MEMBERS: usize = 4;
/// Replicas, requests of each that wait for admission at once, and groups that they ask.
const LOADS: [(usize, usize, usize); 8] = [
    (1, 1, GROUPS),
    (1, 4, GROUPS),
    (1, 16, GROUPS),
    (1, 64, GROUPS),
    (3, 22, GROUPS),
    (10, 7, GROUPS),
    (1, 64, 1),
    (3, 22, 1),
];
/// For how long each is measured.
const LASTS: Duration = Duration::from_secs(4);
/// Replicas that do nothing.
const IDLE: [usize; 3] = [3, 10, 100];
/// How long replicas may take to join.
const PATIENCE: Duration = Duration::from_secs(120);

const HEAD: &str = "\
## Redis: a turn

A request is an ask for admission among four deployments with limits, and the word that it has ended. Groups are asked by chance: the
more there are, the more windows a turn opens. Processor time is what `redis-server` says of itself.

| replicas | requests at once | groups | asks a turn | CPU a turn | CPU a request |
|--:|--:|--:|--:|--:|--:|
";
const IDLE_HEAD: &str = "
Replicas that nobody asks, before 300 deployments: heartbeats, and snapshots of what others did.

| replicas | commands a second and replica | CPU a second and replica |
|--:|--:|--:|
";

/// What Redis' processor time comes to, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Costs {
    /// Of a turn, whatever it holds.
    pub(super) turn: f64,
    /// Of each request in it.
    pub(super) request: f64,
    /// Of a replica in a second, whatever it is asked, when there are many.
    pub(super) replica: f64,
}

/// The tables, and what they come to.
pub(super) async fn section() -> Result<(String, Costs), String> {
    let server = Server::plain().await;
    let table = table(&server)?;
    let mut text = HEAD.to_owned();
    let mut points = Vec::new();
    for (replicas, width, groups) in LOADS {
        server.flush().await;
        let Load { asks, turn } = load(&server, &table, (replicas, width, groups)).await;
        if groups == GROUPS {
            points.push((asks, turn));
        }
        // Writing to a string cannot fail.
        writeln!(
            text,
            "| {replicas} | {} | {groups} | {asks:.1} | {turn:.0} µs | {:.1} µs |",
            replicas * width,
            turn / asks
        )
        .ok();
    }
    let (turn, request) = line(&points);
    text.push_str(IDLE_HEAD);
    let mut costs = Costs { turn, request, ..Costs::default() };
    for replicas in IDLE {
        server.flush().await;
        let (commands, cpu) = idle(&server, &table, replicas).await;
        costs.replica = cpu;
        writeln!(text, "| {replicas} | {commands:.1} | {cpu:.0} µs |").ok();
    }
    Ok((text, costs))
}

fn table(server: &Server) -> Result<Arc<RoutingTable>, String> {
    // A replica that other work keeps from reading its answers must not look like a store that is gone.
    let state = format!("state: {{ redis: {{ url: \"{}\", call_timeout: 5 }} }}\n", server.url());
    let config = groups(GROUPS, MEMBERS, "openai/m", ROOMY).replace("UPSTREAM", "127.0.0.1:9") + &state;
    Ok(Replica::from_yaml(&config).map_err(|error| error.to_string())?.engine().table())
}

/// Counts calls, and what was asked in them.
#[derive(Debug, Default)]
struct Calls {
    turns: AtomicUsize,
    asks: AtomicUsize,
}

impl Observer for Calls {
    fn observe(&self, event: &Event<'_>) {
        if let Event::StoreCalled { asks, .. } = event {
            self.turns.fetch_add(1, Ordering::Relaxed);
            self.asks.fetch_add(*asks, Ordering::Relaxed);
        }
    }
}

async fn fleet(table: &RoutingTable, replicas: usize, calls: &Arc<Calls>) -> Vec<Arc<dyn SharedState>> {
    let mut fleet = Vec::new();
    for _ in 0..replicas {
        let store = open(&table.store, Arc::clone(calls) as Arc<dyn Observer>);
        store.adopt(table, Timestamp::default());
        fleet.push(store);
        if fleet.len().is_multiple_of(50) {
            joined(&fleet).await;
        }
    }
    joined(&fleet).await;
    fleet
}

async fn joined(fleet: &[Arc<dyn SharedState>]) {
    eventually("all replicas share", PATIENCE, async || fleet.iter().all(|store| store.status().mode == Mode::Shared))
        .await;
}

struct Load {
    /// Asks a turn.
    asks: f64,
    /// Microseconds of Redis a turn.
    turn: f64,
}

#[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
async fn load(server: &Server, table: &Arc<RoutingTable>, (replicas, width, groups): (usize, usize, usize)) -> Load {
    let calls = Arc::new(Calls::default());
    let fleet = fleet(table, replicas, &calls).await;
    let mut asking = JoinSet::new();
    for (number, store) in fleet.iter().flat_map(|store| (0..width).map(move |_| store)).enumerate() {
        let asked = table.groups().take(groups).cloned().collect();
        asking.spawn(ask(Arc::clone(store), asked, number));
    }
    sleep(LASTS / 4).await;
    let count = || (calls.turns.load(Ordering::Relaxed) as f64, calls.asks.load(Ordering::Relaxed) as f64);
    let (before, counted) = (server.info().await, count());
    sleep(LASTS).await;
    let (after, count) = (server.info().await, count());
    asking.shutdown().await;
    close(fleet).await;
    let turns = count.0 - counted.0;
    Load { asks: (count.1 - counted.1) / turns, turn: (after.cpu_seconds() - before.cpu_seconds()) * 1e6 / turns }
}

/// One request after another, each of a group by chance.
async fn ask(store: Arc<dyn SharedState>, groups: Vec<Arc<ModelGroup>>, seed: usize) {
    let mut number = seed;
    let tokens = Tokens { input: 60, output: 100 };
    let candidate =
        |deployment: &Arc<Deployment>| Candidate { deployment: Arc::clone(deployment), cooldown: Regard::Heed };
    loop {
        // Far enough apart that no order is seen.
        number = (number * 31 + 17) % 1_000_003;
        let group = &groups[number % groups.len()];
        let mut candidates: Vec<Candidate> = group.deployments.iter().map(candidate).collect();
        candidates.rotate_left(number / 7 % MEMBERS);
        let now = Timestamp::default();
        if let Admission::Granted(grant) = store.reserve(Reserve { candidates: &candidates, tokens }, now).await {
            let deployment = Arc::clone(&candidates[grant.candidate].deployment);
            let outcome = Outcome::Success { sample: None };
            let settlement =
                Settlement { grant, deployment, used: Some(tokens), outcome, peers: Arc::clone(&group.peers) };
            store.settle(settlement, now);
        }
    }
}

/// Commands and microseconds of Redis, of one of `replicas` in a second.
#[expect(clippy::cast_precision_loss, reason = "a thousand")]
async fn idle(server: &Server, table: &Arc<RoutingTable>, replicas: usize) -> (f64, f64) {
    let fleet = fleet(table, replicas, &Arc::default()).await;
    sleep(LASTS / 2).await;
    let (before, began) = (server.info().await, Instant::now());
    sleep(LASTS).await;
    let (after, lasted) = (server.info().await, began.elapsed());
    close(fleet).await;
    let each = replicas as f64 * lasted.as_secs_f64();
    ((after.commands() - before.commands()) / each, (after.cpu_seconds() - before.cpu_seconds()) * 1e6 / each)
}

async fn close(fleet: Vec<Arc<dyn SharedState>>) {
    let closing: JoinSet<()> = fleet.into_iter().map(|store| async move { store.close().await }).collect();
    closing.join_all().await;
}

/// The line through `points` that misses them least: where it begins, and how much it rises.
#[expect(clippy::cast_precision_loss, reason = "a few points")]
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let rise = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>()
        / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>();
    (y - rise * x, rise)
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn lines_are_found() {
        let (begins, rises) = line(&[(1.0, 12.0), (2.0, 14.0), (4.0, 18.0)]);
        assert!((begins - 10.0).abs() < 1e-9 && (rises - 2.0).abs() < 1e-9);
    }
}

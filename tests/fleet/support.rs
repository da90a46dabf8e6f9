//! A fleet of three, and what can be said of it under load.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};
use weighbridge_loadtest::fleet::{Config, Deployment, LATENCY, Providers, Replica, Store};
use weighbridge_loadtest::http::{Client, chat};
use weighbridge_loadtest::load::{Demand, Shape, Shot, arrivals, count, send_to};
use weighbridge_loadtest::redis::Server;
use weighbridge_loadtest::wait::eventually;

pub(crate) const A_SECOND: Duration = Duration::from_secs(1);
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// More than a request may take because of Redis.
const MORE: Duration = Duration::from_millis(150);
/// How often replicas are looked at under load.
const GLANCE: Duration = Duration::from_millis(100);

/// Fleets that share the machine. More of them would measure each other.
static MACHINE: Semaphore = Semaphore::const_new(2);

/// Three replicas. The deployment `a` is the one that load goes to.
pub(crate) struct Fleet {
    pub(crate) providers: Providers,
    pub(crate) replicas: Vec<Replica>,
    _share: SemaphorePermit<'static>,
}

/// What was seen of a fleet under load.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) shots: Vec<Shot>,
    /// The longest that a replica took for an answer that needs no Redis.
    noise: Duration,
    /// The most requests that all replicas together said they might exceed the limit by.
    foretold: f64,
    /// The modes of the first replica, in order, without repetition.
    pub(crate) modes: Vec<String>,
}

impl Fleet {
    /// A fleet of `deployments` over a Redis of its own, once every replica shares what it knows.
    pub(crate) async fn start(deployments: &[Deployment]) -> (Server, Self) {
        let redis = Server::plain().await;
        let store = Store::redis(&redis.url());
        let fleet = Self::over(deployments, &[store.clone(), store.clone(), store]).await;
        (redis, fleet)
    }

    /// A fleet of a replica over each of `stores`, once every one shares what it knows.
    pub(crate) async fn over(deployments: &[Deployment], stores: &[Store]) -> Self {
        let share = share().await;
        let providers = Providers::judging(deployments).await;
        let mut replicas = Vec::new();
        for store in stores {
            replicas.push(Replica::start(&Config::new(deployments, store.clone()), &providers).await);
        }
        let fleet = Self { providers, replicas, _share: share };
        fleet.shares().await;
        fleet
    }

    pub(crate) fn clients(&self) -> Vec<Client> {
        self.replicas.iter().map(|replica| replica.client().clone()).collect()
    }

    /// Waits until every replica shares what it knows.
    pub(crate) async fn shares(&self) {
        for replica in &self.replicas {
            replica.is_in("shared", PATIENCE).await;
        }
    }

    /// Holds what every replica knows of the use of a deployment against what the judge has seen.
    pub(crate) async fn counts_all_of(&self, name: &str) {
        let truth = self.providers.report(name).requests;
        for replica in &self.replicas {
            eventually("usage is at least the truth", A_SECOND, async || replica.used(name).await >= truth).await;
        }
    }

    /// Asks `a` so often a second of every replica, and lets something happen meanwhile.
    pub(crate) async fn under_load(
        &self,
        per_second: f64,
        length: Duration,
        happens: impl Future<Output = ()>,
    ) -> Seen {
        let demands = [Demand { per_second, shape: Shape::Poisson, body: chat("a", 5) }];
        let clients = self.clients();
        let load = arrivals(&demands, clients.len(), length, 1);
        let end = Instant::now() + length;
        let (shots, (), noise, foretold, modes) = tokio::join!(
            send_to(&clients, &demands, &load),
            happens,
            noise(&clients, end),
            Replica::foretold_until(end, &self.replicas, "a"),
            modes(&self.replicas[0], end)
        );
        Seen { shots, noise, foretold, modes }
    }

    /// Holds what clients and providers saw against what is promised whatever happens to Redis, and
    /// waits until the fleet has recovered.
    pub(crate) async fn kept_its_promises(&self, seen: &Seen) {
        let Seen { shots, noise, foretold, .. } = seen;
        let failed: Vec<_> = shots.iter().filter(|shot| shot.status != 200 && shot.status != 429).collect();
        assert!(failed.is_empty(), "{failed:?}");
        let slowest = shots.iter().max_by_key(|shot| shot.took).expect("some");
        assert!(slowest.took <= LATENCY + MORE + *noise, "{slowest:?}, and {noise:?} without Redis");
        let report = self.providers.report("a");
        assert!(foretold.is_finite());
        assert!(report.violations as f64 <= *foretold, "{} above the limit, {foretold} foretold", report.violations);
        self.shares().await;
        self.counts_all_of("a").await;
        // What the fleet knows now is exact again.
        let more = self.under_load(40.0, 2 * A_SECOND, async {}).await;
        assert_eq!(self.providers.report("a").violations, report.violations, "after it has recovered");
        assert_eq!(count(&more.shots, 200) + count(&more.shots, 429), more.shots.len(), "{more:?}");
    }
}

/// The longest that a replica took until `end` for an answer that needs no Redis.
pub(crate) async fn noise(clients: &[Client], end: Instant) -> Duration {
    let mut longest = Duration::ZERO;
    while Instant::now() < end {
        for client in clients {
            let began = Instant::now();
            client.get("/health/live").await;
            longest = longest.max(began.elapsed());
        }
        sleep(GLANCE / 4).await;
    }
    longest
}

async fn modes(replica: &Replica, end: Instant) -> Vec<String> {
    let mut modes = Vec::new();
    while Instant::now() < end {
        modes.push(replica.mode().await);
        modes.dedup();
        sleep(GLANCE).await;
    }
    modes
}

/// A place on the machine.
pub(crate) async fn share() -> SemaphorePermit<'static> {
    MACHINE.acquire().await.expect("it is never closed")
}

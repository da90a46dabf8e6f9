//! A replica of the simulated fleet: the real store, its requests, and what it says of its mode.

use std::sync::{Arc, OnceLock, Weak};

use tokio::task::JoinHandle;
use tokio::time::Instant;
use weighbridge_domain::event::{Event, Observer};
use weighbridge_domain::store::{RedisSettings, ServerAddress};
use weighbridge_domain::table::RoutingTable;
use weighbridge_state::fleet::link::Connector;
use weighbridge_state::fleet::{FleetParts, FleetStore};
use weighbridge_state::{Mode, SharedState};

use super::link::{SimulatedConnector, TURN};
use super::store::Store;
use super::traffic::{self, Seen};
use super::world::World;

/// A replica.
#[derive(Debug)]
pub struct Replica {
    /// What its requests see.
    pub seen: Seen,
    requests: JoinHandle<()>,
}

/// What replicas are started with.
#[derive(Debug, Clone)]
pub struct Start {
    /// What they are before.
    pub store: Store,
    /// What they are asked.
    pub world: Arc<World>,
    /// The table they work by.
    pub table: Arc<RoutingTable>,
    /// The most there will be at once.
    pub most: u32,
    /// Requests a second that each is asked.
    pub rate: f64,
    /// When asking ends.
    pub ends: Instant,
}

/// Whether a replica waits for the store before it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// It does.
    Joined,
    /// It does not.
    AtOnce,
}

impl Start {
    /// Starts a replica on host `host`.
    pub fn replica(&self, host: usize, begins: Begins, dice: &mut fastrand::Rng) -> Replica {
        let mut settings = RedisSettings::single(ServerAddress { host: "simulated".to_owned(), port: 0 });
        settings.max_replicas = self.most;
        settings.call_timeout = TURN;
        let witness = Arc::new(Witness {
            host,
            store: self.store.clone(),
            world: Arc::clone(&self.world),
            fleet: OnceLock::new(),
        });
        let connector = SimulatedConnector { store: self.store.clone(), host };
        let fleet = Arc::new(FleetStore::start(FleetParts {
            settings: &settings,
            connectors: vec![Arc::new(connector) as Arc<dyn Connector>],
            observer: Arc::clone(&witness) as Arc<dyn Observer>,
            seed: Some(dice.u64(..)),
            told: None,
        }));
        // It is set once.
        witness.fleet.set(Arc::downgrade(&fleet)).unwrap_or(());
        witness.note();
        let (store, world) = (self.store.clone(), Arc::clone(&self.world));
        let seen = Seen { host, fleet, store, world, skew_ms: dice.i64(-3_600_000..3_600_000) };
        seen.fleet.adopt(&self.table, seen.now());
        let requests = tokio::spawn(serve(seen.clone(), self.rate, self.ends, begins, dice.fork()));
        Replica { seen, requests }
    }
}

impl Replica {
    /// Its process ends, and its requests with it.
    pub fn kill(self) {
        let mut state = self.seen.store.lock();
        let now = state.at();
        state.network.kill(self.seen.host);
        state.deafen(self.seen.host);
        state.judge.died(self.seen.host, now);
        self.requests.abort();
    }

    /// Waits until its last request has ended.
    pub async fn done(&mut self) {
        // A request that failed has said so.
        (&mut self.requests).await.unwrap_or(());
    }
}

async fn serve(seen: Seen, rate: f64, ends: Instant, begins: Begins, dice: fastrand::Rng) {
    while begins == Begins::Joined && seen.fleet.status().mode != Mode::Shared {
        tokio::time::sleep(super::store::ms(5)).await;
    }
    traffic::ask(seen, rate, ends, dice).await;
}

/// Tells the judge where a replica serves from.
#[derive(Debug)]
struct Witness {
    host: usize,
    store: Store,
    world: Arc<World>,
    fleet: OnceLock<Weak<FleetStore>>,
}

impl Witness {
    fn note(&self) {
        let Some(fleet) = self.fleet.get().and_then(Weak::upgrade) else { return };
        let status = fleet.status();
        let is_known = self.store.lock().judge.knows_exposure(self.host, status);
        let exposures = if is_known { Vec::new() } else { fleet.exposure(&self.world.deployments) };
        let mut state = self.store.lock();
        let elapsed = state.elapsed_ms();
        if !state.network.is_dead(self.host) {
            state.judge.mode_changed(self.host, status, exposures, elapsed);
        }
    }
}

impl Observer for Witness {
    fn observe(&self, event: &Event<'_>) {
        if let Event::StoreModeChanged { .. } = event {
            self.note();
        }
    }
}

//! The engine: one routing table at a time, and what it takes to run requests against it.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use weighbridge_domain::event::Observer;
use weighbridge_domain::hosts::{Border, CheckedHost, HostRefusal};
use weighbridge_domain::request::Request;
use weighbridge_domain::settings::Access;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::DeploymentView;
use weighbridge_state::SharedState;

use crate::answer::{Answer, Failed};
use crate::forecast::{RankBy, Ranked};
use crate::select::{self, Contest, Placed};
use crate::world::{Parts, World};
use crate::{execute, forecast};

/// Runs requests against the routing table in force. Shared by all tasks.
#[derive(Debug)]
pub struct Engine {
    table: ArcSwap<RoutingTable>,
    world: World,
    /// The ports that this process serves on. Held while the border changes, so that the newest one wins.
    own_ports: Mutex<Vec<u16>>,
}

impl Engine {
    /// An engine with `table` in force.
    pub fn new(table: Arc<RoutingTable>, parts: Parts) -> Self {
        let world = World::new(parts);
        world.state().adopt(&table, world.now());
        world.transport().adopt(border(&table, &[]));
        Self { table: ArcSwap::new(table), world, own_ports: Mutex::default() }
    }

    /// The table in force. A request keeps the one it got.
    pub fn table(&self) -> Arc<RoutingTable> {
        self.table.load_full()
    }

    /// Puts `table` in force; hands back the one that was. Requests under way keep theirs; unchanged deployments keep their
    /// state.
    pub fn adopt(&self, table: Arc<RoutingTable>) -> Arc<RoutingTable> {
        let own_ports = self.own_ports.lock().unwrap_or_else(PoisonError::into_inner);
        self.world.state().adopt(&table, self.now());
        self.world.ratios().adopt(&table);
        self.world.transport().adopt(border(&table, &own_ports));
        self.table.swap(table)
    }

    /// Takes note that this process serves on `port`: no client may name it as a provider's.
    pub fn listens_on(&self, port: u16) {
        let mut own_ports = self.own_ports.lock().unwrap_or_else(PoisonError::into_inner);
        own_ports.push(port);
        self.world.transport().adopt(border(&self.table(), &own_ports));
    }

    /// The host of `url`, when a client may name it by `table`. What it resolves to is checked when it is called.
    ///
    /// # Errors
    /// Why it may not, and what to add to the configuration.
    pub fn check_host(&self, table: &RoutingTable, url: &str) -> Result<CheckedHost, HostRefusal> {
        let own_ports = self.own_ports.lock().unwrap_or_else(PoisonError::into_inner);
        table.server.custom_hosts.check_url(url, table.server.access == Access::Open, &own_ports)
    }

    /// Answers `request` by `table`.
    ///
    /// # Errors
    /// When every stop failed, or none could be asked.
    pub fn execute<'a>(
        &'a self,
        table: &'a Arc<RoutingTable>,
        request: &'a Request,
    ) -> impl Future<Output = Result<Answer, Box<Failed>>> + Send + 'a {
        execute::execute(&self.world, table, request)
    }

    /// The itinerary `request` would take by `table` and why, a line a stop; calls nobody.
    ///
    /// # Errors
    /// Why its plan leads nowhere.
    pub fn explain(&self, table: &RoutingTable, request: &Request) -> Result<Vec<String>, String> {
        forecast::explain(&self.world, table, request)
    }

    /// Who would serve `request` now, best first by `order`; calls nobody.
    pub fn rank(&self, table: &RoutingTable, request: &Request, order: &RankBy<'_>) -> Vec<Ranked> {
        forecast::rank(&self.world, table, request, order)
    }

    /// Which of several models is the best choice now; calls nobody.
    pub fn select(&self, table: &RoutingTable, contest: &Contest) -> Vec<Placed> {
        select::select(&self.world, table, contest)
    }

    /// What is known now of every deployment of `table` that can be called, in the table's order.
    pub fn views(&self, table: &RoutingTable) -> Vec<DeploymentView> {
        let deployments: Vec<_> = table.deployments().cloned().collect();
        self.world.state().view(&deployments, self.now())
    }

    /// The truth about deployments, for operators.
    pub fn state(&self) -> &Arc<dyn SharedState> {
        self.world.state()
    }

    /// Who is told what happens.
    pub fn observer(&self) -> &Arc<dyn Observer> {
        self.world.observer()
    }

    /// The time, as the store understands it.
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }
}

/// How far clients of a router that serves by `table` on `own_ports` may reach.
fn border(table: &RoutingTable, own_ports: &[u16]) -> Border {
    let server = &table.server;
    Border { rules: server.custom_hosts.clone(), is_open: server.access == Access::Open, own_ports: own_ports.to_vec() }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use weighbridge_domain::event::Silent;
    use weighbridge_domain::hosts::{Border, HostRules};
    use weighbridge_domain::secret::Secret;
    use weighbridge_domain::settings::Access;
    use weighbridge_domain::table::RoutingTable;
    use weighbridge_providers::transport::{Reach, Sending, Transport};
    use weighbridge_state::memory::MemoryStore;

    use super::{Engine, Parts};

    /// Remembers the border it was told last.
    #[derive(Debug, Default)]
    struct Told(Mutex<Border>);

    impl Transport for Told {
        fn send(&self, _: http::Request<Bytes>, _: Reach) -> Sending<'_> {
            Box::pin(pending())
        }

        fn adopt(&self, border: Border) {
            *self.0.lock().unwrap() = border;
        }
    }

    fn table(access: Access, entries: &[&str]) -> Arc<RoutingTable> {
        let mut table = RoutingTable::default();
        table.server.access = access;
        table.server.custom_hosts = HostRules::new(entries.iter().map(|entry| entry.parse().unwrap()).collect());
        Arc::new(table)
    }

    #[test]
    fn the_transport_knows_how_far_clients_reach() {
        let told = Arc::new(Told::default());
        let check = |is_open: bool, own_ports: &[u16], entries: &[&str]| {
            let rules = table(Access::Open, entries).server.custom_hosts.clone();
            assert_eq!(*told.0.lock().unwrap(), Border { rules, is_open, own_ports: own_ports.to_vec() });
        };
        let observer = Arc::new(Silent);
        let state = Arc::new(MemoryStore::new(observer.clone()));
        let parts = Parts { state, transport: told.clone(), observer, seed: Some(1) };
        let engine = Engine::new(table(Access::Open, &["vllm"]), parts);
        check(true, &[], &["vllm"]);
        engine.listens_on(8000);
        check(true, &[8000], &["vllm"]);
        assert!(engine.check_host(&engine.table(), "http://localhost:9000/v1").is_ok());
        assert!(engine.check_host(&engine.table(), "http://localhost:8000/v1").is_err());
        engine.adopt(table(Access::Key(Secret::new("k")), &["10.0.0.0/8"]));
        check(false, &[8000], &["10.0.0.0/8"]);
        assert!(engine.check_host(&engine.table(), "http://localhost:9000/v1").is_err());
        engine.adopt(table(Access::Locked, &[]));
        check(false, &[8000], &[]);
    }
}

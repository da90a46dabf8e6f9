//! The engine: one routing table at a time, and what it takes to run requests against it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use weighbridge_domain::event::Observer;
use weighbridge_domain::request::Request;
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
}

impl Engine {
    /// An engine with `table` in force.
    pub fn new(table: Arc<RoutingTable>, parts: Parts) -> Self {
        let world = World::new(parts);
        world.state().adopt(&table, world.now());
        Self { table: ArcSwap::new(table), world }
    }

    /// The table in force. A request keeps the one it got.
    pub fn table(&self) -> Arc<RoutingTable> {
        self.table.load_full()
    }

    /// Puts `table` in force. Requests under way keep theirs; unchanged deployments keep their state.
    pub fn adopt(&self, table: Arc<RoutingTable>) {
        self.world.state().adopt(&table, self.now());
        self.table.store(table);
    }

    /// Answers `request` by `table`.
    ///
    /// # Errors
    /// When every stop failed, or none could be asked.
    pub async fn execute(&self, table: Arc<RoutingTable>, request: Request) -> Result<Answer, Box<Failed>> {
        execute::execute(&self.world, &table, request).await
    }

    /// The itinerary `request` would take by `table` and why, a line a stop; calls nobody.
    pub fn explain(&self, table: &RoutingTable, request: &Request) -> Vec<String> {
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

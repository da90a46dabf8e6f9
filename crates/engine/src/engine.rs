//! The engine: one routing table at a time, and what it takes to run requests against it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use weighbridge_domain::event::Observer;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::request::Request;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::DeploymentView;
use weighbridge_providers::transport::Transport;
use weighbridge_state::SharedState;

use crate::answer::{Answer, Failed};
use crate::clock::Clock;
use crate::dice::Dice;
use crate::{execute, forecast};

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The truth about deployments.
    pub state: Arc<dyn SharedState>,
    /// The way to providers.
    pub transport: Arc<dyn Transport>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Where random numbers start, so that a test can repeat them; `None` starts anywhere.
    pub seed: Option<u64>,
}

/// Runs requests against the routing table in force. Shared by all tasks.
#[derive(Debug)]
pub struct Engine {
    table: ArcSwap<RoutingTable>,
    parts: Parts,
    clock: Clock,
    dice: Dice,
}

/// What `POST /v1/route` answers with: deployments that would serve a request, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Which.
    pub deployment: DeploymentId,
    /// Higher is better; 1 is the best of this answer.
    pub score: f64,
}

impl Engine {
    /// An engine with `table` in force.
    pub fn new(table: Arc<RoutingTable>, parts: Parts) -> Self {
        let clock = Clock::start();
        let dice = Dice::new(parts.seed);
        parts.state.adopt(&table, clock.now());
        Self { table: ArcSwap::new(table), parts, clock, dice }
    }

    /// The table in force. A request keeps the one it got.
    pub fn table(&self) -> Arc<RoutingTable> {
        self.table.load_full()
    }

    /// Puts `table` in force. Requests under way keep theirs; unchanged deployments keep their state.
    pub fn adopt(&self, table: Arc<RoutingTable>) {
        self.parts.state.adopt(&table, self.now());
        self.table.store(table);
    }

    /// Answers `request` by `table`.
    ///
    /// # Errors
    /// When every stop failed, or none could be asked.
    pub async fn execute(&self, table: Arc<RoutingTable>, request: Request) -> Result<Answer, Box<Failed>> {
        execute::execute(self, &table, request).await
    }

    /// The itinerary `request` would take by `table` and why, a line a stop; calls nobody.
    pub fn explain(&self, table: &RoutingTable, request: &Request) -> Vec<String> {
        forecast::explain(self, table, request)
    }

    /// Who would serve `request` now, best first; calls nobody.
    pub fn rank(&self, table: &RoutingTable, request: &Request) -> Vec<Ranked> {
        forecast::rank(self, table, request)
    }

    /// What is known now of every deployment of `table` that can be called, in the table's order.
    pub fn views(&self, table: &RoutingTable) -> Vec<DeploymentView> {
        let deployments: Vec<_> = table.deployments().cloned().collect();
        self.parts.state.view(&deployments, self.now())
    }

    /// The truth about deployments, for operators.
    pub fn state(&self) -> &Arc<dyn SharedState> {
        &self.parts.state
    }

    /// Who is told what happens.
    pub fn observer(&self) -> &Arc<dyn Observer> {
        &self.parts.observer
    }

    /// The time, as the store understands it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.parts.transport
    }

    /// A number in `[0, 1)`.
    pub(crate) fn roll(&self) -> f64 {
        self.dice.roll()
    }
}

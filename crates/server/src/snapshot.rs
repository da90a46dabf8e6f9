//! The fleet at an instant, as the pages for operators show it.

use std::sync::Arc;

use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::DeploymentView;
use weighbridge_engine::Engine;
use weighbridge_state::{Exposure, Status};

/// The fleet at an instant. What is listed is in the order of the table's deployments.
#[derive(Debug)]
pub struct Snapshot {
    /// The table in force.
    pub table: Arc<RoutingTable>,
    /// What is known of its deployments.
    pub views: Vec<DeploymentView>,
    /// How far beyond their limits they might be used because of this replica.
    pub exposure: Vec<Exposure>,
    /// Where the truth is, and who shares it.
    pub status: Status,
    /// The instant.
    pub now: Timestamp,
}

impl Snapshot {
    /// What `engine` knows once it has asked whoever holds the truth.
    pub(crate) async fn take(engine: &Engine) -> Self {
        engine.state().refresh().await;
        let table = engine.table();
        let deployments: Vec<_> = table.deployments().cloned().collect();
        Self {
            views: engine.views(&table),
            exposure: engine.state().exposure(&deployments),
            status: engine.state().status(),
            now: engine.now(),
            table,
        }
    }
}

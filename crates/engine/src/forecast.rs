//! What would happen to a request, without anything happening.

use std::sync::OnceLock;

use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::request::Request;
use weighbridge_domain::table::RoutingTable;
use weighbridge_routing::itinerary::Itinerary;

use crate::admit::{Ask, Resting};
use crate::balance::Chooser;
use crate::plan;
use crate::world::World;

/// What `POST /v1/route` answers with: deployments that would serve a request, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Which.
    pub deployment: DeploymentId,
    /// Higher is better; 1 is the best of this answer.
    pub score: f64,
}

/// The stops of `request` by `table`, and whom each would ask.
///
/// # Errors
/// Why its plan leads nowhere.
pub(crate) fn explain(world: &World, table: &RoutingTable, request: &Request) -> Result<Vec<String>, String> {
    let itinerary = itinerary(world, table, request)?;
    let mut lines = Vec::new();
    for (stop, line) in itinerary.stops().iter().zip(itinerary.lines()) {
        lines.push(line);
        let strategy = plan::group_of(table, stop).map_or("", |group| group.strategy.label());
        match (Ask { table, request, stop, tried: &[], resting: Resting::PassOver, turn: &OnceLock::new() })
            .preference(world)
        {
            Ok(order) => lines.extend(order.iter().map(|deployment| {
                let (id, provider) = (&deployment.id, &deployment.endpoint.provider);
                format!("     {id}  {provider}/{}  ({strategy})", deployment.model.as_str())
            })),
            Err(failure) => lines.push(format!("     nobody: {}", failure.message)),
        }
    }
    Ok(lines)
}

/// Who would serve `request` now, stop after stop, best first.
pub(crate) fn rank(world: &World, table: &RoutingTable, request: &Request) -> Vec<Ranked> {
    let Ok(itinerary) = itinerary(world, table, request) else { return Vec::new() };
    let mut ids = Vec::new();
    for stop in itinerary.stops() {
        for deployment in (Ask { table, request, stop, tried: &[], resting: Resting::PassOver, turn: &OnceLock::new() })
            .preference(world)
            .unwrap_or_default()
        {
            if !ids.contains(&deployment.id) {
                ids.push(deployment.id.clone());
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few deployments")]
    let score = |place: usize| 1.0 - place as f64 / ids.len() as f64;
    ids.iter().enumerate().map(|(place, id)| Ranked { deployment: id.clone(), score: score(place) }).collect()
}

/// The itinerary as the next request would get it; takes no turn.
fn itinerary(world: &World, table: &RoutingTable, request: &Request) -> Result<Itinerary, String> {
    let way = plan::prepare(table, request, &mut || 0.5).map_err(|failure| failure.message)?;
    let chooser = Chooser { world, table, request, refused: &[] };
    way.itinerary(table, request, &|balance| chooser.expected(balance)).map_err(|failure| failure.message)
}

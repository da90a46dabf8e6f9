//! What would happen to a request, without anything happening.

use std::sync::{Arc, OnceLock};

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::request::Request;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::view::DeploymentView;
use weighbridge_routing::itinerary::Itinerary;
use weighbridge_routing::score::{self, Figures, Merit, Repute, Tradeoff};

use crate::admit::{Ask, Resting};
use crate::balance::Chooser;
use crate::plan;
use crate::world::World;

/// What `POST /v1/route` answers with: deployments that would serve a request, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Which.
    pub deployment: DeploymentId,
    /// Higher is better. By place, from 1 down, where no tradeoff is wanted.
    pub score: f64,
    /// What is known of it.
    pub merit: Merit,
}

/// By what deployments are ranked.
#[allow(missing_debug_implementations, reason = "holds a function")]
pub struct RankBy<'a> {
    /// What matters most; `None` is the order in which the next request would ask them.
    pub tradeoff: Option<Tradeoff>,
    /// What clients reported of a `provider/model`.
    pub repute: &'a dyn Fn(&str) -> Repute,
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
        match (Ask {
            table,
            request,
            stop,
            tried: &[],
            resting: Resting::PassOver,
            turn: &OnceLock::new(),
            counted: &OnceLock::new(),
        })
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

/// Who would serve `request` now, stop after stop, best first; by score where a tradeoff is wanted.
pub(crate) fn rank(world: &World, table: &RoutingTable, request: &Request, by: &RankBy<'_>) -> Vec<Ranked> {
    let Ok(itinerary) = itinerary(world, table, request) else { return Vec::new() };
    let mut found: Vec<Arc<Deployment>> = Vec::new();
    for stop in itinerary.stops() {
        for deployment in (Ask {
            table,
            request,
            stop,
            tried: &[],
            resting: Resting::PassOver,
            turn: &OnceLock::new(),
            counted: &OnceLock::new(),
        })
        .preference(world)
        .unwrap_or_default()
        {
            if !found.iter().any(|known| known.id == deployment.id) {
                found.push(deployment);
            }
        }
    }
    let merit = |(deployment, view): (&Arc<Deployment>, DeploymentView)| {
        let repute = (by.repute)(&format!("{}/{}", deployment.endpoint.provider, deployment.model.as_str()));
        score::merit(deployment, &view, request.estimate, &Figures::default(), &repute)
    };
    let merits: Vec<Merit> = found.iter().zip(world.state().view(&found, world.now())).map(merit).collect();
    #[expect(clippy::cast_precision_loss, reason = "a few deployments")]
    let by_place = |place: usize| 1.0 - place as f64 / found.len() as f64;
    let scores = match by.tradeoff {
        Some(tradeoff) => score::scores(&merits, tradeoff),
        None => (0..found.len()).map(by_place).collect(),
    };
    let ranked = found.iter().zip(merits).zip(scores);
    let mut ranked: Vec<Ranked> =
        ranked.map(|((deployment, merit), score)| Ranked { deployment: deployment.id.clone(), score, merit }).collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked
}

/// The itinerary as the next request would get it; takes no turn.
fn itinerary(world: &World, table: &RoutingTable, request: &Request) -> Result<Itinerary, String> {
    let way = plan::prepare(table, request, &mut || 0.5).map_err(|failure| failure.message)?;
    let chooser = Chooser { world, table, request };
    way.itinerary(table, request, &|balance| chooser.expected(balance)).map_err(|failure| failure.message)
}

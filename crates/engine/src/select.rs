//! Which of several models is the best choice now. Asks nobody.

use weighbridge_domain::request::Estimate;
use weighbridge_domain::table::RoutingTable;
use weighbridge_routing::score::{self, Figures, Merit, Repute, Tradeoff};

use crate::members;
use crate::world::World;

/// Several models that are compared for one request.
#[derive(Debug, Clone)]
pub struct Contest {
    /// The models.
    pub entrants: Vec<Entrant>,
    /// What the request will use.
    pub estimate: Estimate,
    /// What matters most.
    pub tradeoff: Tradeoff,
}

/// A model that may be chosen.
#[derive(Debug, Clone, Default)]
pub struct Entrant {
    /// The provider, as the client calls it; empty where the model's name says all.
    pub provider: String,
    /// The model, as the client calls it.
    pub model: String,
    /// What the client says of it.
    pub figures: Figures,
    /// What clients reported of it.
    pub repute: Repute,
}

/// A model's place in the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// The place among the entrants.
    pub entrant: usize,
    /// From 0 to 1, the higher the better; 0 is for one that cannot be asked now.
    pub score: f64,
}

/// The entrants that somebody here has, the best first; equals stay in their order. A model is as good as its best
/// deployment.
pub(crate) fn select(world: &World, table: &RoutingTable, contest: &Contest) -> Vec<Placed> {
    let mut owners = Vec::new();
    let mut merits: Vec<Merit> = Vec::new();
    for (place, entrant) in contest.entrants.iter().enumerate() {
        let deployments = members::named(table, &entrant.provider, &entrant.model);
        for (deployment, view) in deployments.iter().zip(world.state().view(&deployments, world.now())) {
            owners.push(place);
            merits.push(score::merit(deployment, &view, contest.estimate, &entrant.figures, &entrant.repute));
        }
    }
    let mut placed: Vec<Placed> = Vec::new();
    for (entrant, score) in owners.into_iter().zip(score::scores(&merits, contest.tradeoff)) {
        match placed.last_mut().filter(|last| last.entrant == entrant) {
            Some(last) => last.score = last.score.max(score),
            None => placed.push(Placed { entrant, score }),
        }
    }
    placed.sort_by(|a, b| b.score.total_cmp(&a.score));
    placed
}

//! Whose word about a deployment counts: the latest.
//!
//! Where deployments stand is kept in the [`Books`]; here is how recent that is. Generations go by the clock,
//! so that they go on where a store that has forgotten them left off.

use std::sync::{PoisonError, RwLock};

use weighbridge_domain::name::{DeploymentId, NameMap};
use weighbridge_domain::time::Timestamp;

use super::protocol::Report;
use crate::books::Books;

/// Generations by deployment.
#[derive(Debug, Default)]
pub(crate) struct Standings(RwLock<NameMap<DeploymentId, Generation>>);

#[derive(Debug, Clone, Copy, Default)]
struct Generation {
    number: u64,
    era: u32,
}

/// What came of hearing about a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It stands otherwise than was known.
    News,
    /// Nothing new.
    Known,
}

impl Standings {
    /// Takes over where a deployment stands, unless something newer is known.
    pub(crate) fn hear(&self, books: &Books, id: &DeploymentId, report: &Report, now: Timestamp) -> Heard {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = generations.entry(id.clone()).or_default();
        if report.generation < known.number {
            let own = books.standing(id).map(|(standing, _)| standing).unwrap_or_default();
            // A store that has forgotten a deployment knows better only where nothing keeps it out any more; and
            // whoever keeps it out longer is believed.
            let has_forgotten = report.generation == 0 && !own.is_out(now);
            let is_longer = report.standing.rest.map(|rest| rest.until) > own.rest.map(|rest| rest.until);
            if !has_forgotten && !is_longer {
                return Heard::Known;
            }
        }
        let is_news = report.generation != known.number;
        *known = Generation { number: report.generation, era: report.era };
        books.set_standing(id, report.standing, report.pace);
        if is_news { Heard::News } else { Heard::Known }
    }

    /// Notes that a deployment stands otherwise by this replica's own word.
    pub(crate) fn changed_here(&self, id: &DeploymentId, now: Timestamp) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = generations.entry(id.clone()).or_default();
        known.number = (known.number + 1).max(now.as_millis());
    }

    /// Where every deployment stands that anybody ever said something about.
    pub(crate) fn all(&self, books: &Books) -> Vec<(DeploymentId, Report)> {
        let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let said = generations.iter().filter(|(_, generation)| generation.number > 0);
        let mut all: Vec<_> = said
            .filter_map(|(id, generation)| {
                let (standing, pace) = books.standing(id)?;
                Some((id.clone(), Report { standing, generation: generation.number, era: generation.era, pace }))
            })
            .collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Forgets all but those that are `known`.
    pub(crate) fn retain(&self, known: impl Fn(&DeploymentId) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| known(id));
    }
}

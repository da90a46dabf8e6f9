//! Deployments that had no room a moment ago: they are not asked again at once, so that a fleet at its limits
//! does not wear out the store.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::name::{DeploymentId, NameMap};
use weighbridge_domain::time::Timestamp;

use crate::{Candidate, Refusal, RefusalCause, Regard, Reserve};

/// How long one is not asked again, at most: refunds may free it sooner than it said.
const LONGEST: Duration = Duration::from_millis(250);

/// Who had no room.
#[derive(Debug, Default)]
pub(crate) struct Full(RwLock<NameMap<DeploymentId, Note>>);

#[derive(Debug, Clone, Copy)]
struct Note {
    until: Timestamp,
    /// For requests of at least so many tokens of each kind.
    tokens: Tokens,
    refusal: Refusal,
}

impl Full {
    /// Those of `ask`'s candidates that may have room, with their places; and why the others have none.
    pub(crate) fn others(&self, ask: Reserve<'_>, now: Timestamp) -> (Vec<(usize, Candidate)>, Refusal) {
        let notes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut refusal = Refusal::NOBODY;
        let mut open = Vec::with_capacity(ask.candidates.len());
        for (place, candidate) in ask.candidates.iter().enumerate() {
            let note = notes.get(&candidate.deployment.id).filter(|note| {
                let is_as_large = note.tokens.beyond(ask.tokens) == Tokens::default();
                now < note.until && is_as_large && candidate.cooldown == Regard::Heed
            });
            match note {
                Some(note) => refusal = refusal.or(note.refusal),
                None => open.push((place, candidate.clone())),
            }
        }
        (open, refusal)
    }

    /// Notes that `candidates`, none of which rests, had no room for `tokens`.
    pub(crate) fn note<'a>(
        &self,
        candidates: impl Iterator<Item = &'a Candidate>,
        tokens: Tokens,
        refusal: Refusal,
        now: Timestamp,
    ) {
        if refusal.cause != RefusalCause::AtLimit {
            return;
        }
        let until = refusal.retry_at.map_or(now + LONGEST, |at| at.min(now + LONGEST));
        let mut notes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for candidate in candidates {
            notes.insert(candidate.deployment.id.clone(), Note { until, tokens, refusal });
        }
    }

    /// A request of `deployment` has ended: there may be room again.
    pub(crate) fn freed(&self, deployment: &Deployment) {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return;
        }
        let mut notes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if deployment.quota.as_str() == deployment.id.as_str() {
            notes.remove(&deployment.id);
        } else {
            // Whoever shares its window has room as well.
            notes.clear();
        }
    }

    /// Forgets what was noted of one.
    pub(crate) fn forget(&self, id: &DeploymentId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Forgets all but those that are `known`.
    pub(crate) fn retain(&self, known: impl Fn(&DeploymentId) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| known(id));
    }
}

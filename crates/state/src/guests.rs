//! Deployments that are in no table: configurations that clients send bring them along.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::name::{DeploymentId, NameMap};

use crate::fleet::mark;
use crate::generations::Generations;

/// The most guests that are remembered, those with requests in flight aside.
const MOST: usize = 4096;

/// Guests, the longest unused of which are forgotten.
#[derive(Debug)]
pub(crate) struct Guests {
    known: Generations<DeploymentId, Arc<Deployment>>,
    by_mark: NameMap<String, DeploymentId>,
}

impl Default for Guests {
    fn default() -> Self {
        Self { known: Generations::new(MOST), by_mark: NameMap::default() }
    }
}

impl Guests {
    /// Whether `id` is one that was used lately, so that nothing need be noted.
    pub(crate) fn is_noted(&self, id: &DeploymentId) -> bool {
        self.known.young(id).is_some()
    }

    /// Whether `id` is one.
    pub(crate) fn has(&self, id: &DeploymentId) -> bool {
        self.known.find(id).is_some()
    }

    /// Notes that `deployment` is used. Says whether others were forgotten for it; none of those that `stay`.
    pub(crate) fn note(&mut self, deployment: &Arc<Deployment>, stays: impl Fn(&DeploymentId) -> bool) -> bool {
        let has_forgotten = self.known.make_room(|id, _| stays(id));
        if has_forgotten {
            self.forget_marks();
        }
        let id = &deployment.id;
        if !self.has(id) {
            self.by_mark.insert(mark(id.as_str()), id.clone());
        }
        self.known.renew(id.clone(), || Arc::clone(deployment));
        has_forgotten
    }

    /// Those of `ids` are none any more.
    pub(crate) fn retain(&mut self, keep: impl Fn(&DeploymentId) -> bool) {
        self.known.retain(keep);
        self.forget_marks();
    }

    /// All of them, in an order that a seed repeats.
    pub(crate) fn all(&self) -> Vec<Arc<Deployment>> {
        let mut all: Vec<_> = self.known.values().cloned().collect();
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The one with that mark.
    pub(crate) fn by_mark(&self, mark: &str) -> Option<DeploymentId> {
        self.by_mark.get(mark).cloned()
    }

    fn forget_marks(&mut self) {
        let known = &self.known;
        self.by_mark.retain(|_, id| known.find(id).is_some());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};

    use super::{Guests, MOST};
    use crate::fleet::mark;

    fn note(guests: &mut Guests, id: &str) -> bool {
        let endpoint = Endpoint::new("openai", "http://localhost/v1");
        let deployment = Arc::new(Deployment::new(id, "g", ModelTemplate::new("m"), endpoint));
        guests.note(&deployment, |id| id.as_str() == "busy")
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let mut guests = Guests::default();
        note(&mut guests, "busy");
        let times = (0..3 * MOST).filter(|number| note(&mut guests, &number.to_string())).count();
        assert!((5..=6).contains(&times), "{times}");
        assert!(guests.all().len() <= MOST + 1 && guests.by_mark.len() == guests.all().len());
        assert!(guests.has(&"busy".into()) && !guests.has(&"0".into()));
        assert_eq!(guests.by_mark(&mark("busy")), Some("busy".into()));
        guests.retain(|id| id.as_str() != "busy");
        assert_eq!(guests.by_mark(&mark("busy")), None);
    }
}

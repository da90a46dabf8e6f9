//! What prompts really took, over what was estimated, by deployment.

use std::sync::{PoisonError, RwLock};

use weighbridge_domain::name::{DeploymentId, NameMap};
use weighbridge_domain::table::RoutingTable;

/// What the past counts for with each new prompt: about the latest fifty matter.
const KEEP: f64 = 0.98;
/// An estimate below this says little: what a provider adds to every prompt outweighs it.
const LEAST_ESTIMATE: u32 = 16;
/// Nobody's tokenizer is further off; a provider's count that is means something else.
const BOUNDS: (f64, f64) = (0.1, 6.0);

/// Ratios as this replica has seen them.
#[derive(Debug, Default)]
pub(crate) struct Ratios(RwLock<NameMap<DeploymentId, Sums>>);

/// Tokens of the latest prompts, older ones fading: long prompts count for more than short ones.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    estimated: f64,
    counted: f64,
}

impl Ratios {
    /// The ratio for `deployment`; `None` before its first prompt.
    pub(crate) fn of(&self, deployment: &DeploymentId) -> Option<f64> {
        self.of_all(std::iter::once(deployment)).pop().flatten()
    }

    /// The ratios for `deployments`, in their order.
    pub(crate) fn of_all<'a>(&self, deployments: impl Iterator<Item = &'a DeploymentId>) -> Vec<Option<f64>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let ratio = |sums: &Sums| (sums.counted / sums.estimated).clamp(BOUNDS.0, BOUNDS.1);
        deployments.map(|deployment| all.get(deployment).map(ratio)).collect()
    }

    /// Takes in that `deployment` counted a prompt that was estimated.
    pub(crate) fn learn(&self, deployment: &DeploymentId, estimated: u32, counted: u32) {
        if estimated < LEAST_ESTIMATE || counted == 0 {
            return;
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let sums = match all.get_mut(deployment) {
            Some(sums) => sums,
            None => all.entry(deployment.clone()).or_default(),
        };
        sums.estimated = sums.estimated * KEEP + f64::from(estimated);
        sums.counted = sums.counted * KEEP + f64::from(counted);
    }

    /// Forgets deployments that are not in `table` any more.
    pub(crate) fn adopt(&self, table: &RoutingTable) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|id, _| table.deployment(id.as_str()).is_some());
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::name::DeploymentId;
    use weighbridge_domain::table::RoutingTable;

    use super::Ratios;

    #[test]
    fn what_providers_count_corrects_the_estimate() {
        let ratios = Ratios::default();
        let (english, chinese) = (DeploymentId::new("en"), DeploymentId::new("zh"));
        assert_eq!(ratios.of(&english), None);
        for _ in 0..200 {
            ratios.learn(&english, 1000, 750);
            ratios.learn(&chinese, 1000, 1300);
        }
        assert!((ratios.of(&english).unwrap() - 0.75).abs() < 1e-9);
        assert!((ratios.of(&chinese).unwrap() - 1.3).abs() < 1e-9);
        // A turn of the tide is followed within some fifty prompts.
        for _ in 0..100 {
            ratios.learn(&english, 1000, 1000);
        }
        assert!(ratios.of(&english).unwrap() > 0.95);
        ratios.adopt(&RoutingTable::default());
        assert_eq!(ratios.of(&english), None);
    }

    #[test]
    fn what_says_little_is_not_learned_from() {
        let ratios = Ratios::default();
        let id = DeploymentId::new("d");
        ratios.learn(&id, 3, 12);
        ratios.learn(&id, 1000, 0);
        assert_eq!(ratios.of(&id), None);
        ratios.learn(&id, 100, 1_000_000);
        assert!((ratios.of(&id).unwrap() - 6.0).abs() < 1e-9);
    }
}

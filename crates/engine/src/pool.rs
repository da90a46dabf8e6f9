//! The deployments of several models as one group, for requests that order all of them together.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::plan::Plan;
use weighbridge_domain::request::{ModelTerms, Request};
use weighbridge_domain::table::RoutingTable;

/// One stop for all of `models`; `None` when the request does not order them together, or something is said of one that
/// does not hold for all.
pub(crate) fn of(table: &RoutingTable, request: &Request, models: &[&ModelTerms]) -> Option<Plan> {
    let wants = request.controls.preferences.as_ref()?;
    if !wants.across_models || models.len() < 2 || request.controls.credentials.is_some() {
        return None;
    }
    let groups: Vec<&Arc<ModelGroup>> = models.iter().map(|terms| plain_group(table, terms)).collect::<Option<_>>()?;
    let mut deployments: Vec<Arc<Deployment>> = Vec::new();
    for deployment in groups.iter().flat_map(|group| &group.deployments) {
        if !deployments.iter().any(|known| known.id == deployment.id) {
            deployments.push(Arc::clone(deployment));
        }
    }
    let name = groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join("+");
    let first = groups.first()?;
    let group = ModelGroup {
        strategy: first.strategy,
        retry: first.retry,
        tag_filtering: first.tag_filtering,
        ..ModelGroup::new(name.as_str(), deployments)
    };
    Some(Plan::Brought { group: Arc::new(group), options: Arc::default() })
}

/// The group of a model that is asked as it is: without terms of its own, and by a name without stars.
fn plain_group<'a>(table: &'a RoutingTable, terms: &ModelTerms) -> Option<&'a Arc<ModelGroup>> {
    let has_terms =
        terms.attempts.is_some() || terms.timeout.is_some() || terms.backoff.is_some() || terms.messages.is_some();
    let group = table.group(table.find(&terms.model)?.entry.group.as_ref()?)?;
    let has_stars = group.deployments.iter().any(|deployment| deployment.model.as_str().contains('*'));
    (!has_terms && !has_stars).then_some(group)
}

//! The way of one request: what its model leads to, and what the request itself wants otherwise.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::{Failure, FailureKind, FailureSet};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::name::GroupName;
use weighbridge_domain::plan::{Balance, Called, Credentials, FallbackOn, Plan, StopOptions};
use weighbridge_domain::request::{ClientFallback, Request};
use weighbridge_domain::table::RoutingTable;
use weighbridge_routing::condition::Facts;
use weighbridge_routing::itinerary::{self, Itinerary, Stop, StopTarget, Unresolved};

use crate::choice;

/// What a request's model leads to.
pub(crate) struct Way {
    plan: Arc<Plan>,
    /// The way of the model that is asked for, where the plan is another.
    asked: Option<Arc<Plan>>,
    /// What stood in place of the stars of the model's pattern.
    pub(crate) captures: Vec<String>,
}

impl Way {
    /// The plan settled for `request`, as far as balances were `decided`.
    pub(crate) fn itinerary(
        &self,
        table: &RoutingTable,
        request: &Request,
        decided: &dyn Fn(&Balance) -> Option<usize>,
    ) -> Result<Itinerary, Failure> {
        itinerary::resolve(&self.plan, self.asked.as_deref(), &facts(request), decided).map_err(|why| match why {
            Unresolved::NoBranch => {
                Failure { status: Some(400), ..Failure::new(FailureKind::NoCandidate, why.to_string()) }
            }
            Unresolved::NoModel if request.model.is_empty() => no_model(),
            Unresolved::NoModel => unknown_model(table, &request.model),
            Unresolved::NoWeight => Failure::new(FailureKind::NoCandidate, why.to_string()),
        })
    }
}

/// What a plan may look at.
pub(crate) fn facts(request: &Request) -> Facts<'_> {
    let config = request.controls.config.as_ref();
    Facts {
        metadata: request.controls.metadata.as_deref(),
        body: request.payload.json(),
        path: config.map_or(request.operation.path(), |config| &config.path),
        headers: config.map_or(&[], |config| &config.headers),
    }
}

/// Finds the plan for `request`, with the request's own fallbacks in place of the configured ones. `roll` yields
/// uniform samples from `[0, 1)`, for models that are drawn.
///
/// # Errors
/// 404 when nothing is configured under the model's name.
pub(crate) fn prepare(table: &RoutingTable, request: &Request, roll: &mut dyn FnMut() -> f64) -> Result<Way, Failure> {
    let found = table.find(&request.model);
    let may_bring = may_bring_credentials(table, found.as_ref().and_then(|found| found.entry.group.as_ref()));
    if let Some(config) = &request.controls.config {
        let (asked, captures) = match found {
            Some(found) => (Some(found.entry.plan), found.captures),
            None => (None, Vec::new()),
        };
        let plan = match request.controls.fallbacks {
            None => Arc::clone(&config.object.plan),
            Some(_) => own_fallbacks(table, request, config.object.plan.as_ref().clone(), may_bring),
        };
        return Ok(Way { plan: own_lists(table, request, plan), asked, captures });
    }
    let choice = request.controls.models.as_ref().or_else(|| table.choice(&request.model).map(Arc::as_ref));
    if let Some(choice) = choice {
        let first = choice::plan(table, request, choice, roll)?;
        let plan = own_fallbacks(table, request, first, may_bring);
        return Ok(Way { plan: own_lists(table, request, plan), asked: None, captures: Vec::new() });
    }
    let found = found.ok_or_else(|| unknown_model(table, &request.model))?;
    let own_key = request.controls.credentials.clone().filter(|_| may_bring);
    let plan = match (&request.controls.fallbacks, own_key, &found.entry.group) {
        (None, None, _) => found.entry.plan,
        (_, Some(credentials), Some(group)) => {
            own_fallbacks(table, request, with_credentials(group, credentials), may_bring)
        }
        _ => own_fallbacks(table, request, primary(&found.entry.plan), may_bring),
    };
    Ok(Way { plan: own_lists(table, request, plan), asked: None, captures: found.captures })
}

/// The group a stop asks, or whose deployment it asks.
pub(crate) fn group_of<'a>(table: &'a RoutingTable, stop: &'a Stop) -> Option<&'a ModelGroup> {
    let name = match &stop.target {
        StopTarget::Group { group, .. } => group,
        StopTarget::Deployment(id) => &table.deployment(id.as_str())?.group,
        StopTarget::Brought(group) => return Some(group),
        StopTarget::Undecided { .. } => return None,
    };
    table.group(name).map(Arc::as_ref)
}

/// What the model is called at `deployment`; `None` when neither the request nor its config object says.
pub(crate) fn upstream_model(way: &Way, request: &Request, stop: &Stop, deployment: &Deployment) -> Option<String> {
    let (captures, asked) = match &stop.options.called {
        Some(called) => (&called.captures, called.model.as_str()),
        None => (&way.captures, request.model.as_str()),
    };
    let name = deployment.model.fill(captures, asked);
    // Elsewhere a provider may do without.
    if !name.is_empty() || request.controls.config.is_none() {
        return Some(name);
    }
    let (_, usual) = stop.options.defaults.iter().find(|(key, _)| key == "model")?;
    serde_json::from_str(usual.get()).ok()
}

/// The plan without its fallbacks to other groups: the request brought its own.
pub(crate) fn primary(plan: &Plan) -> Plan {
    match plan {
        Plan::Fallback { children, .. } => children.first().map_or_else(|| plan.clone(), primary),
        Plan::Group { group, options, .. } => {
            Plan::Group { group: group.clone(), level: None, options: Arc::clone(options) }
        }
        Plan::Target { .. }
        | Plan::Brought { .. }
        | Plan::Asked { .. }
        | Plan::LoadBalance(_)
        | Plan::Conditional { .. } => plan.clone(),
    }
}

/// The request's own fallbacks behind `first`.
fn own_fallbacks(table: &RoutingTable, request: &Request, first: Plan, may_bring: bool) -> Arc<Plan> {
    let Some(fallbacks) = &request.controls.fallbacks else { return Arc::new(first) };
    let others = fallbacks.iter().filter_map(|fallback| client_fallback(table, request, fallback, may_bring));
    let children = std::iter::once(first).chain(others).collect();
    Arc::new(Plan::Fallback { on: FallbackOn::Kinds(FailureSet::all()), children })
}

/// The request's lists for prompts that are too long or refused, around `plan`.
fn own_lists(table: &RoutingTable, request: &Request, mut plan: Arc<Plan>) -> Arc<Plan> {
    let lists = [
        (&request.controls.context_window_fallbacks, FailureKind::ContextWindow),
        (&request.controls.content_policy_fallbacks, FailureKind::ContentPolicy),
    ];
    for (list, kind) in lists {
        let Some(names) = list else { continue };
        let mut children = vec![plan.as_ref().clone()];
        children.extend(names.iter().filter_map(|name| table.find(name)).map(|found| primary(&found.entry.plan)));
        plan = Arc::new(Plan::Fallback { on: FallbackOn::Kinds(FailureSet::of(&[kind])), children });
    }
    plan
}

/// One of the request's fallbacks; `None` when it names nothing that is configured.
fn client_fallback(
    table: &RoutingTable,
    request: &Request,
    fallback: &ClientFallback,
    may_bring: bool,
) -> Option<Plan> {
    let name = fallback.model.as_deref().unwrap_or(&request.model);
    let found = table.find(name)?;
    let mut plan = primary(&found.entry.plan);
    let options = match &mut plan {
        Plan::Group { options, .. }
        | Plan::Target { options, .. }
        | Plan::Brought { options, .. }
        | Plan::Asked { options } => Arc::make_mut(options),
        Plan::Fallback { .. } | Plan::LoadBalance(_) | Plan::Conditional { .. } => return Some(plan),
    };
    options.overrides.extend(fallback.overrides.iter().cloned());
    options.credentials = fallback.credentials.clone().filter(|_| may_bring);
    options.called = Some(Called { model: name.to_owned(), captures: found.captures });
    Some(plan)
}

fn with_credentials(group: &GroupName, credentials: Credentials) -> Plan {
    let options = StopOptions { credentials: Some(credentials), ..StopOptions::default() };
    Plan::Group { group: group.clone(), level: None, options: Arc::new(options) }
}

/// Whether clients may bring keys of their own to `group`.
pub(crate) fn may_bring_credentials(table: &RoutingTable, group: Option<&GroupName>) -> bool {
    let allowed_by_group = || {
        let group = group.and_then(|group| table.group(group));
        group.is_some_and(|group| group.deployments.iter().any(|deployment| deployment.client_credentials))
    };
    table.routing.client_credentials || allowed_by_group()
}

/// The failure of a request whose model nobody named.
pub(crate) fn no_model() -> Failure {
    Failure::new(FailureKind::BadRequest, "`model` is missing, and the config names none")
}

pub(crate) fn unknown_model(table: &RoutingTable, model: &str) -> Failure {
    let known: Vec<&str> = table.listed().iter().take(20).map(|listed| listed.name.as_str()).collect();
    let message = format!("The model `{model}` does not exist here. Configured: {}.", known.join(", "));
    Failure { status: Some(404), ..Failure::new(FailureKind::NotFound, message) }
}

//! `routes`: named plans that clients ask for as the model.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_domain::failure::FailureSet;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::plan::{Balance, Bounds, Draw, FallbackOn, Plan, Share, StopOptions};
use weighbridge_domain::request::{ModelChoice, ModelTerms};

use crate::json;
use crate::plans::Planner;
use crate::reader::{Field, Section};
use crate::sections::model_routes;
use crate::suggest;

/// How deep targets may nest.
const MAX_DEPTH: usize = 8;

/// What a route may name.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    pub(crate) planner: &'a Planner,
    /// Groups and aliases, with the group behind each.
    pub(crate) groups: &'a [(String, String)],
    pub(crate) deployments: &'a [DeploymentId],
    /// Deployments that are configured and cannot be called.
    pub(crate) left_out: &'a [DeploymentId],
}

/// A named plan.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) plan: Arc<Plan>,
    /// The models that each request chooses among, where the route is over `models`.
    pub(crate) choice: Option<ModelChoice>,
}

/// The routes of `top`.
pub(crate) fn read<'a>(top: &Section<'a>, names: &Names<'_>) -> Vec<Route> {
    let Some(field) = top.get("routes") else { return Vec::new() };
    let Some(items) = field.items() else {
        field.error(format!("{} stands where a list is meant", field.shown()), "write `- name: …`");
        return Vec::new();
    };
    let mut routes: Vec<Route> = Vec::new();
    for item in items {
        let Some(section) = item.section() else { continue };
        let Some(name_field) = section.get("name") else {
            section.error("`name` is missing", "write the name that clients ask for");
            continue;
        };
        let Some(name) = name_field.text() else { continue };
        if names.groups.iter().any(|(group, _)| *group == name) || routes.iter().any(|known| known.name == name) {
            name_field.error(format!("the name {name:?} is taken"), "give the route a name of its own");
            continue;
        }
        let builder = Builder { names, route: name.clone() };
        if let Some(models) = section.get("models") {
            if let Some(choice) = model_routes::read(&section, &models, names) {
                let plan = builder.in_order(&choice);
                routes.push(Route { name, plan: Arc::new(plan), choice: Some(choice) });
            }
            continue;
        }
        section.only(&["name", "strategy", "targets"]);
        if let Some(plan) = builder.node(&section, 0) {
            routes.push(Route { name, plan: Arc::new(plan), choice: None });
        }
    }
    routes
}

struct Builder<'a> {
    names: &'a Names<'a>,
    route: String,
}

const TARGET_KEYS: &[&str] =
    &["name", "group", "deployment", "weight", "retry", "request_timeout", "override_params", "strategy", "targets"];

impl Builder<'_> {
    /// The models of a choice as they stand, for whoever asks where the route may lead.
    fn in_order(&self, choice: &ModelChoice) -> Plan {
        let plan = |terms: &ModelTerms| match self.names.groups.iter().find(|(known, _)| *known == terms.model) {
            Some((_, group)) => self.names.planner.alone(group, &Arc::default()),
            None => Plan::Target { deployment: DeploymentId::new(terms.model.as_str()), options: Arc::default() },
        };
        let children = choice.models.iter().chain(&choice.default).map(plan).collect();
        Plan::Fallback { on: FallbackOn::Kinds(FailureSet::all()), children }
    }

    /// A strategy over targets.
    fn node(&self, section: &Section<'_>, depth: usize) -> Option<Plan> {
        if depth >= MAX_DEPTH {
            section.error("targets nest deeper than 8 levels", "make them flatter");
            return None;
        }
        let Some(field) = section.get("targets") else {
            section.error("`targets` is missing", "write targets: [{ group: name }], or models: [name]");
            return None;
        };
        let items = field.items().filter(|items| !items.is_empty());
        let Some(items) = items else {
            field.error("there are no targets", "write targets: [{ group: name }]");
            return None;
        };
        let targets: Vec<Section<'_>> = items.iter().filter_map(Field::section).collect();
        let children: Option<Vec<Plan>> = targets.iter().map(|target| self.target(target, depth)).collect();
        let children = children?;
        let strategy = section.section("strategy");
        strategy.only(&["mode", "on_status_codes", "draw", "adaptive"]);
        match strategy.get("mode") {
            None => children.into_iter().next(),
            Some(mode) => match mode.text()?.as_str() {
                "single" => children.into_iter().next(),
                "fallback" => Some(Plan::Fallback { on: on(&strategy), children }),
                "loadbalance" => {
                    let weight = |target: &Section<'_>| target.get("weight").and_then(|field| field.number());
                    let share = |(i, (target, plan)): (usize, (&Section<'_>, Plan))| Share {
                        weight: weight(target).unwrap_or(1.0),
                        mark: i.to_string().into(),
                        plan,
                    };
                    let shares = targets.iter().zip(children).enumerate().map(share).collect();
                    let key = format!("route:{}:{}", self.route, section.path());
                    let balance = Balance::new(key, draw(&strategy), shares);
                    if balance.rotation.is_empty() {
                        field.error("no target has a weight above 0", "give at least one a weight");
                    }
                    Some(Plan::LoadBalance(Arc::new(balance)))
                }
                other => {
                    let mut hint = suggest::did_you_mean(other, ["fallback", "loadbalance", "single"]);
                    if hint.is_empty() {
                        hint = "fallback, loadbalance or single".to_owned();
                    }
                    mode.error(format!("there is no mode {}", mode.shown()), hint);
                    None
                }
            },
        }
    }

    fn target(&self, target: &Section<'_>, depth: usize) -> Option<Plan> {
        target.only(TARGET_KEYS);
        if target.get("targets").is_some() {
            for key in ["group", "deployment", "retry", "request_timeout", "override_params"] {
                if let Some(field) = target.get(key) {
                    field.error(format!("`{key}` stands beside `targets`"), "put it on the targets themselves");
                }
            }
            return self.node(target, depth + 1);
        }
        let options = Arc::new(options(target));
        match (target.get("group"), target.get("deployment")) {
            (Some(field), None) => self.group(&field, &options),
            (None, Some(field)) => self.deployment(&field, options),
            _ => {
                target.error("a target is a group, a deployment, or has targets", "write { group: name }");
                None
            }
        }
    }

    fn group(&self, field: &Field<'_>, options: &Arc<StopOptions>) -> Option<Plan> {
        let name = field.text()?;
        match self.names.groups.iter().find(|(known, _)| *known == name) {
            Some((_, group)) => Some(self.names.planner.alone(group, options)),
            None => {
                let known = self.names.groups.iter().map(|(name, _)| name.as_str());
                field.error(format!("there is no model group {name:?}"), suggest::did_you_mean(&name, known));
                None
            }
        }
    }

    fn deployment(&self, field: &Field<'_>, options: Arc<StopOptions>) -> Option<Plan> {
        let id = field.text()?;
        if self.names.left_out.iter().any(|known| known.as_str() == id) {
            field.warn(format!("the deployment {id:?} is left out"), "the route does without it until it is back");
        } else if !self.names.deployments.iter().any(|known| known.as_str() == id) {
            let known = self.names.deployments.iter().map(DeploymentId::as_str);
            let mut hint = suggest::did_you_mean(&id, known);
            if hint.is_empty() {
                hint = "give the deployment a model_info.id".to_owned();
            }
            field.error(format!("there is no deployment {id:?}"), hint);
            return None;
        }
        Some(Plan::Target { deployment: DeploymentId::new(id), options })
    }
}

/// How a load balance chooses: in turn unless it says otherwise.
fn draw(strategy: &Section<'_>) -> Draw {
    if let Some(field) = strategy.get("adaptive") {
        return match field.as_section() {
            Some(section) => Draw::Adaptive(bounds(&section)),
            None if field.flag() == Some(true) => Draw::Adaptive(Bounds::default()),
            None => Draw::Turns,
        };
    }
    let Some(field) = strategy.get("draw") else { return Draw::Turns };
    match field.text().as_deref() {
        Some("random") => Draw::Random,
        Some("turns") | None => Draw::Turns,
        Some(_) => {
            field.error(format!("there is no draw {}", field.shown()), "turns or random");
            Draw::Turns
        }
    }
}

fn bounds(section: &Section<'_>) -> Bounds {
    section.only(&["min", "max"]);
    let usual = Bounds::default();
    let number = |key: &str| section.get(key).and_then(|field| field.number());
    let bounds = Bounds { least: number("min").unwrap_or(usual.least), most: number("max").unwrap_or(usual.most) };
    if bounds.least <= 0.0 || bounds.least > 1.0 || bounds.most < 1.0 {
        section.error("these are no bounds of a factor", "min is above 0 and at most 1, max at least 1");
    }
    bounds
}

fn on(strategy: &Section<'_>) -> FallbackOn {
    strategy
        .get("on_status_codes")
        .map_or(FallbackOn::Kinds(FailureSet::all()), |field| FallbackOn::StatusCodes(codes(&field)))
}

/// A list of HTTP statuses.
fn codes(field: &Field<'_>) -> Vec<u16> {
    let Some(items) = field.items() else {
        field.error(format!("{} stands where a list is meant", field.shown()), "write [429, 503]");
        return Vec::new();
    };
    let code = |item: &Field<'_>| {
        let code = item.count()?;
        let code = u16::try_from(code).ok().filter(|code| (100..600).contains(code));
        if code.is_none() {
            item.error(format!("{} is no HTTP status", item.shown()), "write a number from 100 to 599");
        }
        code
    };
    items.iter().filter_map(code).collect()
}

fn options(target: &Section<'_>) -> StopOptions {
    let retry = target.section("retry");
    retry.only(&["attempts", "on_status_codes"]);
    let overrides = target.section("override_params");
    StopOptions {
        retries: retry.get("attempts").and_then(|field| field.count()),
        retry_on: retry.get("on_status_codes").map(|field| codes(&field)),
        timeout: target
            .get("request_timeout")
            .and_then(|field| field.count())
            .map(|ms| Duration::from_millis(ms.into())),
        overrides: overrides.fields().filter_map(|(key, field)| Some((key.to_owned(), json::raw(&field)?))).collect(),
        ..StopOptions::default()
    }
}

//! A file as nodes to a routing table: section by section, then groups, plans and names.

use std::collections::HashMap;
use std::sync::Arc;

use weighbridge_domain::group::Strategy;
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::plan::Plan;
use weighbridge_domain::provider::Catalog;
use weighbridge_domain::table::{Entry, ListedModel, Pattern, RoutingTable};

use crate::aliases::{self, Alias};
use crate::deployment::Surroundings;
use crate::env::Environment;
use crate::fallbacks::Lists;
use crate::groups::{self, Draft, Habits};
use crate::include::Source;
use crate::known::{TOP, TOP_ELSEWHERE};
use crate::layers::{Layers, ROUTER_ONLY};
use crate::limits::Defaults;
use crate::plans::Planner;
use crate::pools::{self, Pool};
use crate::reader::{Field, Reader, Section};
use crate::report::Report;
use crate::sections::prices::Prices;
use crate::sections::providers::Providers;
use crate::sections::routing::Siblings;
use crate::sections::{general, routes, routing, server, state};
use crate::siblings::{self, Window};
use crate::targets::Names;
use crate::variables::Variables;
use crate::yaml::{Node, Value};
use crate::{fallbacks, lend, model_list, retry, strategy_names, suggest};

/// The table that `source` describes. Every problem goes to `report`.
pub(crate) fn compile(
    source: &Source,
    report: &Report,
    catalog: &Catalog,
    environment: &dyn Environment,
) -> RoutingTable {
    let variables = Variables::new(environment, environment_variables(&source.root, environment));
    let reader = Reader { report, variables: &variables };
    let root = Field { reader: &reader, node: &source.root, path: String::new() };
    if source.root.value == Value::Null {
        root.error("the file is empty", "write a model_list");
        return RoutingTable::default();
    }
    let Some(top) = root.section() else { return RoutingTable::default() };
    let layers = Layers::new(&top);
    check_sections(&top);
    layers.warn_of_others();
    state::check(&top);
    let (routing, siblings) = routing::read(&top, &layers);
    let mut server = general::read(&layers, &reader);
    server::read(&top, &mut server);
    let around = Surroundings {
        providers: Providers::read(&top, catalog),
        prices: Prices::read(&top),
        defaults: Defaults::read(&layers),
    };
    let mut drafts = model_list::read(&top, &layers, &around);
    let lists = fallbacks::read(&layers, &top);
    let aliases = aliases::names(&layers);
    lend::add_groups(&mut drafts, &lists, &aliases);
    let assembly = Assembly::new(&layers, &drafts, &lists, &siblings, routing.max_fallbacks);
    let mut table = RoutingTable::default();
    table.fingerprint = source.fingerprint.clone();
    table.routing = routing;
    table.server = server;
    assembly.finish(&top, drafts, &mut table);
    if table.deployments().next().is_none() && !table.left_out().is_empty() {
        let what = format!("none of the {} deployments can be called", table.left_out().len());
        top.warn(what, "every request will be refused; the reason for each stands at its entry");
    }
    table
}

/// `environment_variables`, which `os.environ/` finds as well.
fn environment_variables(root: &Node, environment: &dyn Environment) -> HashMap<String, String> {
    let Value::Map(members) = &root.value else { return HashMap::new() };
    let Some(section) = members.iter().find(|member| member.key == "environment_variables") else {
        return HashMap::new();
    };
    let Value::Map(members) = &section.node.value else { return HashMap::new() };
    let text = |node: &Node| match &node.value {
        Value::Str(text) => match crate::variables::name_in(text) {
            Some(name) => environment.get(name),
            None => Some(text.clone()),
        },
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(int) => Some(int.to_string()),
        Value::Float(float) => Some(float.to_string()),
        Value::Null | Value::Seq(_) | Value::Map(_) => None,
    };
    members.iter().filter_map(|member| Some((member.key.clone(), text(&member.node)?))).collect()
}

fn check_sections(top: &Section<'_>) {
    let mut elsewhere = Vec::new();
    for (key, field) in top.fields() {
        if TOP_ELSEWHERE.contains(&key) {
            elsewhere.push(key);
        } else if matches!(key, "saved_configs" | "virtual_keys") {
            field.warn(format!("this version does not use `{key}` yet"), "the section has no effect");
        } else if !TOP.contains(&key) && !key.starts_with("x-") && key != "fallbacks" {
            let mut hint = suggest::did_you_mean(key, TOP.iter().copied());
            if hint.is_empty() {
                hint = "it has no effect".to_owned();
            }
            field.warn(format!("there is no section `{key}`"), hint);
        }
    }
    if !elsewhere.is_empty() {
        top.warn(format!("not done by this router: {}", elsewhere.join(", ")), "these sections have no effect");
    }
}

/// Names and plans while the table is put together.
struct Assembly {
    aliases: Vec<Alias>,
    pools: Vec<Pool>,
    planner: Planner,
    habits: Habits,
}

impl Assembly {
    fn new(layers: &Layers<'_>, drafts: &[Draft], lists: &Lists<'_>, siblings: &Siblings<'_>, max_depth: u32) -> Self {
        let is_group = |name: &str| drafts.iter().any(|draft| draft.name == name);
        let pools = pools::read(layers, is_group);
        let aliases = aliases::read(layers, |name| is_group(name) || pools.iter().any(|pool| pool.name == name));
        let names = names(drafts, &aliases, &pools);
        let mut planner = Planner {
            groups: drafts.iter().map(|draft| (draft.name.clone(), draft.outline())).collect(),
            general: names.resolve(&lists.general),
            context_window: names.resolve(&lists.context_window),
            content_policy: names.resolve(&lists.content_policy),
            max_depth,
        };
        add_siblings(&mut planner, drafts, siblings, &names);
        let args = layers.get("routing_strategy_args", ROUTER_ONLY).and_then(|field| field.section());
        let strategy = layers.get("routing_strategy", ROUTER_ONLY);
        let strategy = strategy.and_then(|field| strategy_names::read(&field, args.as_ref()));
        let retry = retry::policy(layers);
        let habits = Habits {
            strategy: strategy.unwrap_or(Strategy::LeastUsage),
            strategies: pools::strategies(&pools),
            retry,
            retries: retry::by_group(layers, retry).into_iter().collect(),
        };
        Self { aliases, pools, planner, habits }
    }

    /// Puts everything into the table. Of one name the first entry counts: aliases, then groups.
    fn finish(self, top: &Section<'_>, drafts: Vec<Draft>, table: &mut RoutingTable) {
        let mut leading: Vec<(String, String)> = Vec::new();
        for alias in &self.aliases {
            table.add_entry(alias.name.as_str(), self.entry(&alias.name, &alias.group));
            leading.push((alias.name.clone(), alias.group.clone()));
        }
        for draft in drafts {
            let name = draft.name.clone();
            let entry = self.entry(&name, &name);
            if name == "*" {
                table.set_default_entry(entry.clone());
            } else if !draft.is_named() {
                table.add_pattern(Pattern::new(&name), entry.clone());
            }
            table.add_entry(name.as_str(), entry);
            for member in draft.members.iter().filter(|member| !member.written.contains('*')) {
                table.add_upstream_name(member.written.as_str(), GroupName::new(name.as_str()));
            }
            leading.push((name.clone(), name));
            let (group, left_out) = draft.finish(&self.habits);
            if group.listed {
                table.list(ListedModel { name: group.name.to_string(), group: Some(group.name.clone()) });
            }
            table.add_group(group);
            for left_out in left_out {
                table.add_left_out(left_out);
            }
        }
        self.add_pools(table, &mut leading);
        for alias in self.aliases.iter().filter(|alias| !alias.hidden) {
            let group = Some(GroupName::new(alias.group.as_str()));
            table.list(ListedModel { name: alias.name.clone(), group });
        }
        self.add_routes(top, &leading, table);
    }

    fn add_pools(&self, table: &mut RoutingTable, leading: &mut Vec<(String, String)>) {
        for pool in &self.pools {
            if table.group(&GroupName::new(pool.name.as_str())).is_some() {
                continue;
            }
            let members = pool.groups.iter().filter_map(|group| table.group(&GroupName::new(group.as_str())));
            let deployments = members.flat_map(|group| group.deployments.clone()).collect();
            let group = groups::group(&pool.name, deployments, &self.habits);
            table.list(ListedModel { name: pool.name.clone(), group: Some(group.name.clone()) });
            table.add_group(group);
            table.add_entry(pool.name.as_str(), self.entry(&pool.name, &pool.name));
            leading.push((pool.name.clone(), pool.name.clone()));
        }
    }

    fn add_routes(&self, top: &Section<'_>, leading: &[(String, String)], table: &mut RoutingTable) {
        let deployments: Vec<DeploymentId> = table.deployments().map(|deployment| deployment.id.clone()).collect();
        let left_out: Vec<DeploymentId> = table.left_out().iter().map(|out| out.deployment.id.clone()).collect();
        let names =
            routes::Names { planner: &self.planner, groups: leading, deployments: &deployments, left_out: &left_out };
        for (name, plan) in routes::read(top, &names) {
            table.add_entry(name.as_str(), Entry { plan, group: None });
            table.list(ListedModel { name, group: None });
        }
    }

    fn entry(&self, name: &str, group: &str) -> Entry {
        let plan: Arc<Plan> = self.planner.plan(name, group);
        Entry { plan, group: Some(GroupName::new(group)) }
    }
}

/// What fallbacks may name.
fn names(drafts: &[Draft], aliases: &[Alias], pools: &[Pool]) -> Names {
    let mut names = Names::default();
    for draft in drafts {
        for member in &draft.members {
            if member.left_out.is_none() && !member.blocked {
                names.deployments.push(member.deployment.id.clone());
            }
            names.upstream.entry(member.written.clone()).or_insert_with(|| draft.name.clone());
        }
        names.groups.insert(draft.name.clone(), draft.name.clone());
    }
    names.groups.extend(pools.iter().map(|pool| (pool.name.clone(), pool.name.clone())));
    names.groups.extend(aliases.iter().map(|alias| (alias.name.clone(), alias.group.clone())));
    names
}

/// Lets prompts that are too long go to larger siblings, for groups that have no list of their own.
fn add_siblings(planner: &mut Planner, drafts: &[Draft], siblings: &Siblings<'_>, names: &Names) {
    use crate::plans::{Ask, Target};
    let found: Vec<(String, Vec<Target>)> = match siblings {
        Siblings::Off => Vec::new(),
        Siblings::Listed(field) => names.resolve(&fallbacks::pairs(field)).into_iter().collect(),
        Siblings::Auto => {
            let windows: Vec<Window> =
                drafts.iter().filter_map(|draft| Window::of(&draft.name, &draft.members)).collect();
            let target = |group| Target { ask: Ask::Group(group), overrides: Vec::new() };
            let larger = |window| siblings::larger(window, &windows).into_iter().map(target).collect();
            windows.iter().map(|window| (window.group.clone(), larger(window))).collect()
        }
    };
    if planner.context_window.contains_key("*") {
        return;
    }
    for (group, targets) in found.into_iter().filter(|(_, targets)| !targets.is_empty()) {
        planner.context_window.entry(group).or_insert(targets);
    }
}

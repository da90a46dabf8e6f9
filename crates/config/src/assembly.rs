//! Groups, plans and names put together into a routing table.

use std::cell::Cell;
use std::sync::Arc;

use weighbridge_domain::group::Strategy;
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::plan::Plan;
use weighbridge_domain::table::{Entry, ListedModel, Pattern, RoutingTable};

use crate::aliases::{self, Alias};
use crate::fallbacks::{self, Lists};
use crate::groups::{self, Draft, Habits};
use crate::layers::{Layers, ROUTER_ONLY};
use crate::plans::{Ask, MAX_STOPS, Outline, Planner, Target};
use crate::pools::{self, Pool};
use crate::reader::Section;
use crate::sections::routes;
use crate::sections::routing::Siblings;
use crate::siblings::{self, Window};
use crate::targets::Names;
use crate::{retry, strategy_names};

/// Names and plans while the table is put together.
pub(crate) struct Assembly {
    aliases: Vec<Alias>,
    pools: Vec<Pool>,
    planner: Planner,
    habits: Habits,
}

impl Assembly {
    /// Names and plans for the groups in `drafts`.
    pub(crate) fn new(
        layers: &Layers<'_>,
        drafts: &[Draft],
        lists: &Lists<'_>,
        siblings: &Siblings<'_>,
        max_depth: u32,
    ) -> Self {
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
            was_cut: Cell::default(),
        };
        for pool in pools.iter().filter(|pool| !is_group(&pool.name)) {
            let levels =
                pool.groups.iter().filter_map(|group| planner.groups.get(group)).flat_map(|group| &group.levels);
            let outline = Outline { levels: levels.copied().collect(), ..Outline::default() };
            planner.groups.insert(pool.name.clone(), outline);
        }
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
    pub(crate) fn finish(self, top: &Section<'_>, drafts: Vec<Draft>, table: &mut RoutingTable) {
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
        if self.planner.was_cut.get() {
            top.warn(
                format!("fallbacks of fallbacks come to more than {MAX_STOPS} stops"),
                "the last ones are left off",
            );
        }
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
        for routes::Route { name, plan, choice } in routes::read(top, &names) {
            if let Some(choice) = choice {
                table.add_choice(name.as_str(), choice);
            }
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
    for (group, mut targets) in found.into_iter().filter(|(_, targets)| !targets.is_empty()) {
        // Nobody asked for this list: what is configured for all failures comes after it.
        targets.extend(planner.general_of(&group).iter().cloned());
        planner.context_window.entry(group).or_insert(targets);
    }
}

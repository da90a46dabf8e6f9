//! `routing_groups`: groups made of groups, with a strategy of their own.

use std::collections::HashMap;

use weighbridge_domain::group::Strategy;

use crate::layers::{Layers, ROUTER_ONLY};
use crate::reader::Section;
use crate::strategy_names;

/// Several groups under one name.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    strategy: Option<Strategy>,
}

/// Every pool of `routing_groups` that names at least one group.
pub(crate) fn read(layers: &Layers<'_>, is_group: impl Fn(&str) -> bool) -> Vec<Pool> {
    let Some(field) = layers.get("routing_groups", ROUTER_ONLY) else { return Vec::new() };
    let items = field.items().unwrap_or_default();
    items.iter().filter_map(|item| item.section()).filter_map(|section| pool(&section, &is_group)).collect()
}

/// The strategies of the pools, and of the groups in them.
pub(crate) fn strategies(pools: &[Pool]) -> HashMap<String, Strategy> {
    let mut strategies = HashMap::new();
    for pool in pools {
        let Some(strategy) = pool.strategy else { continue };
        for name in std::iter::once(&pool.name).chain(&pool.groups) {
            strategies.entry(name.clone()).or_insert(strategy);
        }
    }
    strategies
}

fn pool(section: &Section<'_>, is_group: &impl Fn(&str) -> bool) -> Option<Pool> {
    let Some(name) = section.get("group_name").and_then(|field| field.text()) else {
        section.warn("a routing group without `group_name`", "it is left out");
        return None;
    };
    if is_group(&name) {
        section.warn(format!("the routing group {name:?} has the name of a model group"), "only its strategy counts");
    }
    let mut groups = Vec::new();
    if let Some(field) = section.get("models") {
        for group in field.texts() {
            if is_group(&group) {
                groups.push(group);
            } else {
                field.warn(format!("there is no model group {group:?}"), "it is skipped");
            }
        }
    }
    if groups.is_empty() {
        section.warn(format!("the routing group {name:?} has no models"), "it is left out");
        return None;
    }
    let args = section.get("routing_strategy_args").and_then(|field| field.section());
    let strategy = section.get("routing_strategy").and_then(|field| strategy_names::read(&field, args.as_ref()));
    Some(Pool { name, groups, strategy })
}

//! `model_group_alias`: other names for groups.

use std::collections::HashMap;

use crate::layers::{Layers, ROUTER_ONLY};
use crate::reader::Field;

/// Another name for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) group: String,
    /// Whether `GET /v1/models` leaves it out.
    pub(crate) hidden: bool,
}

/// Every alias that leads to one of the groups, directly or by way of another alias.
pub(crate) fn read(layers: &Layers<'_>, is_group: impl Fn(&str) -> bool) -> Vec<Alias> {
    let Some(section) = layers.get("model_group_alias", ROUTER_ONLY).and_then(|field| field.section()) else {
        return Vec::new();
    };
    let written: Vec<_> = section.fields().filter_map(|(name, field)| Some((name, target(&field)?, field))).collect();
    let leads_to: HashMap<&str, &str> = written.iter().map(|(name, (to, _), _)| (*name, to.as_str())).collect();
    let mut aliases = Vec::new();
    for (name, (to, hidden), field) in &written {
        let mut group = to.as_str();
        for _ in 0..8 {
            match leads_to.get(group).filter(|_| !is_group(group)) {
                Some(next) => group = next,
                None => break,
            }
        }
        if !is_group(group) {
            field.warn(format!("there is no model group {to:?}"), "the alias is left out");
            continue;
        }
        if is_group(name) && *name != group {
            field.warn(format!("the alias hides the model group {name:?}"), "requests for it go to the alias's group");
        }
        aliases.push(Alias { name: (*name).to_owned(), group: group.to_owned(), hidden: *hidden });
    }
    aliases
}

/// The names of all aliases and of `routing_groups`.
pub(crate) fn names(layers: &Layers<'_>) -> Vec<String> {
    let section = layers.get("model_group_alias", ROUTER_ONLY).and_then(|field| field.as_section());
    let pools = layers.get("routing_groups", ROUTER_ONLY).and_then(|field| field.items()).unwrap_or_default();
    let pools = pools.iter().filter_map(|item| item.as_section()?.get("group_name")?.text());
    let aliases =
        section.iter().flat_map(|section| section.fields().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
    aliases.chain(pools).collect()
}

/// The group an alias names, and whether the alias is hidden.
fn target(field: &Field<'_>) -> Option<(String, bool)> {
    if let Some(section) = field.as_section() {
        let hidden = section.get("hidden").and_then(|field| field.flag()).unwrap_or_default();
        let model = section.get("model").and_then(|field| field.text());
        if model.is_none() {
            field.warn("the alias names no model", "write { model: group, hidden: true }");
        }
        return Some((model?, hidden));
    }
    if let Some(items) = field.items() {
        let first = items.first()?.text()?;
        field.warn(
            "a list stands where one group is meant",
            format!("only {first:?} is used; make a model group of them"),
        );
        return Some((first, false));
    }
    Some((field.text()?, false))
}

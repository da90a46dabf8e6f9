//! Fallback lists in every shape people write them.

use serde_json::value::RawValue;

use crate::json;
use crate::layers::{Layers, ROUTER};
use crate::reader::{Field, Lookup, Section};
use crate::yaml::Value;

/// One place to fall back to, as written.
#[derive(Debug, Clone)]
pub(crate) struct Written<'a> {
    /// A group, alias, route, deployment id or wildcard match.
    pub(crate) name: String,
    /// Body fields set for it.
    pub(crate) overrides: Vec<(String, Box<RawValue>)>,
    /// For problems.
    pub(crate) field: Field<'a>,
}

/// The fallbacks of one group, as written.
#[derive(Debug, Clone)]
pub(crate) struct List<'a> {
    /// The group; `*` is every group without a list of its own.
    pub(crate) source: String,
    pub(crate) targets: Vec<Written<'a>>,
    /// For problems.
    pub(crate) field: Field<'a>,
}

/// All lists, as written.
#[derive(Debug, Default)]
pub(crate) struct Lists<'a> {
    pub(crate) general: Vec<List<'a>>,
    pub(crate) context_window: Vec<List<'a>>,
    pub(crate) content_policy: Vec<List<'a>>,
}

/// Every fallback list of the file. `top` is looked at for a `fallbacks` that stands outside of
/// the settings sections.
pub(crate) fn read<'a>(layers: &Layers<'a>, top: &Section<'a>) -> Lists<'a> {
    let list = |key: &str| layers.get(key, ROUTER).map_or_else(Vec::new, |field| read_lists(&field));
    let mut general = list("fallbacks");
    if let Some(field) = top.get("fallbacks") {
        field.warn("`fallbacks` belongs in router_settings", "it is honoured all the same");
        if general.is_empty() {
            general = read_lists(&field);
        }
    }
    if let Some(field) = layers.get("default_fallbacks", ROUTER) {
        let targets = targets(&field);
        add(&mut general, List { source: "*".to_owned(), targets, field });
    }
    Lists {
        general,
        context_window: list("context_window_fallbacks"),
        content_policy: list("content_policy_fallbacks"),
    }
}

fn read_lists<'a>(field: &Field<'a>) -> Vec<List<'a>> {
    let mut lists = Vec::new();
    if let Some(section) = field.as_section() {
        field.warn("a map stands where a list is meant", "each key is taken as a group; write `- group: [others]`");
        add_pairs(&mut lists, &section);
        return lists;
    }
    let Some(items) = field.items() else {
        field.warn(format!("{} is no list of fallbacks", field.shown()), "it has no effect; write `- group: [others]`");
        return lists;
    };
    let mut everywhere = Vec::new();
    for item in &items {
        match &item.node.value {
            Value::Map(_) => {
                if let Some(section) = item.as_section() {
                    read_item(&mut lists, item, &section);
                }
            }
            Value::Null => {}
            Value::Str(_) => everywhere.extend(target(item)),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Seq(_) => {
                item.warn(format!("{} is no fallback", item.shown()), "it has no effect; write `- group: [others]`");
            }
        }
    }
    if let Some(first) = items.first().filter(|_| !everywhere.is_empty()) {
        first.warn(
            "names alone say not for which group they are",
            "they are taken for every group, as `default_fallbacks` are",
        );
        add(&mut lists, List { source: "*".to_owned(), targets: everywhere, field: first.clone() });
    }
    lists
}

/// One item of a list: `group: [others]`, or something that was meant so.
fn read_item<'a>(lists: &mut Vec<List<'a>>, item: &Field<'a>, section: &Section<'a>) {
    let source = section.get("model").or_else(|| section.get("model_name"));
    let keys: Vec<&str> = section.fields().map(|(key, _)| key).collect();
    if let (Some(source), true) = (source, keys.len() > 1) {
        let names = ["fallbacks", "fallback_models", "fallback_model", "fallback"];
        let Some(found) = names.iter().find_map(|name| section.get(name)) else {
            item.warn("this names a model and no fallback", "it has no effect; write `- group: [others]`");
            return;
        };
        if let Some(source) = source.text() {
            item.warn("this is not how fallbacks are written", format!("it is taken as `- {source}: [others]`"));
            let targets = targets(&found);
            add(lists, List { source, targets, field: item.clone() });
        }
        return;
    }
    if keys.len() > 1 {
        item.warn("one item names several groups", "each is taken by itself; write one item a group");
    }
    add_pairs(lists, section);
}

fn add_pairs<'a>(lists: &mut Vec<List<'a>>, section: &Section<'a>) {
    for (source, field) in section.fields() {
        let list = List { source: source.to_owned(), targets: targets(&field), field };
        add(lists, list);
    }
}

fn add<'a>(lists: &mut Vec<List<'a>>, list: List<'a>) {
    if lists.iter().any(|known| known.source == list.source) {
        let what = format!("{:?} has a list of fallbacks already", list.source);
        list.field.warn(what, "the first one counts; put both into one list");
    } else {
        lists.push(list);
    }
}

fn targets<'a>(field: &Field<'a>) -> Vec<Written<'a>> {
    match field.items() {
        Some(items) => items.iter().filter_map(target).collect(),
        None => {
            if matches!(field.node.value, Value::Str(_)) {
                field.warn("one name stands where a list is meant", "it is taken as a list of one; write [name]");
            }
            target(field).into_iter().collect()
        }
    }
}

fn target<'a>(field: &Field<'a>) -> Option<Written<'a>> {
    let warn = || field.warn(format!("{} is no model group", field.shown()), "it is skipped");
    match &field.node.value {
        Value::Str(_) => match field.lookup()? {
            Lookup::Found(name) => Some(Written { name, overrides: Vec::new(), field: field.clone() }),
            Lookup::Unset(name) => {
                field.warn(format!("the environment variable {name} is not set"), "it is skipped");
                None
            }
        },
        Value::Map(_) => {
            let section = field.as_section()?;
            let Some(name) = section.get("model").and_then(|field| field.text()) else {
                warn();
                return None;
            };
            let others = section.fields().filter(|(key, _)| *key != "model");
            let overrides = others.filter_map(|(key, field)| Some((key.to_owned(), json::raw(&field)?))).collect();
            Some(Written { name, overrides, field: field.clone() })
        }
        Value::Null => None,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Seq(_) => {
            warn();
            None
        }
    }
}

/// The lists of a map of groups.
pub(crate) fn pairs<'a>(field: &Field<'a>) -> Vec<List<'a>> {
    let mut lists = Vec::new();
    if let Some(section) = field.section() {
        add_pairs(&mut lists, &section);
    }
    lists
}

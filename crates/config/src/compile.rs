//! A file as nodes to a routing table, section by section.

use std::collections::HashMap;

use weighbridge_domain::provider::Catalog;
use weighbridge_domain::table::RoutingTable;
use weighbridge_domain::usage::Prices as PriceList;

use crate::assembly::Assembly;
use crate::deployment::Surroundings;
use crate::env::Environment;
use crate::include::Source;
use crate::known::{TOP, TOP_ELSEWHERE};
use crate::layers::Layers;
use crate::limits::Defaults;
use crate::reader::{Field, Reader, Section};
use crate::report::Report;
use crate::sections::prices::Prices;
use crate::sections::providers::Providers;
use crate::sections::{general, routing, saved_configs, server, state, virtual_keys};
use crate::variables::{self, Variables};
use crate::yaml::{Node, Value};
use crate::{aliases, fallbacks, lend, model_list, models, smoothing, suggest};

/// The table that `source` describes. Every problem goes to `report`.
pub(crate) fn compile(
    source: &Source,
    report: &Report,
    catalog: &Catalog,
    environment: &dyn Environment,
) -> RoutingTable {
    let found = Variables::new(environment, environment_variables(&source.root, environment));
    let reader = Reader { report, variables: &found };
    let root = Field { reader: &reader, node: &source.root, path: String::new() };
    if source.root.value == Value::Null {
        root.error("the file is empty", "write a model_list");
        return RoutingTable::default();
    }
    let Some(top) = root.section() else { return RoutingTable::default() };
    let keys = virtual_keys::entries(&source.root);
    let layers = Layers::new(&top);
    check_sections(&top);
    layers.warn_of_others();
    let store = state::read(&top, &layers);
    let (routing, siblings) = routing::read(&top, &layers);
    let mut server = general::read(&layers, &reader);
    server::read(&top, &mut server);
    let around = Surroundings {
        providers: Providers::read(&top, catalog),
        prices: Prices::read(&top),
        defaults: Defaults::read(&layers, smoothing::windows(&top)),
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
    table.store = store;
    assembly.finish(&top, drafts, &mut table);
    virtual_keys::read(&top, &keys, &around, &mut table);
    table.catalog = around.providers.catalog;
    table.prices = PriceList { own: around.prices.by_name(), known: Some(models::price) };
    saved_configs::read(&top, &mut table);
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
        Value::Str(text) => match variables::name_in(text) {
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

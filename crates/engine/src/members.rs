//! Whom a model's name may lead to, for those who compare models rather than ask one.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::name::GroupName;
use weighbridge_domain::plan::Plan;
use weighbridge_domain::preferences::is_provider;
use weighbridge_domain::table::RoutingTable;

/// The deployments that a client means by `model` of `provider`. In this order: what is configured under both names
/// together, deployments of that upstream model there, what is configured under the model's name, a pattern.
pub(crate) fn named(table: &RoutingTable, provider: &str, model: &str) -> Vec<Arc<Deployment>> {
    let full = if provider.is_empty() { model.to_owned() } else { format!("{provider}/{model}") };
    if table.is_named(&full) {
        return found(table, &full);
    }
    let is_there = |deployment: &Arc<Deployment>| is_provider(deployment, provider);
    let upstream: Vec<_> =
        table.deployments().filter(|d| d.model.as_str() == model && is_there(d)).map(Arc::clone).collect();
    if !upstream.is_empty() {
        return upstream;
    }
    if table.is_named(model) {
        let all = found(table, model);
        // A client may name the dialect it speaks rather than who serves the model.
        let there: Vec<_> = all.iter().filter(|d| is_there(d)).cloned().collect();
        return if there.is_empty() { all } else { there };
    }
    match table.find(&full) {
        Some(pattern) if !pattern.captures.is_empty() => found(table, &full),
        _ => found(table, &full).into_iter().filter(is_there).collect(),
    }
}

/// Every deployment that requests for `name` may come to, but for fallbacks of groups.
fn found(table: &RoutingTable, name: &str) -> Vec<Arc<Deployment>> {
    let Some(found) = table.find(name) else { return Vec::new() };
    let mut members = Vec::new();
    match (&*found.entry.plan, &found.entry.group) {
        (Plan::Target { .. }, _) | (_, None) => add(table, &found.entry.plan, &mut members),
        (_, Some(group)) => add_group(table, group, &mut members),
    }
    members
}

fn add(table: &RoutingTable, plan: &Plan, members: &mut Vec<Arc<Deployment>>) {
    match plan {
        Plan::Group { group, .. } => add_group(table, group, members),
        Plan::Target { deployment, .. } => members.extend(table.deployment(deployment.as_str()).cloned()),
        Plan::Brought { group, .. } => members.extend(group.deployments.iter().cloned()),
        Plan::Asked { .. } => {}
        Plan::Fallback { children, .. } | Plan::Conditional { children, .. } => {
            children.iter().for_each(|child| add(table, child, members));
        }
        Plan::LoadBalance(balance) => balance.shares.iter().for_each(|share| add(table, &share.plan, members)),
    }
}

fn add_group(table: &RoutingTable, group: &GroupName, members: &mut Vec<Arc<Deployment>>) {
    members.extend(table.group(group).into_iter().flat_map(|group| group.deployments.iter().cloned()));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
    use weighbridge_domain::group::ModelGroup;
    use weighbridge_domain::plan::Plan;
    use weighbridge_domain::table::{Entry, Pattern, RoutingTable};

    use super::named;

    /// `chat` at Azure and Groq, `openai/gpt` at `OpenAI`, and `any/*`.
    fn table() -> RoutingTable {
        let mut table = RoutingTable::default();
        let mut add = |group: &str, members: &[(&str, &str, &str)]| {
            let members = members.iter().map(|(id, provider, model)| {
                let endpoint = Endpoint::new(*provider, "http://h");
                Arc::new(Deployment::new(*id, group, ModelTemplate::new(*model), endpoint))
            });
            table.add_group(ModelGroup::new(group, members.collect()));
            let entry = Entry { plan: Arc::new(Plan::group(group.into())), group: Some(group.into()) };
            match group.contains('*') {
                true => table.add_pattern(Pattern::new(group), entry),
                false => table.add_entry(group, entry),
            }
        };
        add("chat", &[("az", "azure", "gpt-eu"), ("gq", "groq", "llama")]);
        add("openai/gpt", &[("oa", "openai", "gpt")]);
        add("any/*", &[("w", "openai", "*")]);
        table
    }

    #[test]
    fn names_lead_to_deployments() {
        let table = table();
        for (provider, model, expected) in [
            ("openai", "gpt", "oa"),
            ("azure", "gpt-eu", "az"),
            ("groq", "chat", "gq"),
            ("openai", "chat", "az gq"),
            ("", "chat", "az gq"),
            ("any", "thing", "w"),
            ("openai", "az", "az"),
            ("groq", "gpt-eu", ""),
            ("nobody", "nothing", ""),
        ] {
            let members = named(&table, provider, model);
            let ids: Vec<_> = members.iter().map(|d| d.id.as_str()).collect();
            assert_eq!(ids.join(" "), expected, "{provider}/{model}");
        }
    }
}

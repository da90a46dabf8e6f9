//! The routing table: everything a configuration says, compiled, checked and immutable.

use std::collections::HashMap;
use std::sync::Arc;

use crate::deployment::Deployment;
use crate::group::ModelGroup;
use crate::name::{DeploymentId, GroupName, NameMap};
use crate::plan::{Called, ConfigObject, Plan, StopOptions};
use crate::provider::Catalog;
use crate::request::ModelChoice;
use crate::settings::{RoutingSettings, ServerSettings};
use crate::store::StoreSettings;
use crate::usage::Prices;

/// Everything a configuration says. A request takes one when it arrives and keeps it to its end.
#[derive(Debug, Default)]
pub struct RoutingTable {
    /// Tells two tables apart: a hash over the configuration's contents.
    pub fingerprint: String,
    groups: NameMap<GroupName, Arc<ModelGroup>>,
    group_order: Vec<GroupName>,
    deployments: NameMap<DeploymentId, Arc<Deployment>>,
    left_out: Vec<LeftOut>,
    entries: NameMap<String, Entry>,
    patterns: Vec<(Pattern, Entry)>,
    upstream_names: NameMap<String, GroupName>,
    default_entry: Option<Entry>,
    choices: NameMap<String, Arc<ModelChoice>>,
    listed: Vec<ListedModel>,
    /// Every provider that a plan may name.
    pub catalog: Catalog,
    /// What models cost where a deployment takes any.
    pub prices: Prices,
    /// Config objects by the ids that clients send instead of them.
    pub saved_configs: HashMap<String, SavedConfig>,
    /// How requests are routed, apart from groups and deployments.
    pub routing: RoutingSettings,
    /// How the HTTP side behaves.
    pub server: ServerSettings,
    /// Where counters live. A process keeps the store it began with.
    pub store: StoreSettings,
}

/// A deployment that cannot be called, and why.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// What it would have been.
    pub deployment: Arc<Deployment>,
    /// Why it is not called, in words for an operator.
    pub reason: String,
}

/// A config object that the configuration saves under an id.
#[derive(Debug, Clone)]
pub struct SavedConfig {
    /// What it means.
    pub object: Arc<ConfigObject>,
    /// What it says, without secrets.
    pub shown: serde_json::Value,
}

/// What a name leads to.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The way of its requests.
    pub plan: Arc<Plan>,
    /// The group behind it, when it is one.
    pub group: Option<GroupName>,
}

/// A model as `GET /v1/models` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedModel {
    /// What clients ask for.
    pub name: String,
    /// The group behind it, when it is one.
    pub group: Option<GroupName>,
}

/// A name with stars, matched whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<String>,
}

/// What a requested model name was found to be.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it leads to.
    pub entry: Entry,
    /// What stood in place of the stars of a pattern.
    pub captures: Vec<String>,
}

impl RoutingTable {
    /// Adds a group and its deployments. A group of the same name is replaced.
    pub fn add_group(&mut self, group: ModelGroup) {
        for deployment in &group.deployments {
            // One that is lent to another group stays what it is in its own.
            if deployment.group == group.name || !self.deployments.contains_key(&deployment.id) {
                self.deployments.insert(deployment.id.clone(), Arc::clone(deployment));
            }
        }
        if !self.groups.contains_key(&group.name) {
            self.group_order.push(group.name.clone());
        }
        self.groups.insert(group.name.clone(), Arc::new(group));
    }

    /// Notes a deployment that cannot be called.
    pub fn add_left_out(&mut self, left_out: LeftOut) {
        self.left_out.push(left_out);
    }

    /// Lets `name` lead to `entry`: a group, an alias or a route. The first of a name counts.
    pub fn add_entry(&mut self, name: impl Into<String>, entry: Entry) {
        self.entries.entry(name.into()).or_insert(entry);
    }

    /// Lets every name that `pattern` matches lead to `entry`.
    /// The longest pattern wins, and of equally long ones the one with fewer stars.
    pub fn add_pattern(&mut self, pattern: Pattern, entry: Entry) {
        self.patterns.push((pattern, entry));
        self.patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.rank()));
    }

    /// Lets a provider's own model name lead to the group of a deployment that has it.
    pub fn add_upstream_name(&mut self, name: impl Into<String>, group: GroupName) {
        self.upstream_names.entry(name.into()).or_insert(group);
    }

    /// What every unknown name leads to.
    pub fn set_default_entry(&mut self, entry: Entry) {
        self.default_entry = Some(entry);
    }

    /// Lets the route `name` choose among models.
    pub fn add_choice(&mut self, name: impl Into<String>, choice: ModelChoice) {
        self.choices.insert(name.into(), Arc::new(choice));
    }

    /// Lists a name in `GET /v1/models`, once.
    pub fn list(&mut self, model: ListedModel) {
        if !self.listed.iter().any(|known| known.name == model.name) {
            self.listed.push(model);
        }
    }

    /// What `model` leads to. In this order: a deployment's id, a group, alias or route of that
    /// name, a virtual key's model, a pattern, a provider's own model name, the default.
    pub fn find(&self, model: &str) -> Option<Found> {
        if let Some(deployment) = self.deployments.get(model) {
            let plan = Plan::Target { deployment: deployment.id.clone(), options: Arc::default() };
            let entry = Entry { plan: Arc::new(plan), group: Some(deployment.group.clone()) };
            return Some(Found { entry, captures: Vec::new() });
        }
        if let Some(entry) = self.entries.get(model) {
            return Some(Found { entry: entry.clone(), captures: Vec::new() });
        }
        if let Some(entry) = self.by_virtual_key(model) {
            return Some(Found { entry, captures: Vec::new() });
        }
        for (pattern, entry) in &self.patterns {
            if let Some(captures) = pattern.captures(model) {
                return Some(Found { entry: entry.clone(), captures });
            }
        }
        let by_upstream_name = self.upstream_names.get(model).and_then(|group| self.entries.get(group.as_str()));
        let entry = by_upstream_name.or(self.default_entry.as_ref())?;
        Some(Found { entry: entry.clone(), captures: Vec::new() })
    }

    /// What `@key/model` leads to: the model at the provider that the virtual key is for.
    fn by_virtual_key(&self, model: &str) -> Option<Entry> {
        let (key, model) = model.split_once('/').filter(|(key, _)| key.starts_with('@'))?;
        let group = self.groups.get(key)?.name.clone();
        let called = Called { model: model.to_owned(), captures: Vec::new() };
        let options = Arc::new(StopOptions { called: Some(called), ..StopOptions::default() });
        let plan = Plan::Group { group: group.clone(), level: None, options };
        Some(Entry { plan: Arc::new(plan), group: Some(group) })
    }

    /// Whether `model` is a name of its own here rather than one that a pattern or the default takes in.
    pub fn is_named(&self, model: &str) -> bool {
        self.deployments.contains_key(model)
            || self.entries.contains_key(model)
            || self.upstream_names.contains_key(model)
    }

    /// The models of the route of that name, where it chooses among models.
    pub fn choice(&self, route: &str) -> Option<&Arc<ModelChoice>> {
        self.choices.get(route)
    }

    /// The group of that name.
    pub fn group(&self, name: &GroupName) -> Option<&Arc<ModelGroup>> {
        self.groups.get(name)
    }

    /// All groups, in the order of the configuration.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<ModelGroup>> {
        self.group_order.iter().filter_map(|name| self.groups.get(name))
    }

    /// The deployment of that id, when it can be called.
    pub fn deployment(&self, id: &str) -> Option<&Arc<Deployment>> {
        self.deployments.get(id)
    }

    /// All deployments that can be called, each once, group by group in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &Arc<Deployment>> {
        self.groups().flat_map(move |group| {
            let is_lent = move |deployment: &Arc<Deployment>| {
                deployment.group != group.name && self.groups.contains_key(&deployment.group)
            };
            group.deployments.iter().filter(move |deployment| !is_lent(deployment))
        })
    }

    /// Deployments that cannot be called.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What `GET /v1/models` lists.
    pub fn listed(&self) -> &[ListedModel] {
        &self.listed
    }
}

impl Pattern {
    /// A pattern from its text; each `*` stands for any text, none included.
    pub fn new(text: &str) -> Self {
        Self { parts: text.split('*').map(str::to_owned).collect() }
    }

    /// What stands for the stars when all of `name` matches, each as short as can be.
    pub fn captures(&self, name: &str) -> Option<Vec<String>> {
        let (first, rest) = self.parts.split_first()?;
        let mut left = name.strip_prefix(first.as_str())?;
        let mut captures = Vec::new();
        let Some((last, middle)) = rest.split_last() else {
            return left.is_empty().then(Vec::new);
        };
        for part in middle {
            let at = left.find(part.as_str())?;
            captures.push(left[..at].to_owned());
            left = &left[at + part.len()..];
        }
        captures.push(left.strip_suffix(last.as_str())?.to_owned());
        Some(captures)
    }

    /// Longer first, then fewer stars.
    fn rank(&self) -> (usize, std::cmp::Reverse<usize>) {
        let stars = self.parts.len() - 1;
        (self.parts.iter().map(String::len).sum::<usize>() + stars, std::cmp::Reverse(stars))
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn captures(pattern: &str, name: &str) -> String {
        match Pattern::new(pattern).captures(name) {
            Some(captures) => format!("[{}]", captures.join("|")),
            None => "no".to_owned(),
        }
    }

    #[test]
    fn stars_match_whole_names() {
        assert_eq!(captures("openai/*", "openai/gpt-4o"), "[gpt-4o]");
        assert_eq!(captures("openai/*", "azure/openai/gpt-4o"), "no");
        assert_eq!(captures("*", "anything/at:all"), "[anything/at:all]");
        assert_eq!(captures("a-*-c-*", "a-b-c-d-c-e"), "[b|d-c-e]");
        assert_eq!(captures("*-mini", "gpt-mini-x"), "no");
        assert_eq!(captures("plain", "plain"), "[]");
        assert_eq!(captures("plain", "plainer"), "no");
        assert_eq!(captures("ab*ba", "aba"), "no");
    }
}

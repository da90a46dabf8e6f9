//! Fallback lists as written turned into lists of groups and deployments that exist.

use std::collections::HashMap;

use weighbridge_domain::name::DeploymentId;

use crate::fallbacks::{List, Written};
use crate::plans::{Ask, Target, Targets};
use crate::suggest;

/// What a fallback may name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Groups, aliases and pools, with the group behind each.
    pub(crate) groups: HashMap<String, String>,
    /// Deployments that can be called.
    pub(crate) deployments: Vec<DeploymentId>,
    /// Full provider names of models, with the group that serves each.
    pub(crate) upstream: HashMap<String, String>,
}

impl Names {
    /// `lists` with what exists of them; the rest is warned of.
    pub(crate) fn resolve(&self, lists: &[List<'_>]) -> Targets {
        let mut resolved = Targets::new();
        for list in lists {
            self.check_source(list);
            let targets: Vec<Target> = list.targets.iter().filter_map(|target| self.target(target)).collect();
            if targets.iter().any(|target| target.ask == Ask::Group(list.source.clone()) && target.overrides.is_empty())
                && list.source != "*"
            {
                list.field.warn(format!("{:?} is a fallback of itself", list.source), "it is skipped");
            }
            resolved.insert(list.source.clone(), targets);
        }
        resolved
    }

    fn check_source(&self, list: &List<'_>) {
        let source = list.source.as_str();
        let bare = source.split_once('/').map_or(source, |(_, bare)| bare);
        if source != "*" && !self.groups.contains_key(source) && !self.groups.contains_key(bare) {
            let known = self.groups.keys().map(String::as_str);
            list.field.warn(format!("there is no model group {source:?}"), suggest::did_you_mean(source, known));
        }
    }

    fn target(&self, written: &Written<'_>) -> Option<Target> {
        let name = written.name.as_str();
        let ask = if let Some(group) = self.groups.get(name) {
            Ask::Group(group.clone())
        } else if let Some(id) = self.deployments.iter().find(|id| id.as_str() == name) {
            Ask::Deployment(id.clone())
        } else if let Some(group) = self.upstream.get(name) {
            let hint = format!("the group {group:?}, which serves it, is used");
            written.field.warn(format!("{name:?} is a provider's model, not a model group"), hint);
            Ask::Group(group.clone())
        } else {
            let near = suggest::nearest(name, self.groups.keys().map(String::as_str));
            let hint = near.map_or("it is skipped".to_owned(), |near| format!("it is skipped; did you mean `{near}`?"));
            written.field.warn(format!("there is no model group {name:?}"), hint);
            return None;
        };
        Some(Target { ask, overrides: written.overrides.clone() })
    }
}

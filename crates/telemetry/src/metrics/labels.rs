//! What labels may say: a bounded set of words, whatever clients and providers send.

use weighbridge_domain::name::{DeploymentId, GroupName, NameMap};
use weighbridge_domain::request::Operation;
use weighbridge_domain::table::RoutingTable;

use super::handles::{DeploymentHandles, GroupHandles};

/// The label of a group or deployment that there was none of.
const NONE: &str = "none";

/// The label of what is not in the table in force.
const OTHER: &str = "other";

/// The names that have series of their own, and those series.
#[derive(Debug)]
pub(super) struct Known {
    /// Nothing for as long as there is no table: any name will do then.
    names: Option<Names>,
    no_group: GroupHandles,
    other_group: GroupHandles,
    no_deployment: DeploymentHandles,
    other_deployment: DeploymentHandles,
}

#[derive(Debug)]
struct Names {
    groups: NameMap<GroupName, GroupHandles>,
    deployments: NameMap<DeploymentId, DeploymentHandles>,
}

impl Known {
    /// Any name, for as long as there is no table.
    pub(super) fn anything() -> Self {
        Self::with(None)
    }

    /// The names in `table`.
    pub(super) fn of(table: &RoutingTable) -> Self {
        Self::with(Some(Names {
            groups: table.groups().map(|group| (group.name.clone(), GroupHandles::default())).collect(),
            deployments: table.deployments().map(|d| (d.id.clone(), DeploymentHandles::default())).collect(),
        }))
    }

    fn with(names: Option<Names>) -> Self {
        Self {
            names,
            no_group: GroupHandles::default(),
            other_group: GroupHandles::default(),
            no_deployment: DeploymentHandles::default(),
            other_deployment: DeploymentHandles::default(),
        }
    }

    pub(super) fn group<'a>(&self, name: Option<&'a GroupName>) -> &'a str {
        name.map_or(NONE, |name| if self.has_group(name.as_str()) { name.as_str() } else { OTHER })
    }

    pub(super) fn deployment<'a>(&self, id: Option<&'a DeploymentId>) -> &'a str {
        id.map_or(NONE, |id| if self.has_deployment(id.as_str()) { id.as_str() } else { OTHER })
    }

    /// Counts by the label of a group and the series that have it.
    pub(super) fn count_group(&self, name: Option<&GroupName>, count: impl FnOnce(&str, &GroupHandles)) {
        match (name, &self.names) {
            (None, _) => count(NONE, &self.no_group),
            (Some(name), None) => count(name.as_str(), &GroupHandles::default()),
            (Some(name), Some(names)) => match names.groups.get(name) {
                Some(handles) => count(name.as_str(), handles),
                None => count(OTHER, &self.other_group),
            },
        }
    }

    /// Counts by the label of a deployment and the series that have it.
    pub(super) fn count_deployment(&self, id: Option<&DeploymentId>, count: impl FnOnce(&str, &DeploymentHandles)) {
        match (id, &self.names) {
            (None, _) => count(NONE, &self.no_deployment),
            (Some(id), None) => count(id.as_str(), &DeploymentHandles::default()),
            (Some(id), Some(names)) => match names.deployments.get(id) {
                Some(handles) => count(id.as_str(), handles),
                None => count(OTHER, &self.other_deployment),
            },
        }
    }

    /// A stop by its name in an itinerary: `group`, `group#level` or `=deployment`.
    pub(super) fn stop<'a>(&self, name: &'a str) -> &'a str {
        if let Some(id) = name.strip_prefix('=') {
            return if self.has_deployment(id) { name } else { OTHER };
        }
        let group = match name.rsplit_once('#') {
            Some((group, level)) if level.parse::<u32>().is_ok() => group,
            _ => name,
        };
        if self.has_group(group) || self.has_group(name) { name } else { OTHER }
    }

    /// Whether series labelled `group` stay.
    pub(super) fn keeps_group(&self, group: &str) -> bool {
        group == NONE || group == OTHER || self.has_group(group)
    }

    /// Whether series labelled `deployment` stay.
    pub(super) fn keeps_deployment(&self, deployment: &str) -> bool {
        deployment == NONE || deployment == OTHER || self.has_deployment(deployment)
    }

    fn has_group(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.groups.contains_key(name))
    }

    fn has_deployment(&self, id: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.deployments.contains_key(id))
    }
}

/// `chat/completions`, `embeddings`, …
pub(super) fn operation(operation: Operation) -> &'static str {
    operation.path().trim_start_matches('/')
}

/// The code where it is one that is met in practice, else its class: providers choose codes freely.
pub(super) const fn status(code: u16) -> &'static str {
    match code {
        200 => "200",
        400 => "400",
        401 => "401",
        402 => "402",
        403 => "403",
        404 => "404",
        408 => "408",
        409 => "409",
        413 => "413",
        415 => "415",
        422 => "422",
        429 => "429",
        499 => "499",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        529 => "529",
        100..=199 => "1xx",
        201..=299 => "2xx",
        300..=399 => "3xx",
        405..=498 => "4xx",
        501..=599 => "5xx",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::name::GroupName;

    use super::{Known, status};
    use crate::sample;

    #[test]
    fn codes_are_bounded() {
        let labels: std::collections::BTreeSet<&str> = (0..=u16::MAX).map(status).collect();
        assert_eq!(labels.len(), 24);
        assert_eq!(
            (status(200), status(204), status(418), status(599), status(999)),
            ("200", "2xx", "4xx", "5xx", "other")
        );
    }

    #[test]
    fn names_outside_the_table_are_other() {
        let known = Known::of(&sample::table());
        let group = |name: &str| known.group(Some(&GroupName::new(name))).to_owned();
        assert_eq!(
            (group("gpt-4o").as_str(), group("sk-oops").as_str(), known.group(None)),
            ("gpt-4o", "other", "none")
        );
        let stops = ["gpt-4o", "gpt-4o#2", "=azure-eu", "=gone", "gone#2", "gpt-4o#x"].map(|name| known.stop(name));
        assert_eq!(stops, ["gpt-4o", "gpt-4o#2", "=azure-eu", "other", "other", "other"]);
    }
}

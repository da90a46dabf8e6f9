//! Deployments gathered into groups.

use std::collections::HashMap;
use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::group::{ModelGroup, Strategy};
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::policy::RetryPolicy;
use weighbridge_domain::rotation::Rotation;
use weighbridge_domain::table::LeftOut;

use crate::deployment::Compiled;
use crate::plans::Outline;

/// A group while it is put together.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) members: Vec<Compiled>,
    /// The wildcard group whose deployments it borrows.
    pub(crate) lent_by: Option<String>,
}

/// How groups pick and retry.
#[derive(Debug)]
pub(crate) struct Habits {
    pub(crate) strategy: Strategy,
    pub(crate) strategies: HashMap<String, Strategy>,
    pub(crate) retry: RetryPolicy,
    pub(crate) retries: HashMap<String, RetryPolicy>,
}

impl Habits {
    fn of(&self, group: &str) -> (Strategy, RetryPolicy) {
        let strategy = self.strategies.get(group).copied().unwrap_or(self.strategy);
        (strategy, self.retries.get(group).copied().unwrap_or(self.retry))
    }
}

impl Draft {
    /// Whether clients can ask for it by name, and not only by what a pattern matches.
    pub(crate) fn is_named(&self) -> bool {
        !self.name.contains('*')
    }

    /// Whether `GET /v1/models` lists it.
    pub(crate) fn is_listed(&self) -> bool {
        self.is_named() && self.members.iter().any(|member| member.discoverable)
    }

    /// What the planner needs to know of it.
    pub(crate) fn outline(&self) -> Outline {
        let can_serve = |member: &&Compiled| member.left_out.is_none() && !member.blocked;
        let serving = self.members.iter().filter(can_serve);
        Outline {
            levels: serving.map(|member| member.deployment.order).collect(),
            lent_by: self.lent_by.clone(),
            providers: self.members.iter().map(|member| member.deployment.endpoint.provider.to_string()).collect(),
        }
    }

    /// The group, and the deployments of it that cannot be called.
    pub(crate) fn finish(self, habits: &Habits) -> (ModelGroup, Vec<LeftOut>) {
        let listed = self.is_listed();
        let tag_filtering = self.members.iter().find_map(|member| member.tag_filtering);
        let paused = !self.members.is_empty() && self.members.iter().all(|member| member.blocked);
        let mut deployments = Vec::new();
        let mut left_out = Vec::new();
        for member in self.members {
            let deployment = Arc::new(member.deployment);
            let reason = member.left_out.or_else(|| member.blocked.then(|| "paused by model_info.blocked".to_owned()));
            match reason {
                Some(reason) => left_out.push(LeftOut { deployment, reason }),
                None => deployments.push(deployment),
            }
        }
        let mut group = group(&self.name, deployments, habits);
        if let Some(lender) = &self.lent_by {
            (group.strategy, group.retry) = habits.of(lender);
        }
        group.listed = listed;
        group.tag_filtering = tag_filtering;
        group.paused = paused;
        (group, left_out)
    }
}

/// A group of `deployments`.
pub(crate) fn group(name: &str, deployments: Vec<Arc<Deployment>>, habits: &Habits) -> ModelGroup {
    let weights: Vec<f64> = deployments.iter().map(|deployment| deployment.weight.unwrap_or(1.0)).collect();
    let peers: Vec<DeploymentId> = deployments.iter().map(|deployment| deployment.id.clone()).collect();
    let (strategy, retry) = habits.of(name);
    ModelGroup {
        name: GroupName::new(name),
        deployments,
        strategy,
        retry,
        peers: peers.into(),
        rotation: Rotation::new(&weights),
        listed: true,
        tag_filtering: None,
        paused: false,
    }
}

//! A model group: what clients ask for by name, and the deployments that serve it.

use std::sync::Arc;

use crate::deployment::Deployment;
use crate::name::{DeploymentId, GroupName};
use crate::policy::RetryPolicy;
use crate::rotation::Rotation;

/// The deployments that serve one name, and how one of them is picked.
#[derive(Debug, Clone)]
pub struct ModelGroup {
    /// What clients ask for; may hold `*`.
    pub name: GroupName,
    /// Those that can be called. One that was left out or blocked is in the table, not here.
    pub deployments: Vec<Arc<Deployment>>,
    /// How one of them is picked.
    pub strategy: Strategy,
    /// How often a failed attempt is repeated.
    pub retry: RetryPolicy,
    /// The ids of `deployments`, for the rule that protects the last healthy one.
    pub peers: Arc<[DeploymentId]>,
    /// The order of turns for [`Strategy::RoundRobin`].
    pub rotation: Rotation,
    /// Whether `GET /v1/models` lists it.
    pub listed: bool,
    /// Whether requests are held against tags, when the group says so itself.
    pub tag_filtering: Option<bool>,
    /// Whether it has deployments, all of them paused by the operator (`model_info.blocked`).
    pub paused: bool,
}

impl ModelGroup {
    /// A group of `deployments` with every habit at its default, whose turns go by their weights.
    pub fn new(name: impl Into<GroupName>, deployments: Vec<Arc<Deployment>>) -> Self {
        let weights: Vec<f64> = deployments.iter().map(|deployment| deployment.weight.unwrap_or(1.0)).collect();
        Self {
            name: name.into(),
            strategy: Strategy::LeastUsage,
            retry: RetryPolicy::default(),
            peers: deployments.iter().map(|deployment| deployment.id.clone()).collect(),
            rotation: Rotation::new(&weights),
            listed: true,
            tag_filtering: None,
            paused: false,
            deployments,
        }
    }
}

/// How a group picks one of its deployments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy {
    /// The fewest tokens in the window, as a share of tpm when every candidate has one.
    LeastUsage,
    /// At random by weight, else by rpm, else by tpm, else evenly.
    SimpleShuffle,
    /// The fewest requests in flight.
    LeastBusy,
    /// The lowest expected latency, in-flight requests counted in.
    Latency {
        /// Deployments within this share above the lowest are as good (0.1 is 10 %).
        buffer: f64,
    },
    /// The lowest price.
    Cost,
    /// In turn, exactly by weight.
    RoundRobin,
}

impl Strategy {
    /// The name it has in configuration, logs and `explain`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::LeastUsage => "least-usage",
            Self::SimpleShuffle => "simple-shuffle",
            Self::LeastBusy => "least-busy",
            Self::Latency { .. } => "latency-based-routing",
            Self::Cost => "cost-based-routing",
            Self::RoundRobin => "round-robin",
        }
    }
}

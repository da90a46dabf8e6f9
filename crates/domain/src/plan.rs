//! The configured way of a request: a tree that every dialect compiles to.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde_json::value::RawValue;

use crate::failure::{FailureFacts, FailureSet};
use crate::name::{DeploymentId, GroupName};
use crate::rotation::Rotation;
use crate::secret::Secret;

/// The configured way of a request. Immutable, and settled once per request into an itinerary.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Ask a model group.
    Group {
        /// The group.
        group: GroupName,
        /// Only its deployments of this `order`; `None` is all.
        level: Option<u32>,
        /// What differs here from the group's own settings.
        options: StopOptions,
    },
    /// Ask one deployment, whether it cools or not.
    Target {
        /// The deployment.
        deployment: DeploymentId,
        /// What differs here from the deployment's own settings.
        options: StopOptions,
    },
    /// Try the children in order, as long as `on` accepts the failure.
    Fallback {
        /// Which failures lead to the next child.
        on: FallbackOn,
        /// What to try.
        children: Vec<Plan>,
    },
    /// One of the children, in turn by weight.
    LoadBalance {
        /// Names the counter of turns that the fleet shares.
        key: Arc<str>,
        /// Whose turn it is.
        rotation: Rotation,
        /// The choices.
        children: Vec<Plan>,
    },
    /// The first branch whose condition holds.
    Conditional {
        /// Tried in order.
        branches: Vec<(Condition, Plan)>,
        /// Taken when none holds.
        otherwise: Option<Box<Plan>>,
    },
}

impl Plan {
    /// A whole group with its own settings.
    pub fn group(group: GroupName) -> Self {
        Self::Group { group, level: None, options: StopOptions::default() }
    }
}

/// Which failures lead on to the next child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FallbackOn {
    /// These kinds.
    Kinds(FailureSet),
    /// These HTTP statuses, and nothing else.
    StatusCodes(Vec<u16>),
}

impl FallbackOn {
    /// Whether `failure` leads on.
    pub fn accepts(&self, failure: FailureFacts) -> bool {
        match self {
            Self::Kinds(kinds) => kinds.contains(failure.kind),
            Self::StatusCodes(codes) => codes.contains(&failure.status),
        }
    }
}

/// What a stop has of its own, instead of its group's or deployment's.
#[derive(Debug, Clone, Default)]
pub struct StopOptions {
    /// Further attempts after the first.
    pub retries: Option<u32>,
    /// The only statuses that are retried.
    pub retry_on: Option<Vec<u16>>,
    /// How long one attempt may take until its first byte.
    pub timeout: Option<Duration>,
    /// The pause before retry `n` is this to the power of `n`, in seconds.
    pub backoff: Option<f64>,
    /// Body fields set here, whatever the client sent.
    pub overrides: Vec<(String, Box<RawValue>)>,
    /// A credential and base URL brought by the client.
    pub credentials: Option<Credentials>,
    /// What the model is called here, where that is not what the request calls it.
    pub called: Option<Called>,
}

/// A model's name, and what stood in place of the stars of its pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The name.
    pub model: String,
    /// One for each star.
    pub captures: Vec<String>,
}

/// A credential and base URL brought by a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// Instead of the deployment's key.
    pub api_key: Option<Secret>,
    /// Instead of the deployment's base URL.
    pub api_base: Option<String>,
}

/// A condition on the facts of a request.
#[derive(Debug, Clone)]
pub enum Condition {
    /// All hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// One fact compares as told.
    Test {
        /// Which fact.
        fact: FactKey,
        /// How it compares.
        test: Test,
    },
}

/// Where a condition looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactKey {
    /// A field of the request's metadata.
    Metadata(String),
    /// A field of the request's body.
    Param(String),
    /// The path of the URL.
    Path,
}

/// How a fact compares.
#[derive(Debug, Clone)]
pub enum Test {
    /// Strictly equal.
    Equal(serde_json::Value),
    /// Not equal; holds for a missing fact.
    NotEqual(serde_json::Value),
    /// Greater, as numbers.
    Greater(f64),
    /// Greater or equal, as numbers.
    AtLeast(f64),
    /// Less, as numbers.
    Less(f64),
    /// Less or equal, as numbers.
    AtMost(f64),
    /// One of these.
    In(Vec<serde_json::Value>),
    /// None of these; holds for a missing fact.
    NotIn(Vec<serde_json::Value>),
    /// Matches anywhere in the text.
    Matches(Regex),
}

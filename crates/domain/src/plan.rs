//! The configured way of a request: a tree that every dialect compiles to.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde_json::value::RawValue;

use crate::drop_path::DropPath;
use crate::failure::{FailureFacts, FailureSet};
use crate::group::ModelGroup;
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
        options: Arc<StopOptions>,
    },
    /// Ask one deployment, whether it cools or not.
    Target {
        /// The deployment.
        deployment: DeploymentId,
        /// What differs here from the deployment's own settings.
        options: Arc<StopOptions>,
    },
    /// Ask a deployment that the plan brings along, in a group of its own.
    Brought {
        /// The group, with its one deployment.
        group: Arc<ModelGroup>,
        /// What differs here from the group's own settings.
        options: Arc<StopOptions>,
    },
    /// Go the way of the model that the request asks for.
    Asked {
        /// What differs at every stop of it.
        options: Arc<StopOptions>,
    },
    /// Try the children in order, as long as `on` accepts the failure.
    Fallback {
        /// Which failures lead to the next child.
        on: FallbackOn,
        /// What to try.
        children: Vec<Plan>,
    },
    /// One of several, by weight.
    LoadBalance(Arc<Balance>),
    /// The first branch whose condition holds.
    Conditional {
        /// Tried in order, each with the place of the child that it leads to.
        branches: Vec<(Condition, usize)>,
        /// The place of the child that is taken when none holds.
        otherwise: Option<usize>,
        /// The choices.
        children: Vec<Plan>,
    },
}

impl Plan {
    /// A whole group with its own settings.
    pub fn group(group: GroupName) -> Self {
        Self::Group { group, level: None, options: Arc::default() }
    }

    /// Changes what differs at every stop.
    pub fn for_each_stop(&mut self, change: &mut dyn FnMut(&mut StopOptions)) {
        match self {
            Self::Group { options, .. }
            | Self::Target { options, .. }
            | Self::Brought { options, .. }
            | Self::Asked { options } => change(Arc::make_mut(options)),
            Self::Fallback { children, .. } | Self::Conditional { children, .. } => {
                children.iter_mut().for_each(|child| child.for_each_stop(change));
            }
            Self::LoadBalance(balance) => {
                Arc::make_mut(balance).shares.iter_mut().for_each(|share| share.plan.for_each_stop(change));
            }
        }
    }
}

/// A config object, compiled.
#[derive(Debug, Clone)]
pub struct ConfigObject {
    /// The way of requests that bring it.
    pub plan: Arc<Plan>,
    /// Headers of the client that it looks at or sends on, in lower case.
    pub headers: Vec<String>,
    /// What is odd about it, in words for whoever wrote it.
    pub warnings: Vec<String>,
}

/// A choice among children by weight.
#[derive(Debug, Clone)]
pub struct Balance {
    /// Names the counter of turns that the fleet shares, and what sessions stick to.
    pub key: Arc<str>,
    /// How a child is chosen.
    pub draw: Draw,
    /// Whose turn it is.
    pub rotation: Rotation,
    /// The choices.
    pub shares: Vec<Share>,
}

impl Balance {
    /// A choice among `shares`, which is made as `draw` says.
    pub fn new(key: impl Into<Arc<str>>, draw: Draw, shares: Vec<Share>) -> Self {
        let weights: Vec<f64> = shares.iter().map(|share| share.weight).collect();
        Self { key: key.into(), draw, rotation: Rotation::new(&weights), shares }
    }
}

/// One choice of a balance.
#[derive(Debug, Clone)]
pub struct Share {
    /// How often it is chosen, relative to the others; 0 is never.
    pub weight: f64,
    /// Tells it from the others, wherever it stands among them.
    pub mark: Arc<str>,
    /// Where it leads.
    pub plan: Plan,
}

/// How one of several is chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Draw {
    /// In turn: exactly by weight over the whole fleet.
    Turns,
    /// At random by weight, whatever others do.
    Random,
    /// At random by weight, times how fast each has been compared to the others.
    Adaptive(Bounds),
    /// The one that the session was given, as long as it may be asked.
    Sticky(Sticky),
}

/// What a weight may be multiplied with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// At least this, above 0 and at most 1.
    pub least: f64,
    /// At most this, from 1 up.
    pub most: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { least: 0.5, most: 2.0 }
    }
}

/// What makes a session, and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    /// Facts that tell one session from another. One that a request does not have counts for nothing.
    pub fields: Vec<FactKey>,
    /// How long a session keeps what it was given.
    pub lasts: Duration,
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
    /// What a provider's Retry-After means for the pause before a retry; `None` sits out a short one.
    pub retry_after: Option<RetryAfter>,
    /// How long one attempt may take until its first byte.
    pub timeout: Option<Duration>,
    /// The pause before retry `n` is this to the power of `n`, in seconds.
    pub backoff: Option<f64>,
    /// Body fields set here, whatever the client sent.
    pub overrides: Vec<(String, Box<RawValue>)>,
    /// Body fields set here where the client sent none.
    pub defaults: Vec<(String, Box<RawValue>)>,
    /// What is taken out of the body before it is sent.
    pub drops: Vec<DropPath>,
    /// Headers of the client that are sent on, in lower case.
    pub forward_headers: Vec<String>,
    /// A credential and base URL brought by the client.
    pub credentials: Option<Credentials>,
    /// What the model is called here, where that is not what the request calls it.
    pub called: Option<Called>,
}

impl StopOptions {
    /// These options, and those of `under` where these say nothing.
    #[must_use]
    pub fn over(&self, under: &Self) -> Self {
        let merged = |own: &[(String, Box<RawValue>)], under: &[(String, Box<RawValue>)]| {
            let others = under.iter().filter(|(key, _)| !own.iter().any(|(known, _)| known == key));
            others.chain(own).cloned().collect()
        };
        let joined = |own: &[String], under: &[String]| {
            own.iter().chain(under.iter().filter(|name| !own.contains(name))).cloned().collect()
        };
        Self {
            retries: self.retries.or(under.retries),
            retry_on: self.retry_on.clone().or_else(|| under.retry_on.clone()),
            retry_after: self.retry_after.or(under.retry_after),
            timeout: self.timeout.or(under.timeout),
            backoff: self.backoff.or(under.backoff),
            overrides: merged(&self.overrides, &under.overrides),
            defaults: merged(&self.defaults, &under.defaults),
            drops: under.drops.iter().chain(&self.drops).cloned().collect(),
            forward_headers: joined(&self.forward_headers, &under.forward_headers),
            credentials: self.credentials.clone().or_else(|| under.credentials.clone()),
            called: self.called.clone().or_else(|| under.called.clone()),
        }
    }
}

/// What a provider's Retry-After means for the pause before a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Nothing: the pause is the stop's own.
    Ignore,
    /// It is the pause after a 429; where it is too long nothing is tried again.
    Heed,
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

/// Where a condition or a session looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactKey {
    /// A field of the request's metadata: its name, then the names inside it.
    Metadata(Vec<String>),
    /// A field of the request's body: its name, then the names inside it.
    Param(Vec<String>),
    /// A header of the client, in lower case.
    Header(String),
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

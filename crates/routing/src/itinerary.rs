//! A plan settled for one request: a flat list of stops, each with the stops that follow when it fails.

use std::fmt;
use std::sync::Arc;

use weighbridge_domain::failure::{FailureFacts, FailureKind};
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::plan::{FallbackOn, Plan, StopOptions};

use crate::condition::{self, Facts};

/// One request's way. The first stop is asked first.
#[derive(Debug, Clone, Default)]
pub struct Itinerary {
    stops: Vec<Stop>,
}

/// A place on the way: whom to ask, and where to go when that fails.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Whom to ask.
    pub target: StopTarget,
    /// What differs here from the target's own settings.
    pub options: StopOptions,
    /// Where in the plan it stands: `config.targets[0].targets[1]`.
    pub path: String,
    /// Innermost first.
    detours: Vec<(FallbackOn, usize)>,
}

/// Whom a stop asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopTarget {
    /// A group, or those of its deployments that have this `order`.
    Group {
        /// The group.
        group: GroupName,
        /// The `order`; `None` is all.
        level: Option<u32>,
    },
    /// One deployment.
    Deployment(DeploymentId),
    /// Nobody yet: whose turn it is, is decided on arrival. A turn that is taken and not used would go to nobody.
    Undecided {
        /// The counter of turns.
        counter: Arc<str>,
        /// The choices, in words.
        among: String,
    },
}

/// Why a plan leads nowhere for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved {
    /// No branch holds and there is no default.
    NoBranch,
    /// Nobody to balance over has a weight.
    NoWeight,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoBranch => "no condition of the route holds for this request, and it has no default",
            Self::NoWeight => "every target of the load balance has weight 0",
        })
    }
}

/// Settles `plan` for one request. `turns` yields the number that was drawn from a named counter; where it yields
/// none, a stop stands that is undecided.
///
/// # Errors
/// When the plan leads nowhere for this request.
pub fn resolve(plan: &Plan, facts: &Facts<'_>, turns: &dyn Fn(&str) -> Option<u64>) -> Result<Itinerary, Unresolved> {
    let mut itinerary = Itinerary::default();
    itinerary.add(plan, "config", facts, turns)?;
    Ok(itinerary)
}

impl Itinerary {
    fn add(
        &mut self,
        plan: &Plan,
        path: &str,
        facts: &Facts<'_>,
        turns: &dyn Fn(&str) -> Option<u64>,
    ) -> Result<(), Unresolved> {
        match plan {
            Plan::Group { group, level, options } => {
                self.push(StopTarget::Group { group: group.clone(), level: *level }, options, path);
            }
            Plan::Target { deployment, options } => {
                self.push(StopTarget::Deployment(deployment.clone()), options, path);
            }
            Plan::LoadBalance { rotation, .. } if rotation.is_empty() => return Err(Unresolved::NoWeight),
            Plan::LoadBalance { key, rotation, children } => match turns(key) {
                Some(ticket) => {
                    let turn = rotation.at(ticket).filter(|turn| *turn < children.len());
                    let turn = turn.ok_or(Unresolved::NoWeight)?;
                    self.add(&children[turn], &format!("{path}.targets[{turn}]"), facts, turns)?;
                }
                None => {
                    let target = StopTarget::Undecided { counter: Arc::clone(key), among: outline(plan) };
                    self.push(target, &StopOptions::default(), path);
                }
            },
            Plan::Conditional { branches, otherwise } => {
                let chosen = branches.iter().position(|(condition, _)| condition::holds(condition, facts));
                match (chosen, otherwise) {
                    (Some(i), _) => self.add(&branches[i].1, &format!("{path}.targets[{i}]"), facts, turns)?,
                    (None, Some(plan)) => {
                        self.add(plan, &format!("{path}.targets[{}]", branches.len()), facts, turns)?;
                    }
                    (None, None) => return Err(Unresolved::NoBranch),
                }
            }
            Plan::Fallback { on, children } => {
                for (i, child) in children.iter().enumerate() {
                    let start = self.stops.len();
                    self.add(child, &format!("{path}.targets[{i}]"), facts, turns)?;
                    let end = self.stops.len();
                    if i + 1 < children.len() {
                        for stop in &mut self.stops[start..end] {
                            stop.detours.push((on.clone(), end));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, target: StopTarget, options: &StopOptions, path: &str) {
        self.stops.push(Stop { target, options: options.clone(), path: path.to_owned(), detours: Vec::new() });
    }

    /// The stops, the first to be asked first.
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    /// The stop at `at`, a place this itinerary gave out.
    pub fn stop(&self, at: usize) -> &Stop {
        &self.stops[at]
    }

    /// Where to go when the stop at `at` ends in `failure`: the innermost fallback that accepts it.
    pub fn after(&self, at: usize, failure: FailureFacts) -> Option<usize> {
        let detours = &self.stops[at].detours;
        detours.iter().find(|(on, _)| on.accepts(failure)).map(|(_, next)| *next)
    }

    /// A line a stop, with what leads on from it.
    pub fn lines(&self) -> Vec<String> {
        self.stops.iter().enumerate().map(|(i, stop)| format!("{i}. {}{}", stop.name(), self.ways_on(stop))).collect()
    }

    fn ways_on(&self, stop: &Stop) -> String {
        let way = |(on, next): &(FallbackOn, usize)| match on {
            FallbackOn::StatusCodes(codes) => format!("\n     on {codes:?} -> {next}. {}", self.stops[*next].name()),
            FallbackOn::Kinds(kinds) => {
                let all: Vec<_> = FailureKind::ALL.into_iter().filter(|kind| kinds.contains(*kind)).collect();
                let what = if all.len() == FailureKind::ALL.len() {
                    "any failure".to_owned()
                } else {
                    all.iter().map(|kind| kind.label()).collect::<Vec<_>>().join(", ")
                };
                format!("\n     on {what} -> {next}. {}", self.stops[*next].name())
            }
        };
        stop.detours.iter().map(way).collect()
    }
}

impl Stop {
    /// Whom it asks, in a word.
    pub fn name(&self) -> String {
        match &self.target {
            StopTarget::Group { group, level: None } => group.to_string(),
            StopTarget::Group { group, level: Some(level) } => format!("{group}#{level}"),
            StopTarget::Deployment(id) => format!("={id}"),
            StopTarget::Undecided { among, .. } => among.clone(),
        }
    }
}

/// Whom a plan may ask, in a word.
fn outline(plan: &Plan) -> String {
    let all = |children: &[Plan], between: &str| children.iter().map(outline).collect::<Vec<_>>().join(between);
    match plan {
        Plan::Group { group, level: None, .. } => group.to_string(),
        Plan::Group { group, level: Some(level), .. } => format!("{group}#{level}"),
        Plan::Target { deployment, .. } => format!("={deployment}"),
        Plan::Fallback { children, .. } => all(children, " -> "),
        Plan::LoadBalance { children, .. } => format!("({})", all(children, " | ")),
        Plan::Conditional { branches, otherwise } => {
            let branches = branches.iter().map(|(_, plan)| outline(plan));
            let all: Vec<_> = branches.chain(otherwise.as_deref().map(outline)).collect();
            format!("({})", all.join(" or "))
        }
    }
}

impl fmt::Display for Itinerary {
    /// `gpt-4o -> claude -> big`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, stop) in self.stops.iter().enumerate() {
            if i > 0 {
                f.write_str(" -> ")?;
            }
            f.write_str(&stop.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge_domain::failure::FailureKind::{self, *};
    use weighbridge_domain::failure::{FailureFacts, FailureSet};
    use weighbridge_domain::plan::{FallbackOn, Plan};
    use weighbridge_domain::rotation::Rotation;

    use super::{Facts, Unresolved, resolve};

    fn g(name: &str) -> Plan {
        Plan::group(name.into())
    }

    fn fallback(on: &[FailureKind], children: Vec<Plan>) -> Plan {
        Plan::Fallback { on: FallbackOn::Kinds(FailureSet::of(on)), children }
    }

    fn facts(kind: FailureKind) -> FailureFacts {
        FailureFacts { kind, status: kind.default_status() }
    }

    fn walk(plan: &Plan, ticket: u64, failures: &[FailureKind]) -> String {
        let itinerary = resolve(plan, &Facts::default(), &|_| Some(ticket)).unwrap();
        let mut at = 0;
        let mut way = itinerary.stop(at).name();
        for failure in failures {
            match itinerary.after(at, facts(*failure)) {
                Some(next) => {
                    at = next;
                    way += &format!(" -{}-> {}", failure.label(), itinerary.stop(at).name());
                }
                None => return way + &format!(" -{}-> end", failure.label()),
            }
        }
        way
    }

    #[test]
    fn the_innermost_fallback_that_accepts_is_taken() {
        let inner = fallback(&[RateLimited], vec![g("a"), g("b")]);
        let plan = fallback(&[ContextWindow, ServerError], vec![inner, g("big")]);
        assert_eq!(walk(&plan, 0, &[RateLimited, ServerError]), "a -rate_limited-> b -server_error-> big");
        assert_eq!(walk(&plan, 0, &[ContextWindow]), "a -context_window-> big");
        assert_eq!(walk(&plan, 0, &[BadRequest]), "a -bad_request-> end");
        assert_eq!(walk(&plan, 0, &[RateLimited, RateLimited]), "a -rate_limited-> b -rate_limited-> end");
    }

    #[test]
    fn turns_and_status_codes() {
        let balance = Plan::LoadBalance {
            key: "lb".into(),
            rotation: Rotation::new(&[1.0, 3.0]),
            children: vec![g("x"), g("y")],
        };
        let plan = Plan::Fallback { on: FallbackOn::StatusCodes(vec![429]), children: vec![balance, g("z")] };
        assert_eq!(walk(&plan, 0, &[RateLimited]), "y -rate_limited-> z");
        assert_eq!(walk(&plan, 1, &[ServerError]), "x -server_error-> end");
        let itinerary = resolve(&plan, &Facts::default(), &|_| Some(0)).unwrap();
        assert_eq!(itinerary.stop(0).path, "config.targets[0].targets[1]");
        let nobody = Plan::LoadBalance { key: "lb".into(), rotation: Rotation::new(&[0.0]), children: vec![g("x")] };
        assert_eq!(resolve(&nobody, &Facts::default(), &|_| None).unwrap_err(), Unresolved::NoWeight);
    }

    #[test]
    fn a_turn_is_taken_on_arrival() {
        let balance = |key: &str, children: Vec<Plan>| Plan::LoadBalance {
            key: key.into(),
            rotation: Rotation::new(&[1.0, 1.0]),
            children,
        };
        let nobody = Plan::Conditional { branches: Vec::new(), otherwise: None };
        let inner = balance("inner", vec![g("x"), g("y")]);
        let plan = fallback(&[RateLimited], vec![g("a"), balance("outer", vec![nobody, inner]), g("z")]);
        let shown = |turns: &[(&str, u64)]| {
            let turn = |key: &str| turns.iter().find(|(known, _)| *known == key).map(|(_, turn)| *turn);
            resolve(&plan, &Facts::default(), &turn).map(|itinerary| itinerary.to_string())
        };
        assert_eq!(shown(&[]).unwrap(), "a -> (() | (x | y)) -> z");
        assert_eq!(shown(&[("outer", 1)]).unwrap(), "a -> (x | y) -> z");
        assert_eq!(shown(&[("outer", 1), ("inner", 1)]).unwrap(), "a -> y -> z");
        assert_eq!(shown(&[("outer", 0)]).unwrap_err(), Unresolved::NoBranch);
    }

    fn any_plan() -> impl Strategy<Value = Plan> {
        let kinds = || proptest::collection::vec(proptest::sample::select(FailureKind::ALL.to_vec()), 0..6);
        "[a-h]".prop_map(|name| g(&name)).prop_recursive(4, 24, 4, move |inner| {
            (kinds(), proptest::collection::vec(inner, 1..4)).prop_map(|(on, children)| fallback(&on, children))
        })
    }

    /// The plain meaning of a plan: ask its leaves in order, moving on where a fallback accepts.
    /// `Err` is the failure that left the plan.
    fn ask(
        plan: &Plan,
        failures: &mut dyn Iterator<Item = FailureKind>,
        asked: &mut Vec<String>,
    ) -> Result<(), FailureKind> {
        match plan {
            Plan::Group { group, .. } => {
                asked.push(group.to_string());
                failures.next().map_or(Ok(()), Err)
            }
            Plan::Fallback { on, children } => {
                let mut result = Ok(());
                for child in children {
                    result = ask(child, failures, asked);
                    match result {
                        Err(failure) if on.accepts(facts(failure)) => {}
                        _ => return result,
                    }
                }
                result
            }
            _ => unreachable!("not generated"),
        }
    }

    proptest! {
        /// Walking the list asks whom walking the tree asks.
        #[test]
        fn the_list_means_what_the_tree_means(
            plan in any_plan(),
            failures in proptest::collection::vec(proptest::sample::select(FailureKind::ALL.to_vec()), 0..12),
        ) {
            let mut by_tree = Vec::new();
            ask(&plan, &mut failures.iter().copied(), &mut by_tree).ok();
            let itinerary = resolve(&plan, &Facts::default(), &|_| Some(0)).unwrap();
            let mut by_list = vec![itinerary.stop(0).name()];
            let mut at = 0;
            for failure in failures {
                let Some(next) = itinerary.after(at, facts(failure)) else { break };
                at = next;
                by_list.push(itinerary.stop(at).name());
            }
            prop_assert_eq!(by_list, by_tree);
        }
    }
}

//! A plan settled for one request: a flat list of stops, each with the stops that follow when it fails.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use weighbridge_domain::failure::{FailureFacts, FailureKind};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::plan::{Balance, Condition, FallbackOn, Plan, StopOptions};

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
    pub options: Arc<StopOptions>,
    /// Where in the plan it stands: `config.targets[0].targets[1]`.
    pub path: Cow<'static, str>,
    /// The balances that were decided for this stop, and could be decided otherwise: innermost first.
    pub choices: Vec<Arc<Balance>>,
    /// Innermost first.
    detours: Vec<(FallbackOn, usize)>,
}

/// Whom a stop asks.
#[derive(Debug, Clone)]
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
    /// The deployment of a group that the plan brought along.
    Brought(Arc<ModelGroup>),
    /// Nobody yet: whose turn it is, is decided on arrival. A turn that is taken and not used would go to nobody.
    Undecided {
        /// What is to be decided.
        balance: Arc<Balance>,
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
    /// The request asks for a model that nobody has.
    NoModel,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            // In the words of Portkey's gateway, which its clients know.
            Self::NoBranch => "Query router did not resolve to any valid target",
            Self::NoWeight => "every target of the load balance has weight 0",
            Self::NoModel => "the plan goes by the request's model, which is not configured",
        })
    }
}

/// Settles `plan` for one request. `asked` is the way of the model that the request asks for. `decided` yields the place
/// of the share that was chosen of a balance; where it yields none, a stop stands that is undecided.
///
/// # Errors
/// When the plan leads nowhere for this request.
pub fn resolve(
    plan: &Plan,
    asked: Option<&Plan>,
    facts: &Facts<'_>,
    decided: &dyn Fn(&Balance) -> Option<usize>,
) -> Result<Itinerary, Unresolved> {
    let mut resolver = Resolver { asked, facts, decided, itinerary: Itinerary::default() };
    resolver.add(plan, Path::Root, None)?;
    Ok(resolver.itinerary)
}

/// What one request makes of a plan.
struct Resolver<'a> {
    asked: Option<&'a Plan>,
    facts: &'a Facts<'a>,
    decided: &'a dyn Fn(&Balance) -> Option<usize>,
    itinerary: Itinerary,
}

/// Where in a plan something stands.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Child(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn text(&self) -> Cow<'static, str> {
        match self {
            // Where nearly every plan begins and ends.
            Self::Root => Cow::Borrowed("config"),
            Self::Child(..) => Cow::Owned(self.to_string()),
        }
    }
}

impl fmt::Display for Path<'_> {
    /// `config.targets[0].targets[1]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("config"),
            Self::Child(parent, place) => write!(f, "{parent}.targets[{place}]"),
        }
    }
}

impl Resolver<'_> {
    /// Adds the stops of `plan`, which stands at `path`; `above` is what differs at every one of them.
    fn add(&mut self, plan: &Plan, path: Path<'_>, above: Option<&StopOptions>) -> Result<(), Unresolved> {
        match plan {
            Plan::Group { group, level, options } => {
                self.push(StopTarget::Group { group: group.clone(), level: *level }, options, path, above);
            }
            Plan::Target { deployment, options } => {
                self.push(StopTarget::Deployment(deployment.clone()), options, path, above);
            }
            Plan::Brought { group, options } => {
                self.push(StopTarget::Brought(Arc::clone(group)), options, path, above);
            }
            Plan::Asked { options } => {
                let asked = self.asked.ok_or(Unresolved::NoModel)?;
                self.add(asked, path, Some(options))?;
            }
            Plan::LoadBalance(balance) if balance.rotation.is_empty() => return Err(Unresolved::NoWeight),
            Plan::LoadBalance(balance) => match (self.decided)(balance) {
                Some(place) => {
                    let share = balance.shares.get(place).ok_or(Unresolved::NoWeight)?;
                    let start = self.itinerary.stops.len();
                    self.add(&share.plan, Path::Child(&path, place), above)?;
                    if let Some(first) = self.itinerary.stops.get_mut(start) {
                        first.choices.push(Arc::clone(balance));
                    }
                }
                None => {
                    let target = StopTarget::Undecided { balance: Arc::clone(balance), among: outline(plan) };
                    self.push(target, &Arc::default(), path, None);
                }
            },
            Plan::Conditional { branches, otherwise, children } => {
                let holds = |(condition, _): &&(Condition, usize)| condition::holds(condition, self.facts);
                let place = branches.iter().find(holds).map(|(_, place)| *place).or(*otherwise);
                let (place, child) =
                    place.and_then(|place| Some((place, children.get(place)?))).ok_or(Unresolved::NoBranch)?;
                self.add(child, Path::Child(&path, place), above)?;
            }
            Plan::Fallback { on, children } => {
                for (i, child) in children.iter().enumerate() {
                    let start = self.itinerary.stops.len();
                    self.add(child, Path::Child(&path, i), above)?;
                    let end = self.itinerary.stops.len();
                    if i + 1 < children.len() {
                        for stop in &mut self.itinerary.stops[start..end] {
                            stop.detours.push((on.clone(), end));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, target: StopTarget, options: &Arc<StopOptions>, path: Path<'_>, above: Option<&StopOptions>) {
        let options = above.map_or_else(|| Arc::clone(options), |above| Arc::new(above.over(options)));
        self.itinerary.stops.push(Stop {
            target,
            options,
            path: path.text(),
            choices: Vec::new(),
            detours: Vec::new(),
        });
    }
}

impl Itinerary {
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

    /// Where to go when the stop at `at` cannot be asked at all: the innermost fallback, whatever it accepts.
    pub fn beyond(&self, at: usize) -> Option<usize> {
        self.stops[at].detours.first().map(|(_, next)| *next)
    }

    /// A line a stop, with its place in the plan and with what leads on from it.
    pub fn lines(&self) -> Vec<String> {
        let line = |(i, stop): (usize, &Stop)| format!("{i}. {}  {}{}", stop.name(), stop.path, self.ways_on(stop));
        self.stops.iter().enumerate().map(line).collect()
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
            StopTarget::Brought(group) => group.name.to_string(),
            StopTarget::Undecided { among, .. } => among.clone(),
        }
    }
}

/// Whom a plan may ask, in a word.
fn outline(plan: &Plan) -> String {
    let all = |children: &mut dyn Iterator<Item = &Plan>, between: &str| {
        children.map(outline).collect::<Vec<_>>().join(between)
    };
    match plan {
        Plan::Group { group, level: None, .. } => group.to_string(),
        Plan::Group { group, level: Some(level), .. } => format!("{group}#{level}"),
        Plan::Target { deployment, .. } => format!("={deployment}"),
        Plan::Brought { group, .. } => group.name.to_string(),
        Plan::Asked { .. } => "the request's model".to_owned(),
        Plan::Fallback { children, .. } => all(&mut children.iter(), " -> "),
        Plan::LoadBalance(balance) => {
            format!("({})", all(&mut balance.shares.iter().map(|share| &share.plan), " | "))
        }
        Plan::Conditional { children, .. } => format!("({})", all(&mut children.iter(), " or ")),
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
    use weighbridge_domain::plan::{Balance, Draw, FallbackOn, Plan, Share};

    use super::{Facts, Unresolved, resolve};

    fn g(name: &str) -> Plan {
        Plan::group(name.into())
    }

    fn fallback(on: &[FailureKind], children: Vec<Plan>) -> Plan {
        Plan::Fallback { on: FallbackOn::Kinds(FailureSet::of(on)), children }
    }

    fn balance(key: &str, children: Vec<(f64, Plan)>) -> Plan {
        let share = |(weight, plan): (f64, Plan)| Share { weight, mark: "".into(), plan };
        Plan::LoadBalance(std::sync::Arc::new(Balance::new(
            key,
            Draw::Turns,
            children.into_iter().map(share).collect(),
        )))
    }

    fn facts(kind: FailureKind) -> FailureFacts {
        FailureFacts { kind, status: kind.default_status() }
    }

    fn walk(plan: &Plan, ticket: u64, failures: &[FailureKind]) -> String {
        let itinerary = resolve(plan, None, &Facts::default(), &|balance| balance.rotation.at(ticket)).unwrap();
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
        let balanced = balance("lb", vec![(1.0, g("x")), (3.0, g("y"))]);
        let plan = Plan::Fallback { on: FallbackOn::StatusCodes(vec![429]), children: vec![balanced, g("z")] };
        assert_eq!(walk(&plan, 0, &[RateLimited]), "y -rate_limited-> z");
        assert_eq!(walk(&plan, 1, &[ServerError]), "x -server_error-> end");
        let itinerary = resolve(&plan, None, &Facts::default(), &|_| Some(1)).unwrap();
        assert_eq!(itinerary.stop(0).path, "config.targets[0].targets[1]");
        let nobody = balance("lb", vec![(0.0, g("x"))]);
        assert_eq!(resolve(&nobody, None, &Facts::default(), &|_| None).unwrap_err(), Unresolved::NoWeight);
    }

    #[test]
    fn a_turn_is_taken_on_arrival() {
        let nobody = Plan::Conditional { branches: Vec::new(), otherwise: None, children: Vec::new() };
        let inner = balance("inner", vec![(1.0, g("x")), (1.0, g("y"))]);
        let outer = balance("outer", vec![(1.0, nobody), (1.0, inner)]);
        let plan = fallback(&[RateLimited], vec![g("a"), outer, g("z")]);
        let shown = |turns: &[(&str, usize)]| {
            let turn =
                |balance: &Balance| turns.iter().find(|(known, _)| *known == &*balance.key).map(|(_, turn)| *turn);
            resolve(&plan, None, &Facts::default(), &turn).map(|itinerary| itinerary.to_string())
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
            let itinerary = resolve(&plan, None, &Facts::default(), &|_| Some(0)).unwrap();
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

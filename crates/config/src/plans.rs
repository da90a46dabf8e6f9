//! Groups and their fallbacks compiled to plans.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;
use weighbridge_domain::failure::{FailureKind, FailureSet};
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::plan::{FallbackOn, Plan, StopOptions};

/// How many stops a plan may have.
pub(crate) const MAX_STOPS: usize = 64;

/// Whom a fallback asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// A group, with its own fallbacks behind it.
    Group(String),
    /// One deployment.
    Deployment(DeploymentId),
}

/// One place to fall back to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) ask: Ask,
    /// Body fields set for it.
    pub(crate) overrides: Vec<(String, Box<RawValue>)>,
}

/// The lists of one kind by group, `*` for all others.
pub(crate) type Targets = HashMap<String, Vec<Target>>;

/// What a group is to the planner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    /// The `order`s of its deployments.
    pub(crate) levels: BTreeSet<u32>,
    /// Its providers, for lists under `provider/group`.
    pub(crate) providers: BTreeSet<String>,
    /// The wildcard group whose deployments it borrows.
    pub(crate) lent_by: Option<String>,
}

/// Compiles plans.
#[derive(Debug)]
pub(crate) struct Planner {
    pub(crate) groups: HashMap<String, Outline>,
    pub(crate) general: Targets,
    pub(crate) context_window: Targets,
    pub(crate) content_policy: Targets,
    /// How deep fallbacks of fallbacks go.
    pub(crate) max_depth: u32,
    /// Whether a plan had more than [`MAX_STOPS`] stops, and lost the rest.
    pub(crate) was_cut: Cell<bool>,
}

/// What was placed in the plan so far.
#[derive(Debug, Clone)]
struct Way {
    visited: Vec<Ask>,
    depth: u32,
}

impl Planner {
    /// The plan of requests for `name`, which leads to `group`: an alias may have lists of its own.
    pub(crate) fn plan(&self, name: &str, group: &str) -> Arc<Plan> {
        let mut way = Way { visited: vec![Ask::Group(group.to_owned())], depth: 0 };
        let mut stops = 0;
        Arc::new(self.group(name, group, &[], &mut way, &mut stops))
    }

    /// A group with its order levels and no fallbacks.
    pub(crate) fn alone(&self, group: &str, options: &Arc<StopOptions>) -> Plan {
        let name = GroupName::new(group);
        let levels = self.groups.get(group).map(|outline| &outline.levels);
        let stop = |level| Plan::Group { group: name.clone(), level, options: Arc::clone(options) };
        match levels {
            Some(levels) if levels.len() > 1 => {
                let on = FailureSet::all().without(FailureKind::ContextWindow).without(FailureKind::ContentPolicy);
                fallback(on, levels.iter().map(|level| stop(Some(*level))).collect())
            }
            _ => stop(None),
        }
    }

    /// The list of `group` for all failures.
    pub(crate) fn general_of(&self, group: &str) -> &[Target] {
        self.list(&self.general, group, group).map_or(&[], Vec::as_slice)
    }

    fn group(
        &self,
        name: &str,
        group: &str,
        overrides: &[(String, Box<RawValue>)],
        way: &mut Way,
        stops: &mut usize,
    ) -> Plan {
        let options = Arc::new(StopOptions { overrides: overrides.to_vec(), ..StopOptions::default() });
        let alone = self.alone(group, &options);
        *stops += if let Plan::Fallback { children, .. } = &alone { children.len() } else { 1 };
        if way.depth >= self.max_depth {
            return alone;
        }
        way.depth += 1;
        let entry = way.clone();
        let mut on = FailureSet::all();
        // A kind of failure with a list of its own takes that list, and no other.
        let mut special = Vec::new();
        for (lists, kind) in
            [(&self.content_policy, FailureKind::ContentPolicy), (&self.context_window, FailureKind::ContextWindow)]
        {
            if let Some(targets) = self.list(lists, name, group) {
                on = on.without(kind);
                special.push((targets, kind));
            }
        }
        let general = self.list(&self.general, name, group).map_or(&[][..], Vec::as_slice);
        let mut plan = chain(on, alone, self.targets(general, way, stops));
        for (targets, kind) in special {
            let others = self.targets(targets, &mut entry.clone(), stops);
            plan = chain(FailureSet::of(&[kind]), plan, others);
        }
        way.depth -= 1;
        plan
    }

    fn targets(&self, targets: &[Target], way: &mut Way, stops: &mut usize) -> Vec<Plan> {
        let mut plans = Vec::new();
        for target in targets {
            // The same target with other body fields is another attempt.
            if target.overrides.is_empty() && way.visited.contains(&target.ask) {
                continue;
            }
            if *stops >= MAX_STOPS {
                self.was_cut.set(true);
                continue;
            }
            way.visited.push(target.ask.clone());
            plans.push(match &target.ask {
                Ask::Group(group) => self.group(group, group, &target.overrides, way, stops),
                Ask::Deployment(id) => {
                    *stops += 1;
                    let options = StopOptions { overrides: target.overrides.clone(), ..StopOptions::default() };
                    Plan::Target { deployment: id.clone(), options: Arc::new(options) }
                }
            });
        }
        plans
    }

    /// The list for a group: under its name, without the provider's prefix, with it, for all.
    fn list<'t>(&self, lists: &'t Targets, name: &str, group: &str) -> Option<&'t Vec<Target>> {
        let bare = || name.split_once('/').and_then(|(_, bare)| lists.get(bare));
        let prefixed = || {
            let providers = &self.groups.get(group)?.providers;
            providers.iter().find_map(|provider| lists.get(&format!("{provider}/{name}")))
        };
        let lent = || lists.get(self.groups.get(group)?.lent_by.as_ref()?);
        let own = lists.get(name).or_else(|| lists.get(group)).or_else(bare).or_else(prefixed);
        own.or_else(lent).or_else(|| lists.get("*"))
    }
}

/// `first`, and `others` one after the other once `first` failed with one of `on`.
fn chain(on: FailureSet, first: Plan, others: Vec<Plan>) -> Plan {
    if others.is_empty() {
        return first;
    }
    // Once a list is entered, any failure leads on in it.
    let rest = if others.len() == 1 { others } else { vec![fallback(FailureSet::all(), others)] };
    fallback(on, std::iter::once(first).chain(rest).collect())
}

/// A fallback, with those inside it that lead on in the same way taken apart.
fn fallback(on: FailureSet, children: Vec<Plan>) -> Plan {
    let mut flat = Vec::new();
    for child in children {
        match child {
            Plan::Fallback { on: FallbackOn::Kinds(kinds), children } if kinds == on => flat.extend(children),
            child => flat.push(child),
        }
    }
    Plan::Fallback { on: FallbackOn::Kinds(on), children: flat }
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::{Expect, expect};
    use weighbridge_domain::failure::{FailureKind, FailureSet};
    use weighbridge_domain::plan::{FallbackOn, Plan};

    use super::{Ask, Outline, Planner, Target, Targets};

    /// A plan in a line.
    pub(crate) fn show(plan: &Plan) -> String {
        let all = |children: &[Plan], between: &str| children.iter().map(show).collect::<Vec<_>>().join(between);
        match plan {
            Plan::Group { group, level, options } => {
                let level = level.map_or_else(String::new, |level| format!("#{level}"));
                let overrides: Vec<_> = options.overrides.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let mut shown = format!("{group}{level}");
                if !overrides.is_empty() {
                    shown += &format!("{{{}}}", overrides.join(","));
                }
                if let Some(retries) = options.retries {
                    shown += &format!("(retries {retries} {:?})", options.retry_on.clone().unwrap_or_default());
                }
                if let Some(timeout) = options.timeout {
                    shown += &format!("(timeout {timeout:?})");
                }
                shown
            }
            Plan::Target { deployment, .. } => format!("={deployment}"),
            Plan::Fallback { on, children } => {
                let on = match on {
                    FallbackOn::StatusCodes(codes) => format!("{codes:?}"),
                    FallbackOn::Kinds(kinds) if *kinds == FailureSet::all() => "any".to_owned(),
                    FallbackOn::Kinds(kinds) => {
                        let has = |kind: &FailureKind| kinds.contains(*kind);
                        let (within, without): (Vec<_>, Vec<_>) = FailureKind::ALL.into_iter().partition(has);
                        let labels =
                            |kinds: &[FailureKind]| kinds.iter().map(|k| k.label()).collect::<Vec<_>>().join("+");
                        if within.len() <= without.len() {
                            labels(&within)
                        } else {
                            format!("not {}", labels(&without))
                        }
                    }
                };
                format!("({} on {on})", all(children, " > "))
            }
            Plan::LoadBalance(balance) => {
                let shares: Vec<_> = balance.shares.iter().map(|share| show(&share.plan)).collect();
                format!("({} in {} turns of {})", shares.join(" | "), balance.rotation.len(), balance.key)
            }
            Plan::Conditional { .. } | Plan::Brought { .. } | Plan::Asked { .. } => unreachable!("not planned here"),
        }
    }

    fn lists(text: &str) -> Targets {
        let lists = text.split_whitespace().map(|list| {
            let (source, targets) = list.split_once(':').unwrap();
            let target = |name: &str| Target { ask: Ask::Group(name.to_owned()), overrides: Vec::new() };
            (source.to_owned(), targets.split(',').map(target).collect())
        });
        lists.collect()
    }

    fn check(group: &str, general: &str, context: &str, policy: &str, expected: Expect) {
        let mut planner = Planner {
            groups: "abcdefgh".chars().map(|name| (name.to_string(), Outline::default())).collect(),
            general: lists(general),
            context_window: lists(context),
            content_policy: lists(policy),
            max_depth: 5,
            was_cut: std::cell::Cell::default(),
        };
        planner.groups.insert("l".to_owned(), Outline { levels: [1, 2].into(), ..Outline::default() });
        expected.assert_eq(&show(&planner.plan(group, group)));
    }

    #[test]
    fn fallbacks_nest_and_visit_nobody_twice() {
        check("a", "", "", "", expect!["a"]);
        check("a", "a:b,c", "", "", expect!["(a > b > c on any)"]);
        check("a", "a:b,c b:d", "", "", expect!["(a > b > d > c on any)"]);
        check("a", "a:a,b b:a,c", "", "", expect!["(a > b > c on any)"]);
        check("a", "*:b,c", "", "", expect!["(a > b > c on any)"]);
        check("b", "*:b,c a:d", "", "", expect!["(b > c on any)"]);
        check("a", "a:b b:c c:d d:e e:f f:g g:h", "", "", expect!["(a > b > c > d > e > f on any)"]);
    }

    #[test]
    fn special_failures_take_their_own_list() {
        check("a", "", "a:b,c", "", expect!["(a > (b > c on any) on context_window)"]);
        check("a", "a:b", "a:c", "", expect!["((a > b on not context_window) > c on context_window)"]);
        check(
            "a",
            "a:b,c",
            "a:c",
            "a:d",
            expect![
                "(((a > (b > c on any) on not context_window+content_policy) > d on content_policy) > c on context_window)"
            ],
        );
    }

    #[test]
    fn levels_come_before_fallbacks() {
        check("l", "", "", "", expect!["(l#1 > l#2 on not context_window+content_policy)"]);
        check("l", "l:b", "", "", expect!["((l#1 > l#2 on not context_window+content_policy) > b on any)"]);
        check("a", "a:l,b", "", "", expect!["(a > (l#1 > l#2 on not context_window+content_policy) > b on any)"]);
    }
}

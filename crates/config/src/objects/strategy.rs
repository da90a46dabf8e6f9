//! Strategies: how the targets below a node are used.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use weighbridge_domain::failure::FailureSet;
use weighbridge_domain::plan::{Balance, Bounds, Draw, FallbackOn, Plan, Share};

use super::at::At;
use super::inherit::Inherited;
use super::node::Compiler;
use super::{breaker, digest, query, sticky};

const STRATEGY_KEYS: &[&str] =
    &["mode", "on_status_codes", "conditions", "default", "sticky", "sticky_session", "cb_config", "draw", "adaptive"];

const STRATEGY_MISTAKES: &[(&str, &str)] = &[("retry", "`retry` stands beside `strategy`, not in it")];

impl<'a> Compiler<'a> {
    /// Notes an error when a strategy is no object.
    pub(super) fn strategy_object(&self, strategy: &At<'a>) -> Option<()> {
        if let Value::String(mode) = strategy.value {
            let message = format!("Expected object, received string: write {{\"mode\": {mode:?}}}");
            self.problems.error(&strategy.path, message);
            return None;
        }
        strategy.object(self.problems).map(|_| ())
    }

    /// The plan of a strategy over `targets`; `None` after an error.
    pub(super) fn strategy(
        &self,
        node: &At<'a>,
        strategy: Option<&At<'a>>,
        targets: &At<'a>,
        mut here: Inherited<'a>,
    ) -> Option<Plan> {
        let items = targets.items(self.problems);
        let mode = match strategy {
            Some(strategy) => {
                self.strategy_object(strategy)?;
                strategy.warn_of_strangers(STRATEGY_KEYS, STRATEGY_MISTAKES, self.problems);
                if let Some(field) = strategy.get("cb_config") {
                    here.breaker = breaker::read(&field, self.problems);
                }
                self.mode(strategy)?
            }
            None if items.len() == 1 => "single",
            None => {
                let message = format!("Required: there are {} targets and nothing says how they are used", items.len());
                self.problems.error(&node.path_to("strategy"), message);
                return None;
            }
        };
        if items.is_empty() {
            if targets.value.is_array() {
                self.problems.error(&targets.path, "There are no targets");
            }
            return None;
        }
        if mode == "conditional" {
            // Nobody else could be taken instead of a branch that rests.
            here.breaker = None;
        }
        // Every target is read, so that every problem is told.
        let plans: Vec<Option<Plan>> = items.iter().map(|item| self.node(item, &here)).collect();
        let weights: Vec<Option<f64>> = items.iter().map(|item| self.weight(item)).collect();
        match (mode, strategy) {
            ("loadbalance", Some(strategy)) => self.balance(node, strategy, &items, plans, &weights),
            ("conditional", Some(strategy)) => self.conditional(strategy, &items, plans),
            ("fallback", Some(strategy)) => {
                let codes = strategy.get("on_status_codes").map(|codes| codes.statuses(self.problems));
                let on = codes.map_or(FallbackOn::Kinds(FailureSet::all()), FallbackOn::StatusCodes);
                Some(Plan::Fallback { on, children: plans.into_iter().collect::<Option<_>>()? })
            }
            _ => {
                let first = plans.into_iter().next()??;
                Some(Plan::Fallback { on: FallbackOn::Kinds(FailureSet::NONE), children: vec![first] })
            }
        }
    }

    fn mode(&self, strategy: &At<'a>) -> Option<&'a str> {
        let mode = strategy.get("mode").and_then(|mode| mode.value.as_str());
        let known = ["single", "loadbalance", "fallback", "conditional"];
        let found = mode.filter(|mode| known.contains(mode));
        if found.is_none() {
            let message = format!("Invalid 'mode' value. Must be one of: {}", known.join(", "));
            self.problems.error(&strategy.path_to("mode"), message);
        }
        found
    }

    fn weight(&self, target: &At<'a>) -> Option<f64> {
        target.get("weight").map_or(Some(1.0), |weight| weight.number(self.problems))
    }

    fn balance(
        &self,
        node: &At<'a>,
        strategy: &At<'a>,
        items: &[At<'a>],
        plans: Vec<Option<Plan>>,
        weights: &[Option<f64>],
    ) -> Option<Plan> {
        let sticky = sticky::read(strategy, self.problems);
        let random = strategy.get("draw").and_then(|draw| match draw.text(self.problems)? {
            "random" => Some(true),
            "turns" => Some(false),
            _ => {
                self.problems.error(&draw.path, "Invalid 'draw' value. Must be one of: turns, random");
                None
            }
        });
        if weights.iter().all(|weight| *weight == Some(0.0)) {
            self.problems.error(&node.path_to("targets"), "Every weight is 0: no target may be chosen");
            return None;
        }
        let mut marks = BTreeSet::new();
        let mut shares = Vec::with_capacity(items.len());
        for ((item, plan), weight) in items.iter().zip(plans).zip(weights) {
            shares.push(Share { weight: (*weight)?, mark: self.mark(item, &mut marks), plan: plan? });
        }
        let draw = match (sticky, self.bounds(strategy), random) {
            (Some(sticky), _, _) => Draw::Sticky(sticky),
            (None, Some(bounds), _) => Draw::Adaptive(bounds),
            (None, None, Some(true)) => Draw::Random,
            (None, None, Some(false) | None) => Draw::Turns,
        };
        let key = format!("{}:{}", self.key, node.path);
        Some(Plan::LoadBalance(Arc::new(Balance::new(key, draw, shares))))
    }

    /// How far weights may shift, where they may.
    fn bounds(&self, strategy: &At<'a>) -> Option<Bounds> {
        let adaptive = strategy.get("adaptive")?;
        if let Value::Bool(wanted) = adaptive.value {
            return wanted.then(Bounds::default);
        }
        adaptive.object(self.problems)?;
        adaptive.warn_of_strangers(&["min", "max"], &[], self.problems);
        let number = |key: &str| adaptive.get(key).and_then(|field| field.number(self.problems));
        let usual = Bounds::default();
        let bounds = Bounds { least: number("min").unwrap_or(usual.least), most: number("max").unwrap_or(usual.most) };
        if bounds.least <= 0.0 || bounds.least > 1.0 || bounds.most < 1.0 {
            self.problems.error(&adaptive.path, "min must be above 0 and at most 1, max at least 1");
            return None;
        }
        Some(bounds)
    }

    /// A name for `target` that stays when it moves or its weight changes, and that no other has.
    fn mark(&self, target: &At<'a>, taken: &mut BTreeSet<String>) -> Arc<str> {
        let mark = match target.value.get("name").and_then(Value::as_str) {
            Some(name) => digest(name),
            None => {
                let mut rest = target.value.clone();
                if let Some(members) = rest.as_object_mut() {
                    members.remove("weight");
                }
                digest(&rest.to_string())
            }
        };
        let twin = (1..).map(|twin| if twin == 1 { mark.clone() } else { format!("{mark}-{twin}") });
        let free = twin.into_iter().find(|mark| !taken.contains(mark)).unwrap_or_default();
        taken.insert(free.clone());
        free.into()
    }

    fn conditional(&self, strategy: &At<'a>, items: &[At<'a>], plans: Vec<Option<Plan>>) -> Option<Plan> {
        let place = |name: &At<'a>| {
            let name_text = name.text(self.problems)?;
            let found = items.iter().position(|item| item.value.get("name").and_then(Value::as_str) == Some(name_text));
            if found.is_none() {
                let message = format!("Invalid target name found in the query router: {name_text}");
                self.problems.error(&name.path, message);
            }
            found
        };
        let conditions = strategy.get("conditions").map_or_else(Vec::new, |field| field.items(self.problems));
        let otherwise = strategy.get("default").map(|name| place(&name));
        if conditions.is_empty() && otherwise.is_none() {
            self.problems.error(&strategy.path_to("conditions"), "No conditions passed in the query router");
            return None;
        }
        let mut branches = Vec::with_capacity(conditions.len());
        for condition in &conditions {
            condition.object(self.problems)?;
            let query = condition.get("query").and_then(|query| query::read(&query, self.problems));
            let then = condition.get("then").map(|name| place(&name));
            if condition.get("query").is_none() || then.is_none() {
                self.problems.error(&condition.path, "A condition has a query and then, the name of a target");
            }
            branches.push(query.zip(then.flatten()));
        }
        Some(Plan::Conditional {
            branches: branches.into_iter().collect::<Option<_>>()?,
            otherwise: otherwise.map_or(Some(None), |place| place.map(Some))?,
            children: plans.into_iter().collect::<Option<_>>()?,
        })
    }
}

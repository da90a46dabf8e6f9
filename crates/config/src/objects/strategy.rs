//! Nodes of a config object: a strategy over targets, or a target.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use weighbridge_domain::failure::FailureSet;
use weighbridge_domain::plan::{Balance, Bounds, Draw, FactKey, FallbackOn, Plan, Share};

use super::at::{At, Problems};
use super::inherit::Inherited;
use super::{Around, breaker, digest, query, sticky};

/// Compiles one config object.
pub(super) struct Compiler<'a> {
    pub(super) around: Around<'a>,
    pub(super) problems: &'a Problems,
    /// Names the turns and sessions of this object.
    pub(super) key: &'a str,
}

/// What a node may say, whichever it is.
const NODE_KEYS: &[&str] = &[
    "strategy",
    "targets",
    "name",
    "weight",
    "provider",
    "api_key",
    "virtual_key",
    "custom_host",
    "override_params",
    "default_params",
    "drop_params",
    "passthrough",
    "retry",
    "request_timeout",
    "cache",
    "cb_config",
    "forward_headers",
    "strict_open_ai_compliance",
    "on_status_codes",
    "metadata",
    "description",
    "version",
    "$schema",
    "prompt_id",
    "resource_name",
    "deployment_id",
    "api_version",
    "azure_ad_token",
    "azure_auth_mode",
    "azure_model_name",
    "openai_organization",
    "openai_project",
    "openai_beta",
    "anthropic_version",
    "anthropic_beta",
];

const NODE_MISTAKES: &[(&str, &str)] = &[
    ("model", "write `override_params: { model: … }`"),
    ("timeout", "write `request_timeout`, in milliseconds"),
    ("timeout_ms", "write `request_timeout`, in milliseconds"),
    ("fallback", "a target has no fallback of its own: write a strategy over targets"),
    ("virtual_model", "name the model in `override_params`"),
    ("budget", "budgets are not kept by this router"),
    ("rate_limiting", "limits stand at deployments and virtual keys in the router's own file"),
    ("hooks", "hooks are not run by this router"),
];

/// What would have to be run before or after a request.
const HOOKS: &[&str] = &[
    "before_request_hooks",
    "after_request_hooks",
    "input_guardrails",
    "output_guardrails",
    "default_input_guardrails",
    "default_output_guardrails",
    "input_mutators",
    "output_mutators",
];

const STRATEGY_KEYS: &[&str] =
    &["mode", "on_status_codes", "conditions", "default", "sticky", "sticky_session", "cb_config", "draw", "adaptive"];

const STRATEGY_MISTAKES: &[(&str, &str)] = &[("retry", "`retry` stands beside `strategy`, not in it")];

impl<'a> Compiler<'a> {
    /// The plan of `node` with what it inherits; `None` after an error.
    pub(super) fn node(&self, node: &At<'a>, above: &Inherited<'a>) -> Option<Plan> {
        let members = node.object(self.problems)?;
        let known: Vec<&str> = NODE_KEYS.iter().chain(HOOKS).copied().collect();
        node.warn_of_strangers(&known, NODE_MISTAKES, self.problems);
        for hook in HOOKS.iter().filter(|hook| members.get(**hook).is_some_and(|value| !is_empty(value))) {
            let message = "Guardrails and hooks are not run by this router, and a config that relies on them \
                           must not run without them. Remove them, or run them before the router";
            self.problems.error(&node.path_to(hook), message);
        }
        self.check_cache(node);
        let here = above.at(node, self.problems);
        match (node.get("strategy"), node.get("targets")) {
            (None, None) => self.target(node, &here),
            (strategy, Some(targets)) => self.strategy(node, strategy.as_ref(), &targets, here),
            (Some(strategy), None) => {
                self.strategy_object(&strategy)?;
                self.problems.error(&node.path_to("targets"), "Required: a strategy needs targets");
                None
            }
        }
    }

    fn check_cache(&self, node: &At<'a>) {
        let Some(cache) = node.get("cache") else { return };
        if cache.object(self.problems).is_none() {
            return;
        }
        cache.warn_of_strangers(
            &["mode", "max_age"],
            &[("age", "write `max_age`"), ("ttl", "write `max_age`")],
            self.problems,
        );
        match cache.get("mode").map(|mode| mode.value) {
            None => self.problems.error(&cache.path_to("mode"), "Required"),
            Some(Value::String(mode)) if mode == "simple" || mode == "semantic" => {}
            Some(_) => {
                let message = "Invalid 'cache.mode' value. Must be one of: simple, semantic";
                self.problems.error(&cache.path_to("mode"), message);
            }
        }
    }

    fn strategy_object(&self, strategy: &At<'a>) -> Option<()> {
        if let Value::String(mode) = strategy.value {
            let message = format!("Expected object, received string: write {{\"mode\": {mode:?}}}");
            self.problems.error(&strategy.path, message);
            return None;
        }
        strategy.object(self.problems).map(|_| ())
    }

    fn strategy(
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

    /// Headers of the client that sessions look at or that are sent on.
    pub(super) fn wanted_headers(&self, root: &Value) -> Vec<String> {
        let mut wanted: BTreeSet<String> = self.around.headers.forward_headers.iter().flatten().cloned().collect();
        gather_headers(root, &mut wanted);
        wanted.into_iter().collect()
    }
}

fn gather_headers(value: &Value, wanted: &mut BTreeSet<String>) {
    let Value::Object(node) = value else { return };
    let forwarded = node.get("forward_headers").and_then(Value::as_array).into_iter().flatten();
    wanted.extend(forwarded.filter_map(Value::as_str).map(str::to_ascii_lowercase));
    if let Some(strategy) = node.get("strategy") {
        let at = At::root(strategy);
        let sticky = sticky::read(&at, &Problems::default());
        for field in sticky.into_iter().flat_map(|sticky| sticky.fields) {
            if let FactKey::Header(name) = field {
                wanted.insert(name);
            }
        }
    }
    for target in node.get("targets").and_then(Value::as_array).into_iter().flatten() {
        gather_headers(target, wanted);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

//! Nodes of a config object: a strategy over targets, or a target.

use serde_json::Value;
use weighbridge_domain::plan::Plan;

use super::Around;
use super::at::{At, Problems};
use super::inherit::Inherited;

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
    "azure_entra_tenant_id",
    "azure_entra_client_id",
    "azure_entra_client_secret",
    "azure_entra_scope",
    "azure_model_name",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_region",
    "aws_role_arn",
    "aws_external_id",
    "aws_auth_type",
    "vertex_project_id",
    "vertex_region",
    "vertex_service_account_json",
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
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

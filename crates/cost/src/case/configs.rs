//! Configurations: groups before one provider.

use std::fmt::Write;

use serde_json::{Value, json};

/// Limits that are kept and never reached.
pub(crate) const ROOMY: &str = "rpm: 1000000, tpm: 1000000000";

/// What every configuration has beside its deployments.
const REST: &str = "general_settings: { master_key: sk-router }\nrouter_settings: { num_retries: 0 }\n";

/// The name of a group by its number.
pub(super) fn group(number: usize) -> String {
    format!("group-{number}")
}

/// So many groups of `members` deployments of `model` each, each with `limits`.
pub(crate) fn groups(groups: usize, members: usize, model: &str, limits: &str) -> String {
    let mut config = "model_list:\n".to_owned();
    for number in 0..groups {
        let group = group(number);
        for member in 0..members {
            // Writing to a string cannot fail.
            writeln!(
                config,
                "  - {{ model_name: {group}, litellm_params: {{ model: {model}, api_base: \"http://UPSTREAM/v1\", \
                 api_key: sk-own, {limits} }}, model_info: {{ id: {group}-{member} }} }}"
            )
            .ok();
        }
    }
    config + REST
}

/// `config`, whose groups pick by `strategy`.
pub(super) fn by(strategy: &str, config: &str) -> String {
    config.replace("router_settings: {", &format!("router_settings: {{ routing_strategy: {strategy},"))
}

/// Virtual keys for the targets of [`object`].
pub(super) fn virtual_keys() -> String {
    let mut config = "virtual_keys:\n".to_owned();
    for name in ["a", "b"] {
        // Writing to a string cannot fail.
        writeln!(
            config,
            "  {name}: {{ provider: openai, api_key: sk-own, custom_host: \"http://UPSTREAM/v1\", {ROOMY} }}"
        )
        .ok();
    }
    config + REST
}

/// A config object of so many levels: conditions, load balances and fallbacks by turns, down to virtual keys.
pub(super) fn object(levels: usize) -> Value {
    let leaf =
        |name: &str, key: &str| json!({ "name": name, "virtual_key": key, "override_params": { "temperature": 0.5 } });
    let mut node = leaf("served", "a");
    for level in 1..levels {
        let name = format!("level-{level}");
        let others = leaf(&format!("other-{level}"), "b");
        node = match level % 3 {
            1 => json!({
                "name": name, "targets": [node, others],
                "strategy": { "mode": "fallback", "on_status_codes": [429, 500] },
            }),
            2 => json!({
                "name": name, "targets": [node, others],
                "strategy": { "mode": "loadbalance" }, "override_params": { "top_p": 0.9 },
            }),
            _ => {
                let then = node["name"].clone();
                json!({
                    "name": name, "targets": [node, others],
                    "strategy": {
                        "mode": "conditional", "default": format!("other-{level}"),
                        "conditions": [{ "query": { "metadata.tier": { "$eq": "gold" } }, "then": then }],
                    },
                })
            }
        };
    }
    node
}

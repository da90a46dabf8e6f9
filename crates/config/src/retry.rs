//! Retry policies and cooldown rules.

use std::time::Duration;

use weighbridge_domain::failure::{ByClass, ErrorClass};
use weighbridge_domain::policy::{CooldownPolicy, CooldownRule, RetryPolicy};

use crate::layers::{Layers, ROUTER, ROUTER_ONLY};
use crate::reader::{Field, Section};
use crate::suggest;

const CLASSES: &[(&str, ErrorClass)] = &[
    ("BadRequestError", ErrorClass::BadRequest),
    ("AuthenticationError", ErrorClass::Authentication),
    ("TimeoutError", ErrorClass::Timeout),
    ("RateLimitError", ErrorClass::RateLimit),
    ("ContentPolicyViolationError", ErrorClass::ContentPolicy),
    ("InternalServerError", ErrorClass::InternalServer),
    ("ServiceUnavailableError", ErrorClass::ServiceUnavailable),
    ("NotFoundError", ErrorClass::NotFound),
    ("BadGatewayError", ErrorClass::BadGateway),
];

/// How often is retried where neither group nor deployment says otherwise.
pub(crate) fn policy(layers: &Layers<'_>) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    if let Some(retries) = layers.get("num_retries", ROUTER).and_then(|field| field.count()) {
        policy.retries = retries;
    }
    if let Some(min) = layers.get("retry_after", ROUTER_ONLY).and_then(|field| field.seconds()) {
        policy.backoff.min = min;
    }
    match layers.get("retry_policy", ROUTER_ONLY).and_then(|field| field.section()) {
        Some(section) => with_section(policy, &section),
        None => policy,
    }
}

/// `policy` with what `model_group_retry_policy` says for each group.
pub(crate) fn by_group(layers: &Layers<'_>, policy: RetryPolicy) -> Vec<(String, RetryPolicy)> {
    let Some(section) = layers.get("model_group_retry_policy", ROUTER_ONLY).and_then(|field| field.section()) else {
        return Vec::new();
    };
    let groups = section.fields().filter_map(|(group, field)| Some((group.to_owned(), field.section()?)));
    groups.map(|(group, section)| (group, with_section(policy, &section))).collect()
}

fn with_section(mut policy: RetryPolicy, section: &Section<'_>) -> RetryPolicy {
    if let Some(retries) = section.get("DefaultRetries").and_then(|field| field.count()) {
        policy.retries = retries;
    }
    read_classes(section, "Retries", &mut policy.by_class);
    policy
}

/// When deployments rest where they do not say so themselves.
pub(crate) fn cooldown(layers: &Layers<'_>) -> CooldownPolicy {
    let mut policy = CooldownPolicy::default();
    if let Some(duration) = layers.get("cooldown_time", ROUTER_ONLY).and_then(|field| field.seconds()) {
        policy.duration = duration;
    }
    let allowed = layers.get("allowed_fails", ROUTER);
    let by_class = layers.get("allowed_fails_policy", ROUTER_ONLY);
    if let Some(rule) = rule(allowed.as_ref(), by_class.as_ref()) {
        policy.rule = rule;
    }
    let disabled = layers.get("disable_cooldowns", ROUTER_ONLY).and_then(|field| field.flag());
    if disabled.unwrap_or(false) || policy.duration == Duration::ZERO {
        policy.rule = CooldownRule::Never;
    }
    policy
}

/// The rule that `allowed_fails` and `allowed_fails_policy` make; `None` when neither says anything.
pub(crate) fn rule(allowed: Option<&Field<'_>>, policy: Option<&Field<'_>>) -> Option<CooldownRule> {
    let mut by_class = ByClass::default();
    let section = policy.and_then(Field::section);
    let some = section.is_some_and(|section| read_classes(&section, "AllowedFails", &mut by_class));
    let otherwise = allowed.and_then(Field::count);
    (some || otherwise.is_some()).then_some(CooldownRule::AllowedFails { by_class, otherwise })
}

/// Reads `<Error><suffix>: n` for each class; whether there was one.
fn read_classes(section: &Section<'_>, suffix: &str, by_class: &mut ByClass<u32>) -> bool {
    let mut some = false;
    for (key, field) in section.fields() {
        if key == "DefaultRetries" && suffix == "Retries" {
            continue;
        }
        let stem = key.strip_suffix(suffix);
        let class = CLASSES.iter().find(|(name, _)| Some(*name) == stem).map(|(_, class)| *class);
        match class {
            Some(class) => {
                if let Some(count) = field.count() {
                    by_class.set(class, count);
                    some = true;
                }
            }
            None => {
                let names: Vec<String> = CLASSES.iter().map(|(name, _)| format!("{name}{suffix}")).collect();
                let mut hint = suggest::did_you_mean(key, names.iter().map(String::as_str));
                if hint.is_empty() {
                    hint = format!("known are {}", names.join(", "));
                }
                field.warn(format!("`{key}` is no error class; it has no effect"), hint);
            }
        }
    }
    some
}

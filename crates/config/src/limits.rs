//! Limits, timeouts and cooldowns of one deployment.

use std::time::Duration;

use weighbridge_domain::limits::Limits;
use weighbridge_domain::policy::{CooldownPolicy, CooldownRule, Timeouts};
use weighbridge_domain::provider::Provider;

use crate::entry::Entry;
use crate::layers::{LITELLM, Layers, ROUTER_ONLY};
use crate::retry;
use crate::smoothing::{self, Windows};

/// How long a whole reply may take where nothing says otherwise.
const WHOLE_REPLY: Duration = Duration::from_secs(600);

/// What holds for deployments that do not say otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    pub(crate) cooldown: CooldownPolicy,
    max_parallel_requests: Option<u32>,
    windows: Windows,
    whole: Duration,
    stream: Option<Duration>,
    /// Whether what a format cannot say is left out (`drop_params`).
    pub(crate) drops_params: bool,
}

impl Defaults {
    /// What the settings sections say; `windows` is what ours says.
    pub(crate) fn read(layers: &Layers<'_>, windows: Windows) -> Self {
        let seconds = |key, homes| layers.get(key, homes).and_then(|field| field.seconds());
        let timeout = seconds("timeout", ROUTER_ONLY);
        Self {
            cooldown: retry::cooldown(layers),
            max_parallel_requests: layers
                .get("default_max_parallel_requests", ROUTER_ONLY)
                .and_then(|field| field.count())
                .filter(|count| *count > 0),
            windows,
            whole: seconds("request_timeout", LITELLM).or(timeout).unwrap_or(WHOLE_REPLY),
            stream: seconds("stream_timeout", ROUTER_ONLY),
            drops_params: layers.get("drop_params", LITELLM).and_then(|field| field.flag()).unwrap_or(true),
        }
    }
}

/// What a deployment at `provider` may take.
pub(crate) fn limits(entry: &Entry<'_>, defaults: &Defaults, provider: &Provider) -> Limits {
    let count = |key: &str| {
        let field = entry.limit(key)?;
        let count = field.count()?;
        if count == 0 {
            field.warn("0 lets nothing through", "the deployment is never used; remove the line for no limit");
        }
        Some(count)
    };
    let rpm = count("rpm").or_else(|| misspelt(entry, "rpm_limit", "rpm"));
    Limits {
        rpm,
        tpm: count("tpm").or_else(|| misspelt(entry, "tpm_limit", "tpm")),
        itpm: count("itpm"),
        otpm: count("otpm"),
        max_parallel_requests: count("max_parallel_requests").or(defaults.max_parallel_requests),
        basis: provider.basis,
        smoothing: smoothing::read(entry, defaults.windows, &provider.name, rpm),
    }
}

fn misspelt(entry: &Entry<'_>, key: &str, right: &str) -> Option<u32> {
    let field = entry.param(key)?;
    field.warn(format!("there is no setting `{key}`"), format!("it is taken as `{right}`"));
    field.count()
}

/// How long a deployment may take.
pub(crate) fn timeouts(entry: &Entry<'_>, defaults: &Defaults) -> Timeouts {
    let seconds = |key: &str| entry.param(key).and_then(|field| field.seconds()).filter(|time| *time > Duration::ZERO);
    let own = seconds("timeout").or_else(|| seconds("request_timeout"));
    let whole = own.unwrap_or(defaults.whole);
    let stream = seconds("stream_timeout").or(defaults.stream).unwrap_or(whole);
    Timeouts { whole: Some(whole), first_token: Some(stream), idle: Some(stream) }
}

/// When a deployment rests.
pub(crate) fn cooldown(entry: &Entry<'_>, defaults: &Defaults) -> CooldownPolicy {
    let mut policy = defaults.cooldown;
    if let Some(duration) = entry.info_or_param("cooldown_time").and_then(|field| field.seconds()) {
        policy.duration = duration;
        policy.overrides_retry_after = true;
    }
    let [allowed, by_class] = ["allowed_fails", "allowed_fails_policy"].map(|key| {
        entry.info.get(key).or_else(|| {
            let misplaced = entry.params.get(key)?;
            misplaced.warn(format!("`{key}` belongs in model_info"), "it is honoured all the same");
            Some(misplaced)
        })
    });
    if let Some(rule) = retry::rule(allowed.as_ref(), by_class.as_ref())
        && policy.rule != CooldownRule::Never
    {
        policy.rule = rule;
    }
    if policy.duration == Duration::ZERO {
        policy.rule = CooldownRule::Never;
    }
    policy
}

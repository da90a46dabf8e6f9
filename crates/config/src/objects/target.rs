//! A target: whom a request is sent to, with what is set on the way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::plan::{Called, Plan, StopOptions};
use weighbridge_domain::policy::{Backoff, CooldownPolicy, CooldownRule, RetryPolicy, Timeouts};

use super::at::At;
use super::inherit::Inherited;
use super::key::INCOMPLETE;
use super::node::Compiler;
use super::{clouds, digest};
use crate::json;
use crate::suggest;

/// How long a whole reply may take where nothing is said, as the SDKs have it.
const WHOLE_REPLY: Duration = Duration::from_secs(600);

/// Pauses of 1, 2, 4, 8 and 16 s, a little apart so that not all come back at once.
pub(crate) const PAUSES: Backoff = Backoff {
    initial: Duration::from_secs(1),
    max: Duration::from_secs(16),
    min: Duration::ZERO,
    jitter: Duration::from_millis(100),
};

/// Nothing is tried again unless a config object says so.
pub(crate) const NO_RETRIES: RetryPolicy =
    RetryPolicy { retries: 0, by_class: weighbridge_domain::failure::ByClass::NONE, backoff: PAUSES };

/// Nobody rests unless a config object says so.
pub(crate) const NEVER_RESTS: CooldownPolicy =
    CooldownPolicy { duration: Duration::from_secs(60), overrides_retry_after: true, rule: CooldownRule::Never };

/// A target, what it inherits, and the model that it names.
struct Leaf<'l, 'a> {
    target: &'l At<'a>,
    here: &'l Inherited<'a>,
    model: Option<String>,
}

/// The client's word for "whatever is usual there".
const USUAL_MODEL: &str = "portkey-default";

impl<'a> Compiler<'a> {
    /// The plan of a target; `None` after an error.
    pub(super) fn target(&self, target: &At<'a>, here: &Inherited<'a>) -> Option<Plan> {
        if let Some(field) = target.get("prompt_id") {
            let message = "Prompts are kept by Portkey's hosted service and cannot be rendered here: \
                           send messages, and name the model in override_params";
            self.problems.error(&field.path, message);
            return None;
        }
        let mut model = here.overrides.get("model").and_then(Value::as_str).map(str::to_owned);
        let mut provider = target.get("provider");
        let mut key = target.get("virtual_key").map(|field| field.text(self.problems));
        // `@slug` and `@slug/model` name a virtual key.
        if let Some((slug, rest)) = provider.as_ref().and_then(|name| slug(name.value.as_str()?)) {
            key = key.or(Some(Some(slug)));
            model = model.or_else(|| rest.map(str::to_owned));
            provider = None;
        }
        let in_model = here.overrides.get("model").and_then(Value::as_str).and_then(slug);
        if let (Some((slug, Some(rest))), None) = (in_model, &provider) {
            key = key.or(Some(Some(slug)));
            model = Some(rest.to_owned());
        }
        let leaf = |model| Leaf { target, here, model };
        match (key, provider) {
            (Some(None), _) => None,
            (Some(Some(key)), _) => self.by_virtual_key(&leaf(model), key),
            (None, Some(name)) => {
                let is_bare = clouds::BRINGS.iter().all(|key| target.get(key).is_none());
                let text = name.value.as_str().unwrap_or_default();
                let group = GroupName::new(format!("@{text}"));
                if is_bare && here.custom_host.is_none() && self.around.table.group(&group).is_some() {
                    return self.by_virtual_key(&leaf(model), text);
                }
                let model = target.value.get("deployment_id").and_then(Value::as_str).map(str::to_owned).or(model);
                let endpoint = self.endpoint(target, &name, here)?;
                Some(self.brought(&leaf(model), endpoint, None))
            }
            (None, None) if clouds::BRINGS.iter().any(|key| target.get(key).is_some()) => {
                self.problems.error(&target.path, INCOMPLETE);
                None
            }
            (None, None) => self.own(leaf(model)),
        }
    }

    /// A model of the router's own.
    fn own(&self, leaf: Leaf<'_, 'a>) -> Option<Plan> {
        let Leaf { target, here, model } = leaf;
        let options = self.options(here);
        let Some(model) = model else { return Some(Plan::Asked { options: Arc::new(options) }) };
        let Some(found) = self.around.table.find(&model) else {
            let listed = self.around.table.listed().iter().map(|listed| listed.name.as_str());
            let hint = suggest::did_you_mean(&model, listed);
            let message = format!(
                "The target names no provider, and this router has no model {model:?} of its own{}{hint}",
                if hint.is_empty() { "" } else { ": " }
            );
            self.problems.error(&target.path, message);
            return None;
        };
        let options = StopOptions { called: Some(Called { model, captures: found.captures }), ..options };
        Some(with_options(&found.entry.plan, &options))
    }

    /// A model at the provider that a virtual key is for.
    fn by_virtual_key(&self, leaf: &Leaf<'_, 'a>, key: &str) -> Option<Plan> {
        let Leaf { target, here, model } = leaf;
        let name = GroupName::new(format!("@{key}"));
        let Some(group) = self.around.table.group(&name) else {
            self.problems.error(&target.path, format!("Following keys are not valid: {key}"));
            return None;
        };
        if let Some(host) = here.custom_host.as_ref().map(|host| host.path.clone()).or_else(|| self.host_header(target))
        {
            let message = format!("A host cannot be set for the virtual key {key}: its key goes to its own host only");
            self.problems.error(&host, message);
            return None;
        }
        match group.deployments.first() {
            None => {
                let out = self.around.table.left_out().iter().find(|out| out.deployment.group == name);
                let why = out.map_or("it cannot be used", |out| out.reason.as_str());
                self.problems.warn(&target.path, format!("the virtual key {key} is not at hand: {why}"));
            }
            Some(deployment) if here.breaker.is_some() => {
                let endpoint = deployment.endpoint.clone();
                return Some(self.brought(leaf, endpoint, Some(deployment)));
            }
            Some(_) => {}
        }
        let called = model.clone().map(|model| Called { model, captures: Vec::new() });
        let options = Arc::new(StopOptions { called, ..self.options(here) });
        Some(Plan::Group { group: name, level: None, options })
    }

    /// Where a host that a header sets at every target would be set at `target`.
    fn host_header(&self, target: &At<'a>) -> Option<String> {
        self.around.headers.custom_host.as_ref().map(|_| target.path_to("custom_host"))
    }

    /// A deployment that the plan brings along. One that has a virtual key is held against its limits.
    fn brought(&self, leaf: &Leaf<'_, 'a>, endpoint: Endpoint, limited: Option<&Deployment>) -> Plan {
        let Leaf { target, here, model } = leaf;
        let model = model.as_deref();
        let name = match (target.value.get("name").and_then(Value::as_str), model) {
            (Some(name), _) => name.to_owned(),
            (None, Some(model)) => format!("{}/{model}", endpoint.provider),
            (None, None) => endpoint.provider.to_string(),
        };
        let id = identity(&endpoint, model, here);
        let mut deployment = Deployment::new(id, name.as_str(), ModelTemplate::new(model.unwrap_or("*")), endpoint);
        deployment.timeouts =
            Timeouts { whole: Some(WHOLE_REPLY), first_token: Some(WHOLE_REPLY), idle: Some(WHOLE_REPLY) };
        deployment.cooldown = NEVER_RESTS;
        if let Some((breaker, lasts)) = here.breaker {
            deployment.cooldown =
                CooldownPolicy { duration: lasts, rule: CooldownRule::Breaker(breaker), ..NEVER_RESTS };
        }
        if let Some(limited) = limited {
            deployment.limits = limited.limits;
            deployment.quota = limited.quota.clone();
        }
        deployment.is_fleeting = here.breaker.is_none() && limited.is_none();
        let group = ModelGroup {
            retry: NO_RETRIES,
            listed: false,
            ..ModelGroup::new(name.as_str(), vec![Arc::new(deployment)])
        };
        Plan::Brought { group: Arc::new(group), options: Arc::new(self.options(here)) }
    }

    fn options(&self, here: &Inherited<'a>) -> StopOptions {
        let fields = |members: &Map<String, Value>| {
            let fields = members.iter().filter_map(|(key, value)| Some((key.clone(), json::to_raw(value)?)));
            fields.collect::<Vec<_>>()
        };
        let mut overrides = fields(&here.overrides);
        // The model's name goes with whom it is asked of.
        overrides.retain(|(key, _)| key != "model");
        StopOptions {
            retries: here.retry.as_ref().map(|retry| retry.attempts),
            retry_on: here.retry.as_ref().map(|retry| retry.on.to_vec()),
            retry_after: here.retry.as_ref().map(|retry| retry.after),
            timeout: here.timeout,
            overrides,
            defaults: fields(&here.defaults),
            drops: here.drops.clone(),
            forward_headers: here.forward_headers.clone(),
            ..StopOptions::default()
        }
    }
}

/// `@slug` and `@slug/model`.
fn slug(text: &str) -> Option<(&str, Option<&str>)> {
    let rest = text.strip_prefix('@')?;
    Some(rest.split_once('/').map_or((rest, None), |(slug, model)| (slug, Some(model))))
}

/// `plan` with `options` at every stop.
fn with_options(plan: &Plan, options: &StopOptions) -> Plan {
    let mut plan = plan.clone();
    plan.for_each_stop(&mut |own| *own = options.over(own));
    plan
}

/// The same for the same provider, host, credential, model and breaker, on every replica.
fn identity(endpoint: &Endpoint, model: Option<&str>, here: &Inherited<'_>) -> DeploymentId {
    let credential = match &endpoint.auth.texts()[..] {
        [] => String::new(),
        [secret] => (*secret).to_owned(),
        texts => texts.iter().map(|text| format!("{}:{text}", text.len())).collect(),
    };
    let parts = [endpoint.provider.as_str(), &endpoint.base_url, &credential, model.unwrap_or_default()];
    let breaker = here.breaker.map_or_else(String::new, |breaker| format!("{breaker:?}"));
    let text: Vec<String> =
        parts.into_iter().chain([breaker.as_str()]).map(|part| format!("{}:{part}", part.len())).collect();
    DeploymentId::new(digest(&text.concat()))
}

/// Whether a client leaves the model to whoever is asked.
pub fn leaves_model_open(model: &str) -> bool {
    model.is_empty() || model == USUAL_MODEL
}

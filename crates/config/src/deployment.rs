//! One entry of `model_list` compiled to a deployment.

use regex::Regex;
use weighbridge_domain::deployment::{Deployment, ModelTemplate};
use weighbridge_domain::derived::Derived;
use weighbridge_domain::name::{GroupName, QuotaName};
use weighbridge_domain::provider::Wire;

use crate::endpoint::{self, Reach};
use crate::entry::Entry;
use crate::identity::Identities;
use crate::known::PARAMS;
use crate::limits::{self, Defaults};
use crate::models::{self, Model};
use crate::sections::prices::{self, Prices};
use crate::sections::providers::Providers;
use crate::upstream::{self, Upstream};
use crate::{body, json, mock, suggest, traits};

/// A deployment, and what its group needs to know of it.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) deployment: Deployment,
    /// Why it cannot be called.
    pub(crate) left_out: Option<String>,
    /// Whether the operator paused it.
    pub(crate) blocked: bool,
    /// `litellm_params.model` in full.
    pub(crate) written: String,
    /// The model whose window it has, for finding larger siblings.
    pub(crate) base_model: String,
    /// Whether `GET /v1/models` may list its group.
    pub(crate) discoverable: bool,
    /// Whether its group holds requests against tags.
    pub(crate) tag_filtering: Option<bool>,
}

/// What compiling an entry needs besides it.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) providers: Providers<'a>,
    pub(crate) prices: Prices,
    pub(crate) defaults: Defaults,
}

/// The deployment that `entry` describes; `None` after an error.
pub(crate) fn compile(entry: &Entry<'_>, around: &Surroundings<'_>, ids: &mut Identities) -> Option<Compiled> {
    let group = group_name(entry)?;
    warn_of_misplaced(entry);
    compile_in(entry, &group, around, ids)
}

/// The deployment that `entry` describes, in `group`; `None` after an error.
pub(crate) fn compile_in(
    entry: &Entry<'_>,
    group: &str,
    around: &Surroundings<'_>,
    ids: &mut Identities,
) -> Option<Compiled> {
    let upstream = upstream::find(entry, &around.providers)?;
    let Reach { mut endpoint, unusable } = endpoint::read(entry, &upstream.provider, &around.providers);
    let left_out = upstream.unusable.clone().or(unusable);
    if let (Some(reason), true) = (&left_out, upstream.unusable.is_some() || !is_mocked(entry)) {
        let what = format!("the deployment of {:?} is left out: {reason}", upstream.written);
        entry.params.warn(what, "the others serve");
    }
    let flag = |key: &str| entry.info.get(key).and_then(|field| field.flag());
    let facts = Facts::find(entry, &upstream, &around.prices, group);
    if endpoint.responses && (upstream.by_responses || facts.mode.as_deref() == Some("responses")) {
        endpoint.wire = Wire::Responses;
    }
    let id = ids.of(entry, group);
    let deployment = Deployment {
        quota: quota(entry).unwrap_or_else(|| QuotaName::new(id.as_str())),
        id,
        group: GroupName::new(group),
        model: ModelTemplate::new(upstream.model.as_str()),
        limits: limits::limits(entry, &around.defaults, &upstream.provider),
        endpoint,
        weight: entry.param("weight").and_then(|field| field.number()),
        order: entry.param_or_info("order").and_then(|field| field.count()).unwrap_or(1),
        tags: entry.param("tags").map_or_else(Vec::new, |field| field.texts()),
        tag_patterns: tag_patterns(entry),
        region: entry.param_or_info("region_name").and_then(|field| field.text()),
        price: facts.price,
        max_input_tokens: facts.max_input_tokens,
        max_output_tokens: facts.max_output_tokens,
        traits: traits::read(entry),
        timeouts: limits::timeouts(entry, &around.defaults),
        retries: entry.param("num_retries").and_then(|field| field.count()),
        cooldown: limits::cooldown(entry, &around.defaults),
        body_defaults: body::defaults(entry),
        body_drops: body::drops(entry),
        refuses_losses: body::refuses_losses(entry, &around.defaults),
        mock: mock::read(entry),
        client_credentials: may_bring_credentials(entry),
        is_fleeting: false,
        mode: facts.mode,
        info: entry.entry.get("model_info").as_ref().and_then(json::raw),
        sent: Derived::default(),
        told: Derived::default(),
    };
    // A canned reply needs neither key nor URL.
    let left_out = left_out.filter(|_| deployment.mock.is_none() || upstream.unusable.is_some());
    Some(Compiled {
        deployment,
        left_out,
        blocked: flag("blocked").unwrap_or_default(),
        written: upstream.written,
        base_model: facts.base_model,
        discoverable: flag("discoverable").unwrap_or(true),
        tag_filtering: flag("enable_tag_filtering"),
    })
}

fn is_mocked(entry: &Entry<'_>) -> bool {
    entry.param("mock_response").is_some()
}

fn group_name(entry: &Entry<'_>) -> Option<String> {
    let name = match entry.entry.get("model_name") {
        None => {
            entry.entry.error("`model_name` is missing", "write the name that clients ask for");
            None
        }
        Some(field) => field.text().filter(|name| !name.is_empty()),
    };
    if entry.entry.get("litellm_params").is_none() {
        entry.entry.error("`litellm_params` is missing", "write litellm_params: { model: provider/name }");
        return None;
    }
    name
}

/// Warns of settings beside `litellm_params` that belong in it, and of misspellings.
fn warn_of_misplaced(entry: &Entry<'_>) {
    const KEYS: &[&str] =
        &["model_name", "litellm_params", "model_info", "tpm", "rpm", "itpm", "otpm", "quota_group", "window", "burst"];
    for (key, field) in entry.entry.fields().filter(|(key, _)| !KEYS.contains(key) && *key != "max_parallel_requests") {
        if PARAMS.contains(&key) {
            field.warn(format!("`{key}` belongs in litellm_params"), "it has no effect here");
        } else if let Some(near) = suggest::nearest(key, KEYS.iter().copied()) {
            field
                .warn(format!("an entry has no `{key}`"), format!("did you mean `{near}`? As it is, it has no effect"));
        }
    }
}

/// The window that the entry shares with others. No id begins like that unless somebody means it to.
fn quota(entry: &Entry<'_>) -> Option<QuotaName> {
    let name = entry.limit("quota_group").and_then(|field| field.text()).filter(|name| !name.is_empty())?;
    Some(QuotaName::new(format!("quota:{name}")))
}

fn tag_patterns(entry: &Entry<'_>) -> Vec<Regex> {
    let Some(field) = entry.param("tag_regex") else { return Vec::new() };
    let compiled = field.texts().into_iter().filter_map(|pattern| match Regex::new(&pattern) {
        Ok(regex) => Some(regex),
        Err(_) => {
            field.error(format!("{pattern:?} is no regular expression that is understood here"), "look-around is not");
            None
        }
    });
    compiled.collect()
}

/// `configurable_clientside_auth_params`: a list of `api_key`, `api_base`, or maps that name them.
fn may_bring_credentials(entry: &Entry<'_>) -> bool {
    let field = entry.param("configurable_clientside_auth_params");
    field.is_some_and(|field| field.items().is_none_or(|items| !items.is_empty()))
}

/// What a model costs and how much it takes.
struct Facts {
    price: Option<weighbridge_domain::usage::Price>,
    max_input_tokens: Option<u32>,
    max_output_tokens: Option<u32>,
    mode: Option<String>,
    base_model: String,
}

impl Facts {
    /// From the entry, the file's `prices`, and the built-in table, in this order.
    fn find(entry: &Entry<'_>, upstream: &Upstream, prices: &Prices, group: &str) -> Self {
        let provider = upstream.provider.name.as_str();
        let base_model = entry.param_or_info("base_model").and_then(|field| field.text());
        let known_as = base_model.as_deref().unwrap_or(&upstream.model);
        let bare = known_as.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')).unwrap_or(known_as);
        let known: Option<Model> = models::find(provider, bare);
        let own = prices.find(&[&upstream.written, known_as, &upstream.model, group]);
        let count = |key: &str| entry.info_or_param(key).and_then(|field| field.count()).filter(|count| *count > 0);
        let mode = entry.info.get("mode").and_then(|field| field.text());
        let known_mode = || known.as_ref().map(|model| model.mode.to_owned()).filter(|mode| !mode.is_empty());
        let price = prices::price(|key| entry.param(key)).or_else(|| prices::price(|key| entry.info.get(key)));
        let window = count("max_input_tokens").or(own.max_input_tokens);
        let output = count("max_output_tokens").or(own.max_output_tokens);
        Self {
            price: price.or(own.price).or_else(|| known.as_ref()?.price),
            max_input_tokens: window.or_else(|| known.as_ref()?.max_input_tokens),
            max_output_tokens: output.or_else(|| known.as_ref()?.max_output_tokens),
            mode: mode.or_else(known_mode),
            base_model: bare.to_owned(),
        }
    }
}

//! What a request prefers, applied: who may not be asked at all, and who is asked before whom.
//!
//! In the order of `OpenRouter`: filters that leave nobody are an error that names them; parameters that only some
//! understand narrow the choice to those; who is too slow goes to the end; then the order that is asked for.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::preferences::{Preferences, Slug, SortBy};
use weighbridge_domain::request::CONTROL_FIELDS;
use weighbridge_domain::view::Latency;

use crate::candidates;
use crate::strategy::Usable;

/// Body fields that every model has a use for, or none needs to understand.
const ALWAYS_UNDERSTOOD: &[&str] =
    &["model", "messages", "prompt", "input", "stream", "stream_options", "user", "metadata", "encoding_format"];
/// Body fields that narrow the choice to whoever understands them, where anybody does.
const NARROWING: [&str; 3] = ["tools", "response_format", "verbosity"];

/// What a filter is called, whether it is wanted, and whom it lets pass.
type Filter<'a> = (&'static str, bool, &'a dyn Fn(&Deployment) -> bool);

/// Those of `deployments` of `model` that may be asked by `wants`, for a request with `body`.
///
/// # Errors
/// 404 with the name of the filter that left nobody.
pub fn allowed(
    model: &str,
    deployments: Vec<Arc<Deployment>>,
    wants: &Preferences,
    body: Option<&JsonObject>,
) -> Result<Vec<Arc<Deployment>>, Failure> {
    let sent: Vec<&str> = body.map_or_else(Vec::new, |body| body.keys().filter(|key| is_parameter(key)).collect());
    let cap = wants.max_price;
    let within = |cap: Option<f64>, price: Option<f64>| cap.is_none_or(|cap| price.is_some_and(|price| price <= cap));
    let per_million = |d: &Deployment| d.price.map(|price| (price.input * 1e6, price.output * 1e6));
    let quantization = |d: &Deployment| d.traits.quantization.clone().unwrap_or_else(|| "unknown".to_owned());
    let filters: [Filter<'_>; 7] = [
        ("only", wants.only.is_some(), &|d| is_named(wants.only.as_deref().unwrap_or_default(), d) || asks_on(d)),
        ("ignore", !wants.ignore.is_empty(), &|d| !is_named(&wants.ignore, d)),
        ("data_collection", wants.deny_data_collection, &|d| d.traits.keeps_no_data || asks_on(d)),
        ("zdr", wants.zero_retention, &|d| d.traits.retains_nothing || asks_on(d)),
        ("quantizations", !wants.quantizations.is_empty(), &|d| {
            wants.quantizations.iter().any(|one| one.eq_ignore_ascii_case(&quantization(d))) || asks_on(d)
        }),
        ("max_price", cap.prompt.is_some() || cap.completion.is_some(), &|d| {
            let (input, output) = per_million(d).unzip();
            within(cap.prompt, input) && within(cap.completion, output)
        }),
        ("require_parameters", wants.require_parameters, &|d| {
            sent.iter().all(|parameter| d.understands(parameter)) || asks_on(d)
        }),
    ];
    let mut left = deployments;
    for (name, _, is_right) in filters.iter().filter(|(_, is_wanted, _)| *is_wanted) {
        left.retain(|deployment| is_right(deployment));
        if left.is_empty() {
            let message = format!("No deployment of {model} is left by `provider.{name}`.");
            return Err(Failure { status: Some(404), ..Failure::new(FailureKind::NoCandidate, message) });
        }
    }
    if wants.stays && !wants.order.is_empty() {
        left.retain(|deployment| is_named(&wants.order, deployment) || asks_on(deployment));
        if left.is_empty() {
            let message = format!("No deployment of {model} is left by `provider.order` without fallbacks.");
            return Err(Failure { status: Some(404), ..Failure::new(FailureKind::NoCandidate, message) });
        }
    }
    Ok(capable(left, &sent, body))
}

/// `order` (places in `usable`) as `wants` has it; places that were left out stay out.
pub fn arranged(order: Vec<usize>, usable: &[Usable], wants: &Preferences, model: &str) -> Vec<usize> {
    let mut order = order;
    if !wants.order.is_empty() {
        let rank = |i: &usize| wants.order.iter().position(|slug| slug.names(&usable[*i].0)).unwrap_or(usize::MAX);
        order.sort_by_key(rank);
    } else if let Some(sort) = wants.sort {
        order.sort_by(|a, b| badness(sort, &usable[*a]).total_cmp(&badness(sort, &usable[*b])));
    }
    // Stable: within both parts the order stays.
    order.sort_by_key(|i| is_slow(&usable[*i], wants));
    if let Some(session) = wants.session.filter(|_| wants.order.is_empty() && wants.sort.is_none())
        && let Some(place) = home(session, model, &order, usable)
    {
        let home = order.remove(place);
        order.insert(0, home);
    }
    if wants.stays && wants.order.is_empty() {
        order.truncate(1);
    }
    order
}

/// Those of `fit` that may be asked after `tried` failed: who stays with the first asks nobody else.
pub fn untried(fit: Vec<Arc<Deployment>>, tried: &[DeploymentId], wants: &Preferences) -> Vec<Arc<Deployment>> {
    let was_tried = |deployment: &Arc<Deployment>| tried.contains(&deployment.id);
    if wants.stays && wants.order.is_empty() && fit.iter().any(was_tried) {
        return fit.into_iter().filter(was_tried).collect();
    }
    candidates::without_tried(fit, tried)
}

/// Those that understand what only some understand, and reply at length where that is asked for.
fn capable(left: Vec<Arc<Deployment>>, sent: &[&str], body: Option<&JsonObject>) -> Vec<Arc<Deployment>> {
    let bound = |field| body.and_then(|body| body.get::<u32>(field).ok().flatten());
    let longest = ["max_tokens", "max_completion_tokens"].into_iter().filter_map(bound).max().unwrap_or(0);
    let mut left = left;
    for field in NARROWING.iter().filter(|field| sent.contains(field)) {
        left = narrowed(left, |deployment| deployment.understands(field));
    }
    narrowed(left, |deployment| deployment.max_output_tokens.is_none_or(|most| longest <= most))
}

/// Those for which `holds`, or all when it holds for none.
fn narrowed(all: Vec<Arc<Deployment>>, holds: impl Fn(&Deployment) -> bool) -> Vec<Arc<Deployment>> {
    if all.iter().any(|deployment| holds(deployment)) {
        return all.into_iter().filter(|deployment| holds(deployment)).collect();
    }
    all
}

fn is_parameter(key: &str) -> bool {
    !CONTROL_FIELDS.contains(&key) && !ALWAYS_UNDERSTOOD.contains(&key)
}

fn is_named(slugs: &[Slug], deployment: &Deployment) -> bool {
    slugs.iter().any(|slug| slug.names(deployment))
}

/// Whether the wishes are passed on to be fulfilled there: `OpenRouter` knows its own providers best.
fn asks_on(deployment: &Deployment) -> bool {
    deployment.endpoint.provider.as_str() == "openrouter"
}

/// The lower the earlier. Who was never measured is asked before the others, or nobody would know; an unknown price is
/// above all known ones.
fn badness(sort: SortBy, (deployment, view): &Usable) -> f64 {
    match sort {
        SortBy::Price => deployment.price.map_or(f64::INFINITY, |price| price.input + price.output),
        SortBy::Throughput => view.latency.map_or(f64::NEG_INFINITY, |latency| -throughput(&latency)),
        SortBy::Latency => view.latency.map_or(f64::NEG_INFINITY, |latency| first_token(&latency)),
    }
}

/// Whether it is known to miss a figure that is preferred.
fn is_slow((_, view): &Usable, wants: &Preferences) -> bool {
    view.latency.is_some_and(|latency| {
        wants.min_throughput.is_some_and(|least| throughput(&latency) < least)
            || wants.max_latency.is_some_and(|most| first_token(&latency) > most)
    })
}

/// Completion tokens per second.
fn throughput(latency: &Latency) -> f64 {
    if latency.per_token_ms > 0.0 { 1000.0 / latency.per_token_ms } else { f64::INFINITY }
}

/// Seconds to the first token; to the end of a usual reply where only whole ones were seen, which do not tell.
fn first_token(latency: &Latency) -> f64 {
    let ms = if latency.first_token_ms > 0.0 { latency.first_token_ms } else { latency.expected_ms(latency.tokens) };
    ms / 1000.0
}

/// The place in `order` of the deployment that `session` belongs to: the same on every replica without a word between
/// them, and with those that come and go only their own sessions move (rendezvous hashing, Thaler and Ravishankar).
fn home(session: u64, model: &str, order: &[usize], usable: &[Usable]) -> Option<usize> {
    let draw = |place: &usize| {
        let deployment = &usable[order[*place]].0;
        let weight = deployment.weight.filter(|weight| *weight > 0.0).unwrap_or(1.0);
        weight / -unit(hash(hash(session, model), deployment.id.as_str())).ln()
    };
    (0..order.len()).max_by(|a, b| draw(a).total_cmp(&draw(b)))
}

/// `seed` and `text` as 64 bits, alike on every machine: FNV-1a, mixed by the last step of `SplitMix64`.
pub fn hash(seed: u64, text: &str) -> u64 {
    let hashed = text
        .bytes()
        .fold(seed ^ 0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    let mixed = (hashed ^ (hashed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// `bits` as a number between 0 and 1, neither of them included.
#[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
fn unit(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;

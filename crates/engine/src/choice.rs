//! The way of a request that brings `models`: the one it asks for, then the others, in order or as they are drawn.

use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind, FailureSet};
use weighbridge_domain::plan::{Called, FallbackOn, Plan, StopOptions};
use weighbridge_domain::request::{ModelChoice, ModelTerms, Request};
use weighbridge_domain::table::RoutingTable;

use crate::plan::{may_bring_credentials, primary, unknown_model};

/// The plan for `request` with its `choice`. `roll` yields uniform samples from `[0, 1)`.
///
/// # Errors
/// 404 when one of the models is not configured.
pub(crate) fn plan(
    table: &RoutingTable,
    request: &Request,
    choice: &ModelChoice,
    roll: &mut dyn FnMut() -> f64,
) -> Result<Plan, Failure> {
    let asked = table.find(&choice.asked.model).is_some().then_some(&choice.asked);
    let others = choice.models.iter().filter(|terms| asked.is_none_or(|asked| asked.model != terms.model));
    let others: Vec<_> = if choice.is_weighted { drawn(others.collect(), roll) } else { others.collect() };
    let mut children = Vec::with_capacity(choice.models.len() + 1);
    for terms in asked.into_iter().chain(others) {
        let found = table.find(&terms.model).ok_or_else(|| unknown_model(table, &terms.model))?;
        let mut plan = primary(&found.entry.plan);
        let called = Called { model: terms.model.clone(), captures: found.captures };
        // A client's own key is for the model that it asks for, whoever else is asked.
        let is_asked = asked.is_some_and(|asked| std::ptr::eq(asked, terms));
        let may_bring = is_asked && may_bring_credentials(table, found.entry.group.as_ref());
        let credentials = request.controls.credentials.as_ref().filter(|_| may_bring);
        plan.for_each_stop(&mut |options| {
            options.called = Some(called.clone());
            options.credentials = credentials.cloned();
            set(terms, request, options);
        });
        children.push(plan);
    }
    // A request that is wrong for one is wrong for all.
    let on = FailureSet::all().without(FailureKind::BadRequest);
    Ok(Plan::Fallback { on: FallbackOn::Kinds(on), children })
}

/// `models` as they are drawn by weight, one after the other without putting back.
fn drawn<'a>(mut models: Vec<&'a ModelTerms>, roll: &mut dyn FnMut() -> f64) -> Vec<&'a ModelTerms> {
    models.retain(|terms| terms.weight > 0.0);
    let mut drawn = Vec::with_capacity(models.len());
    while !models.is_empty() {
        let mut at = roll() * models.iter().map(|terms| terms.weight).sum::<f64>();
        let place = models.iter().position(|terms| {
            at -= terms.weight;
            at < 0.0
        });
        // Sums are rounded: what is drawn beyond the last is the last.
        drawn.push(models.remove(place.unwrap_or(models.len() - 1)));
    }
    drawn
}

/// Gives a stop a model's terms.
fn set(terms: &ModelTerms, request: &Request, options: &mut StopOptions) {
    options.retries = terms.attempts.map(|attempts| attempts.saturating_sub(1)).or(options.retries);
    options.timeout = terms.timeout.or(options.timeout);
    options.backoff = terms.backoff.or(options.backoff);
    if let Some(messages) = terms.messages.as_deref().and_then(|before| joined(before, request)) {
        options.overrides.push(("messages".to_owned(), messages));
    }
}

/// Messages before the request's own.
fn joined(before: &[Box<RawValue>], request: &Request) -> Option<Box<RawValue>> {
    let own = request.payload.json().and_then(|body| body.raw("messages")).unwrap_or("[]");
    let own = own.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let all: Vec<&str> = before.iter().map(|one| one.get()).chain(Some(own).filter(|own| !own.is_empty())).collect();
    RawValue::from_string(format!("[{}]", all.join(","))).ok()
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::request::ModelTerms;

    use super::drawn;

    fn models(weights: &[f64]) -> Vec<ModelTerms> {
        let terms = |(i, weight): (usize, &f64)| ModelTerms {
            model: i.to_string(),
            weight: *weight,
            attempts: None,
            timeout: None,
            backoff: None,
            messages: None,
        };
        weights.iter().enumerate().map(terms).collect()
    }

    #[test]
    fn models_are_drawn_by_weight_and_once() {
        let models = models(&[0.4, 0.0, 0.4, 0.2]);
        let all = || models.iter().collect::<Vec<_>>();
        let order = |samples: [f64; 3]| {
            let mut samples = samples.into_iter();
            let order = drawn(all(), &mut || samples.next().unwrap());
            order.iter().map(|terms| terms.model.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order([0.0, 0.0, 0.0]), "0 2 3");
        assert_eq!(order([0.5, 0.0, 0.0]), "2 0 3");
        assert_eq!(order([0.9, 0.6, 0.0]), "3 2 0", "of those that are left each has its part");
        assert_eq!(order([1.0, 1.0, 1.0]), "3 2 0", "what is drawn beyond the last is the last");
    }
}

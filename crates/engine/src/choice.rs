//! The way of a request that brings `models`: the one it asks for, then the others, in order or as they are drawn.

use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind, FailureSet};
use weighbridge_domain::plan::{Called, FallbackOn, Plan, StopOptions};
use weighbridge_domain::request::{ModelChoice, ModelTerms, Request};
use weighbridge_domain::table::RoutingTable;

use crate::plan::{may_bring_credentials, primary, unknown_model};
use crate::pool;

/// The failures after which the default is asked: nobody was, at the last of the models.
const NOBODY_ASKED: [FailureKind; 3] = [FailureKind::AtLimit, FailureKind::AllCooling, FailureKind::NoCandidate];

/// The plan for `request` with its `choice`. `roll` yields uniform samples from `[0, 1)`.
///
/// # Errors
/// 404 when one of the models is not configured; with a default, when that is not.
pub(crate) fn plan(
    table: &RoutingTable,
    request: &Request,
    choice: &ModelChoice,
    roll: &mut dyn FnMut() -> f64,
) -> Result<Plan, Failure> {
    let is_known = |terms: &&ModelTerms| table.find(&terms.model).is_some();
    let asked = choice.asked.as_ref().filter(is_known);
    let others = choice.models.iter().filter(|terms| asked.is_none_or(|asked| asked.model != terms.model));
    // With a default behind them, those that nobody has are passed over.
    let others = others.filter(|terms| choice.default.is_none() || is_known(terms));
    let others: Vec<_> = if choice.is_weighted { drawn(others.collect(), roll) } else { others.collect() };
    let models: Vec<_> = asked.into_iter().chain(others).collect();
    let first = match pool::of(table, request, &models) {
        Some(pool) if !choice.is_weighted => Some(pool),
        _ => one_by_one(table, request, choice, &models)?,
    };
    let Some(default) = &choice.default else {
        return first.ok_or_else(|| unknown_model(table, &request.model));
    };
    let last = one(table, request, default, None)?;
    let on = FallbackOn::Kinds(FailureSet::of(&NOBODY_ASKED));
    Ok(match first {
        Some(first) => Plan::Fallback { on, children: vec![first, last] },
        None => last,
    })
}

/// `models` one after the other; `None` when there are none.
fn one_by_one(
    table: &RoutingTable,
    request: &Request,
    choice: &ModelChoice,
    models: &[&ModelTerms],
) -> Result<Option<Plan>, Failure> {
    if let ([only], true) = (models, choice.models.is_empty()) {
        // Nobody named another model, so its own fallbacks stand.
        let found = table.find(&only.model).ok_or_else(|| unknown_model(table, &only.model))?;
        return one(table, request, only, Some(found.entry.plan.as_ref().clone())).map(Some);
    }
    let children: Vec<Plan> = models.iter().map(|terms| one(table, request, terms, None)).collect::<Result<_, _>>()?;
    // A request that is wrong for one is wrong for all.
    let on = FallbackOn::Kinds(FailureSet::all().without(FailureKind::BadRequest));
    Ok((!children.is_empty()).then_some(Plan::Fallback { on, children }))
}

/// One model by its terms: by `plan`, else without its fallbacks.
fn one(table: &RoutingTable, request: &Request, terms: &ModelTerms, plan: Option<Plan>) -> Result<Plan, Failure> {
    let found = table.find(&terms.model).ok_or_else(|| unknown_model(table, &terms.model))?;
    let has_fallbacks = plan.is_some();
    let mut plan = plan.unwrap_or_else(|| primary(&found.entry.plan));
    let called = Called { model: terms.model.clone(), captures: found.captures };
    // A client's own key is for the model that it asks for, whoever else is asked.
    let may_bring = terms.model == request.model && may_bring_credentials(table, found.entry.group.as_ref());
    let credentials = request.controls.credentials.as_ref().filter(|_| may_bring);
    plan.for_each_stop(&mut |options| {
        // What its fallbacks are called is for them to say.
        options.called = (!has_fallbacks).then(|| called.clone()).or(options.called.take());
        options.credentials = credentials.cloned();
        set(terms, request, options);
    });
    Ok(plan)
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

//! A route over `models`: in order or by weight, each with attempts, a timeout, pauses and messages of its own.

use std::time::Duration;

use serde_json::Value;
use weighbridge_domain::request::{ModelChoice, ModelTerms};
use weighbridge_domain::table::Pattern;

use crate::json;
use crate::reader::{Field, Section};
use crate::sections::routes::Names;
use crate::suggest;

/// What such a route may say.
const KEYS: &[&str] = &["name", "models", "max_retries", "timeout", "backoff", "model_messages", "default"];

/// The choice that `route` leaves among its `models`; `None` with a problem where it cannot be used.
pub(crate) fn read(route: &Section<'_>, models: &Field<'_>, names: &Names<'_>) -> Option<ModelChoice> {
    route.only(KEYS);
    let (models, is_weighted) = listed(models, names)?;
    let default = match route.get("default") {
        Some(field) => Some(known(field.text()?, &field, names)?),
        None => None,
    };
    let among: Vec<&str> = models.iter().map(|(name, _)| name.as_str()).chain(default.as_deref()).collect();
    let attempts = Terms::read(route, "max_retries", &among, |field| {
        let count = field.count()?;
        above_zero(field, count > 0, "it counts attempts, the first included").then_some(count)
    });
    let timeouts = Terms::read(route, "timeout", &among, |field| {
        let seconds = field.number()?;
        above_zero(field, seconds > 0.0, "write seconds").then(|| Duration::from_secs_f64(seconds.min(86_400.0)))
    });
    let backoff = Terms::read(route, "backoff", &among, |field| {
        let base = field.number()?;
        above_zero(field, base > 0.0, "pauses are this to the power of the failures, in seconds").then_some(base)
    });
    let messages = Terms::read(route, "model_messages", &among, |field| match json::value(field) {
        Value::Array(items) => items.iter().map(json::to_raw).collect(),
        _ => {
            field.error(format!("{} stands where a list of messages is meant", field.shown()), "write them by model");
            None
        }
    });
    if let (Some(_), Some(field)) = (&messages.all, route.get("model_messages")) {
        field.error("the messages are of no model", "write { model: [{ role: system, content: … }] }");
    }
    let terms = |name: &str, weight: f64| ModelTerms {
        model: name.to_owned(),
        weight,
        attempts: attempts.of(name),
        timeout: timeouts.of(name),
        backoff: backoff.of(name),
        messages: messages.by_model(name),
    };
    let default = default.as_deref().map(|name| terms(name, 1.0));
    let models = models.iter().map(|(name, weight)| terms(name, *weight)).collect();
    Some(ModelChoice { asked: None, models, is_weighted, default })
}

/// The models with their weights, each once, and whether they have weights.
fn listed(field: &Field<'_>, names: &Names<'_>) -> Option<(Vec<(String, f64)>, bool)> {
    let mut models: Vec<(String, f64)> = Vec::new();
    let is_weighted = field.as_section().is_some();
    if let Some(section) = field.as_section() {
        for (name, weight) in section.fields() {
            models.push((known(name.to_owned(), &weight, names)?, weight.number()?));
        }
    } else {
        for item in field.items().unwrap_or_default() {
            let name = known(item.text()?, &item, names)?;
            if !models.iter().any(|(other, _)| *other == name) {
                models.push((name, 1.0));
            }
        }
    }
    if models.iter().all(|(_, weight)| *weight == 0.0) {
        field.error("no model may be chosen", "write models: [name, …], or { name: weight, … } with a weight above 0");
        return None;
    }
    Some((models, is_weighted))
}

/// `name`, when something is configured under it.
fn known(name: String, field: &Field<'_>, names: &Names<'_>) -> Option<String> {
    let is_model = |known: &str| known == name || Pattern::new(known).captures(&name).is_some();
    let is_deployment = names.deployments.iter().chain(names.left_out).any(|id| id.as_str() == name);
    if is_deployment || names.groups.iter().any(|(known, _)| is_model(known)) {
        return Some(name);
    }
    let hint = suggest::did_you_mean(&name, names.groups.iter().map(|(known, _)| known.as_str()));
    field.error(format!("there is no model group {name:?}"), hint);
    None
}

fn above_zero(field: &Field<'_>, is_above: bool, hint: &str) -> bool {
    if !is_above {
        field.error(format!("{} is not above 0", field.shown()), hint);
    }
    is_above
}

/// Something that is said of all models, or of some by name.
struct Terms<T> {
    all: Option<T>,
    by_model: Vec<(String, T)>,
}

impl<T: Clone> Terms<T> {
    fn read(route: &Section<'_>, key: &str, among: &[&str], read: impl Fn(&Field<'_>) -> Option<T>) -> Self {
        let Some(field) = route.get(key) else { return Self { all: None, by_model: Vec::new() } };
        let Some(section) = field.as_section() else { return Self { all: read(&field), by_model: Vec::new() } };
        let mut by_model = Vec::new();
        for (name, field) in section.fields() {
            if !among.contains(&name) {
                let hint = suggest::did_you_mean(name, among.iter().copied());
                field.error(format!("{name:?} is not among `models`"), hint);
            } else if let Some(value) = read(&field) {
                by_model.push((name.to_owned(), value));
            }
        }
        Self { all: None, by_model }
    }

    fn of(&self, model: &str) -> Option<T> {
        self.by_model(model).or_else(|| self.all.clone())
    }

    fn by_model(&self, model: &str) -> Option<T> {
        self.by_model.iter().find(|(name, _)| name == model).map(|(_, value)| value.clone())
    }
}

//! `models` and what goes with it: further models of a request, in order or by weight, each with terms of its own.

use std::collections::HashMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::{ModelChoice, ModelTerms};

use crate::controls::wrong;
use crate::refusal::Refusal;

/// The most models of one request.
const MOST: usize = 64;
/// The longest that one attempt may be given, in seconds.
const LONGEST: f64 = 86_400.0;

/// What a request for `model` says of further models; `None` when it has neither `models` nor a `default`.
///
/// # Errors
/// 400 with the field that cannot be used, or that names a model which is not among them.
pub(crate) fn read(body: &JsonObject, model: &str) -> Result<Option<ModelChoice>, Refusal> {
    let default = body.get::<String>("default").map_err(|_| wrong("default", "the name of a model"))?;
    let Names { models, is_weighted } = match (names(body)?, &default) {
        (Some(names), _) => names,
        (None, Some(_)) => Names { models: Vec::new(), is_weighted: false },
        (None, None) => return Ok(None),
    };
    let known =
        |name: &str| name == model || default.as_deref() == Some(name) || models.iter().any(|(known, _)| known == name);
    let attempts: Terms<u32> =
        Terms::read(body, "max_retries", "a whole number of attempts above 0", known, |n| *n > 0)?;
    let timeouts: Terms<f64> =
        Terms::read(body, "timeout", "a number of seconds above 0", known, |n| *n > 0.0 && *n <= LONGEST)?;
    let backoff: Terms<f64> = Terms::read(body, "backoff", "a number above 0", known, |n| *n > 0.0 && *n <= LONGEST)?;
    let lists = "a list of messages for each model";
    let mut messages: Terms<Vec<Box<RawValue>>> = Terms::read(body, "model_messages", lists, known, |_| true)?;
    // One list for all would be a prompt of the request's own.
    if messages.all.take().is_some() {
        return Err(wrong("model_messages", lists));
    }
    let terms = |name: &str, weight: f64| ModelTerms {
        model: name.to_owned(),
        weight,
        attempts: attempts.of(name),
        timeout: timeouts.of(name).map(Duration::from_secs_f64),
        backoff: backoff.of(name),
        messages: messages.of(name),
    };
    let models = models.iter().map(|(name, weight)| terms(name, *weight)).collect();
    let default = default.as_deref().map(|name| terms(name, 1.0));
    Ok(Some(ModelChoice { asked: Some(terms(model, 1.0)), models, is_weighted, default }))
}

/// What `models` says.
struct Names {
    /// With their weights; 1 where there are none.
    models: Vec<(String, f64)>,
    is_weighted: bool,
}

fn names(body: &JsonObject) -> Result<Option<Names>, Refusal> {
    let expected = "a list of models, or an object of models and their weights";
    let Some(raw) = body.raw("models").filter(|raw| *raw != "null") else { return Ok(None) };
    if raw.starts_with('[') {
        let names: Vec<String> = body.get("models").map_err(|_| wrong("models", expected))?.unwrap_or_default();
        let mut once: Vec<(String, f64)> = Vec::with_capacity(names.len());
        for name in names {
            if !once.iter().any(|(known, _)| *known == name) {
                once.push((name, 1.0));
            }
        }
        return counted(once, false);
    }
    let weights = JsonObject::parse(raw.to_owned().into()).map_err(|_| wrong("models", expected))?;
    let weight = |name: &str| weights.get::<f64>(name).ok().flatten().filter(|weight| *weight >= 0.0);
    let names = weights.keys().map(|name| Some((name.to_owned(), weight(name)?)));
    let names: Option<Vec<_>> = names.collect();
    let names = names.ok_or_else(|| Refusal::bad("models", "The weights in `models` must be numbers from 0 up."))?;
    if names.iter().all(|(_, weight)| *weight == 0.0) {
        return Err(Refusal::bad("models", "Every weight in `models` is 0: no model may be chosen."));
    }
    counted(names, true)
}

fn counted(models: Vec<(String, f64)>, is_weighted: bool) -> Result<Option<Names>, Refusal> {
    match models.len() {
        0 => Ok(None),
        1..=MOST => Ok(Some(Names { models, is_weighted })),
        _ => Err(Refusal::bad("models", format!("`models` may name at most {MOST} models."))),
    }
}

/// Something that is said of all models, or of some by name.
struct Terms<T> {
    all: Option<T>,
    by_model: HashMap<String, T>,
}

impl<T: DeserializeOwned + Clone> Terms<T> {
    fn read(
        body: &JsonObject,
        field: &'static str,
        expected: &str,
        known: impl Fn(&str) -> bool,
        is_right: impl Fn(&T) -> bool,
    ) -> Result<Self, Refusal> {
        let wrong = || wrong(field, &format!("{expected}, or an object of such by model"));
        let raw = body.raw(field).unwrap_or("null");
        let (all, by_model): (Option<T>, HashMap<String, T>) = if raw.starts_with('{') {
            (None, body.get(field).map_err(|_| wrong())?.unwrap_or_default())
        } else {
            (body.get(field).map_err(|_| wrong())?, HashMap::new())
        };
        if let Some(stranger) = by_model.keys().find(|name| !known(name)) {
            return Err(Refusal::bad(field, format!("`{field}` names `{stranger}`, which is not among `models`.")));
        }
        if all.iter().chain(by_model.values()).all(is_right) { Ok(Self { all, by_model }) } else { Err(wrong()) }
    }

    fn of(&self, model: &str) -> Option<T> {
        self.by_model.get(model).or(self.all.as_ref()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weighbridge_domain::json::JsonObject;

    use super::read;

    fn check(body: &str) -> Result<String, String> {
        let body = JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let choice = read(&body, "a").map_err(|refusal| refusal.message().to_owned())?;
        let Some(choice) = choice else { return Ok("none".to_owned()) };
        let shown = choice.models.iter().map(|terms| {
            let messages = terms.messages.as_ref().map_or(String::new(), |list| format!("{list:?}"));
            let weight = if choice.is_weighted { format!("*{}", terms.weight) } else { String::new() };
            format!("{}{weight} {:?} {:?} {:?} {messages}", terms.model, terms.attempts, terms.timeout, terms.backoff)
        });
        let default = choice.default.iter().map(|terms| format!("default {} {:?}", terms.model, terms.attempts));
        Ok(shown.chain(default).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn terms_are_of_all_or_of_each() {
        assert_eq!(check("{}").unwrap(), "none");
        assert_eq!(check(r#"{"models":[]}"#).unwrap(), "none");
        assert_eq!(
            check(
                r#"{"models":["a","b","a"],"max_retries":{"b":3},"timeout":5,"backoff":{"a":0.5},
                    "model_messages":{"b":[{"role":"system","content":"x"}]}}"#
            )
            .unwrap(),
            r#"a None Some(5s) Some(0.5) ; b Some(3) Some(5s) None [RawValue({"role":"system","content":"x"})]"#
        );
        assert_eq!(check(r#"{"models":{"a":0.4,"b":0}}"#).unwrap(), "a*0.4 None None None ; b*0 None None None ");
        assert_eq!(
            check(r#"{"models":["b"],"default":"d","max_retries":{"d":2}}"#).unwrap(),
            "b None None None ; default d Some(2)"
        );
        assert_eq!(check(r#"{"default":"d"}"#).unwrap(), "default d None");
        // The model that is asked for need not be among them to have terms.
        assert_eq!(check(r#"{"models":["b"],"max_retries":{"a":2}}"#).unwrap(), "b None None None ");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, said) in [
            (r#"{"models":"a"}"#, "`models` must be a list of models, or an object"),
            (r#"{"models":[1]}"#, "`models` must be a list of models, or an object"),
            (r#"{"models":{"a":"x"}}"#, "weights in `models` must be numbers"),
            (r#"{"models":{"a":-1}}"#, "weights in `models` must be numbers"),
            (r#"{"models":{"a":0}}"#, "Every weight in `models` is 0"),
            (r#"{"models":["a"],"max_retries":0}"#, "`max_retries` must be a whole number of attempts above 0"),
            (r#"{"models":["a"],"timeout":{"c":1}}"#, "`timeout` names `c`, which is not among `models`."),
            (r#"{"models":["a"],"default":0}"#, "`default` must be the name of a model"),
            (r#"{"models":["a"],"backoff":-1}"#, "`backoff` must be a number above 0"),
            (r#"{"models":["a"],"model_messages":[]}"#, "`model_messages` must be a list of messages for each model"),
            (
                r#"{"models":["a"],"model_messages":{"a":{}}}"#,
                "`model_messages` must be a list of messages for each model",
            ),
        ] {
            let refused = check(body).unwrap_err();
            assert!(refused.contains(said), "{body}: {refused}");
        }
    }
}

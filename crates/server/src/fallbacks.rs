//! The fallbacks a request brings along, in the shapes that clients write them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::plan::Credentials;
use weighbridge_domain::request::{CONTROL_FIELDS, ClientFallback};
use weighbridge_domain::secret::Secret;

use crate::refusal::Refusal;

/// A model or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

/// `{model: [others]}`, alone or in a list of such.
#[derive(Deserialize)]
#[serde(untagged)]
enum ByModel {
    Map(HashMap<String, Names>),
    List(Vec<HashMap<String, Names>>),
    Plain(Vec<String>),
}

impl Names {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Several(names) => names,
        }
    }
}

/// The models that `field` of `body` names for `model`, or for `*`; `None` when it names none.
///
/// # Errors
/// 400 when it is neither a map by model nor a list of names.
pub(crate) fn by_model(body: &JsonObject, field: &'static str, model: &str) -> Result<Option<Vec<String>>, Refusal> {
    let wrong = |_| {
        Refusal::bad(field, format!("`{field}` must map models to lists of models: [{{\"{model}\": [\"other\"]}}]."))
    };
    let maps = match body.get::<ByModel>(field).map_err(wrong)? {
        None => return Ok(None),
        Some(ByModel::Plain(names)) if names.is_empty() => return Ok(None),
        Some(ByModel::Plain(names)) => return Ok(Some(names)),
        Some(ByModel::Map(map)) => vec![map],
        Some(ByModel::List(maps)) => maps,
    };
    Ok(named(maps, model))
}

/// `fallbacks`: names, or objects that name a model and what else differs.
///
/// # Errors
/// 400 when it is something else.
pub(crate) fn read(body: &JsonObject, model: &str) -> Result<Option<Vec<ClientFallback>>, Refusal> {
    let wrong = || Refusal::bad("fallbacks", "`fallbacks` must be a list of models, or of objects with a `model`.");
    let Some(items) = body.get::<Vec<Box<RawValue>>>("fallbacks").map_err(|_| wrong())? else { return Ok(None) };
    let mut fallbacks = Vec::with_capacity(items.len());
    for item in &items {
        if let Ok(name) = serde_json::from_str::<String>(item.get()) {
            fallbacks.push(ClientFallback { model: Some(name), ..ClientFallback::default() });
            continue;
        }
        let fields = JsonObject::parse(item.get().to_owned().into()).map_err(|_| wrong())?;
        match group_list(&fields, item, model) {
            Some(names) => fallbacks.extend(
                names.into_iter().map(|name| ClientFallback { model: Some(name), ..ClientFallback::default() }),
            ),
            None => fallbacks.push(one(&fields).ok_or_else(wrong)?),
        }
    }
    Ok(Some(fallbacks))
}

/// The names for `model` when `item` is written as in the configuration, `{model: [others]}`.
fn group_list(fields: &JsonObject, item: &RawValue, model: &str) -> Option<Vec<String>> {
    let is_request = fields.has("model") || fields.has("messages") || fields.has("api_key") || fields.has("api_base");
    if is_request {
        return None;
    }
    let map: HashMap<String, Vec<String>> = serde_json::from_str(item.get()).ok()?;
    let map = map.into_iter().map(|(model, names)| (model, Names::Several(names))).collect();
    Some(named(vec![map], model).unwrap_or_default())
}

/// One fallback with fields of its own; `None` when a field is of the wrong type.
fn one(fields: &JsonObject) -> Option<ClientFallback> {
    let model = fields.get("model").ok()?;
    let credentials = credentials(fields).ok()?;
    let is_override = |key: &&str| *key != "model" && !CONTROL_FIELDS.contains(key);
    let mut overrides = Vec::new();
    for key in fields.keys().filter(is_override) {
        overrides.push((key.to_owned(), RawValue::from_string(fields.raw(key)?.to_owned()).ok()?));
    }
    Some(ClientFallback { model, credentials, overrides })
}

/// `api_key` and `api_base` (or `base_url`), when at least one is there.
///
/// # Errors
/// 400 when one is not text.
pub(crate) fn credentials(fields: &JsonObject) -> Result<Option<Credentials>, Refusal> {
    let text = |field: &'static str| {
        let wrong = |_| Refusal::bad(field, format!("`{field}` must be a string."));
        fields.get::<String>(field).map_err(wrong)
    };
    let api_key = text("api_key")?.map(Secret::new);
    let api_base = text("api_base")?.or(text("base_url")?);
    Ok((api_key.is_some() || api_base.is_some()).then_some(Credentials { api_key, api_base }))
}

/// The names for `model` in the first map that has it, else those for `*`.
fn named(mut maps: Vec<HashMap<String, Names>>, model: &str) -> Option<Vec<String>> {
    let mut of = |key: &str| maps.iter_mut().find_map(|map| map.remove(key));
    of(model).or_else(|| of("*")).map(Names::into_vec)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weighbridge_domain::json::JsonObject;

    use super::{by_model, read};

    fn body(text: &str) -> JsonObject {
        JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn check(fallbacks: &str) -> String {
        match read(&body(&format!(r#"{{"fallbacks":{fallbacks}}}"#)), "gpt") {
            Ok(None) => "none".to_owned(),
            Ok(Some(fallbacks)) => {
                let shown = fallbacks.iter().map(|fallback| {
                    let overrides: Vec<String> =
                        fallback.overrides.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    let model = fallback.model.as_deref().unwrap_or("same");
                    let key = fallback.credentials.as_ref().map_or("", |_| "+key");
                    format!(
                        "{model}{key}{}",
                        if overrides.is_empty() { String::new() } else { format!("({})", overrides.join(" ")) }
                    )
                });
                shown.collect::<Vec<_>>().join(", ")
            }
            Err(refusal) => format!("{} {:?}", refusal.status().as_u16(), refusal.param()),
        }
    }

    #[test]
    fn fallbacks_in_every_shape() {
        assert_eq!(check("null"), "none");
        assert_eq!(check("[]"), "");
        assert_eq!(check(r#"["a","b"]"#), "a, b");
        assert_eq!(
            check(r#"["a",{"model":"b","api_key":"k","temperature":0,"timeout":3}]"#),
            "a, b+key(temperature=0)"
        );
        assert_eq!(check(r#"[{"model":"b","messages":[{"role":"user"}]}]"#), r#"b(messages=[{"role":"user"}])"#);
        assert_eq!(check(r#"[{"api_base":"http://x"}]"#), "same+key");
        assert_eq!(check(r#"[{"other":["x"]},{"gpt":["a","b"]}]"#), "a, b");
        assert_eq!(check(r#"[{"*":["a"]}]"#), "a");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [r#""a""#, "[1]", "[[]]", r#"{"a":"b"}"#, r#"[{"model":1}]"#, r#"[{"model":"a","api_key":1}]"#] {
            assert_eq!(check(bad), "400 Some(\"fallbacks\")", "{bad}");
        }
    }

    #[test]
    fn lists_by_model() {
        let check = |value: &str| match by_model(&body(&format!(r#"{{"f":{value}}}"#)), "f", "gpt") {
            Ok(names) => names.map_or_else(|| "none".to_owned(), |names| names.join(", ")),
            Err(refusal) => format!("{} {:?}", refusal.status().as_u16(), refusal.param()),
        };
        assert_eq!(check("null"), "none");
        assert_eq!(check("[]"), "none");
        assert_eq!(check(r#"["a"]"#), "a");
        assert_eq!(check(r#"[{"x":["y"]},{"gpt":["a","b"]}]"#), "a, b");
        assert_eq!(check(r#"{"gpt":["a"]}"#), "a");
        assert_eq!(check(r#"{"gpt":"a"}"#), "a");
        assert_eq!(check(r#"{"x":["y"]}"#), "none");
        assert_eq!(check(r#"[{"*":["z"]},{"gpt":["a"]}]"#), "a");
        for bad in ["1", r#""a""#, r#"{"gpt":1}"#, "[1]"] {
            assert_eq!(check(bad), "400 Some(\"f\")", "{bad}");
        }
    }
}

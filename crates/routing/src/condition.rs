//! Whether a condition holds for a request, as Portkey's gateway has it.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::plan::{Condition, FactKey, Test};

/// What a plan may look at: fixed when the request arrives.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The request's metadata, a JSON object.
    pub metadata: Option<&'a RawValue>,
    /// The request's body.
    pub body: Option<&'a JsonObject>,
    /// The path of the URL.
    pub path: &'a str,
    /// Headers of the client that a plan may look at, by their names in lower case.
    pub headers: &'a [(String, String)],
}

/// Whether `condition` holds.
pub fn holds(condition: &Condition, facts: &Facts<'_>) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds(part, facts)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, facts)),
        Condition::Test { fact, test } => passes(lookup(fact, facts).as_ref(), test),
    }
}

/// What a request says at `key`; `None` when it says nothing there.
pub fn lookup(key: &FactKey, facts: &Facts<'_>) -> Option<Value> {
    match key {
        FactKey::Metadata(names) => {
            let (first, inner) = names.split_first()?;
            let mut metadata: serde_json::Map<String, Value> = serde_json::from_str(facts.metadata?.get()).ok()?;
            inside(metadata.remove(first)?, inner)
        }
        FactKey::Param(names) => {
            let (first, inner) = names.split_first()?;
            inside(serde_json::from_str(facts.body?.raw(first)?).ok()?, inner)
        }
        FactKey::Header(name) => {
            facts.headers.iter().find(|(known, _)| known == name).map(|(_, value)| Value::from(value.as_str()))
        }
        FactKey::Path => Some(Value::from(facts.path)),
    }
}

fn inside(value: Value, names: &[String]) -> Option<Value> {
    names.iter().try_fold(value, |mut value, name| value.get_mut(name).map(Value::take))
}

/// A missing fact fails every test but the negative ones.
fn passes(fact: Option<&Value>, test: &Test) -> bool {
    match test {
        Test::Equal(value) => fact.is_some_and(|fact| equal(fact, value)),
        Test::NotEqual(value) => !fact.is_some_and(|fact| equal(fact, value)),
        Test::In(values) => fact.is_some_and(|fact| values.iter().any(|value| equal(fact, value))),
        Test::NotIn(values) => !fact.is_some_and(|fact| values.iter().any(|value| equal(fact, value))),
        Test::Greater(bound) => number(fact).is_some_and(|number| number > *bound),
        Test::AtLeast(bound) => number(fact).is_some_and(|number| number >= *bound),
        Test::Less(bound) => number(fact).is_some_and(|number| number < *bound),
        Test::AtMost(bound) => number(fact).is_some_and(|number| number <= *bound),
        Test::Matches(pattern) => fact.is_some_and(|fact| pattern.is_match(&text(fact))),
    }
}

/// Strictly equal; 1 and 1.0 are the same number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
        _ => a == b,
    }
}

/// The number a fact begins with, as JavaScript's `parseFloat` reads it.
fn number(fact: Option<&Value>) -> Option<f64> {
    match fact? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let text = text.trim_start();
            let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(text.len());
            (0..=end).rev().find_map(|end| text.get(..end)?.parse().ok())
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(fact: &Value) -> Cow<'_, str> {
    match fact {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use regex::Regex;
    use serde_json::json;
    use serde_json::value::RawValue;
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::plan::{Condition, FactKey, Test};

    use super::{Facts, holds};

    fn check(key: &str, test: Test) -> bool {
        let metadata = RawValue::from_string(r#"{"tier":"paid","age":"21.5 years"}"#.to_owned()).unwrap();
        let body = JsonObject::parse(Bytes::from_static(br#"{"max_tokens":100,"model":"gpt"}"#)).unwrap();
        let facts = Facts { metadata: Some(&metadata), body: Some(&body), path: "/chat/completions", headers: &[] };
        let fact = match key.split_once('.') {
            Some(("metadata", name)) => FactKey::Metadata(vec![name.to_owned()]),
            Some(("params", name)) => FactKey::Param(vec![name.to_owned()]),
            _ => FactKey::Path,
        };
        holds(&Condition::Test { fact, test }, &facts)
    }

    #[test]
    fn operators() {
        assert!(check("metadata.tier", Test::Equal(json!("paid"))));
        assert!(!check("params.max_tokens", Test::Equal(json!("100"))), "no coercion");
        assert!(check("params.max_tokens", Test::Equal(json!(100.0))));
        assert!(check("metadata.age", Test::Greater(21.0)), "parseFloat");
        assert!(!check("metadata.tier", Test::Less(1e9)), "not a number");
        assert!(
            check("metadata.none", Test::NotEqual(json!(1))) && check("metadata.none", Test::NotIn(vec![json!(1)]))
        );
        assert!(!check("metadata.none", Test::Equal(json!(null))));
        assert!(check("params.model", Test::Matches(Regex::new("^g").unwrap())));
        assert!(check("url", Test::In(vec![json!("/chat/completions")])));
        assert!(check("params.max_tokens", Test::AtMost(100.0)) && check("params.max_tokens", Test::AtLeast(100.0)));
    }
}

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
}

/// Whether `condition` holds.
pub fn holds(condition: &Condition, facts: &Facts<'_>) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds(part, facts)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, facts)),
        Condition::Test { fact, test } => passes(lookup(fact, facts).as_ref(), test),
    }
}

fn lookup(key: &FactKey, facts: &Facts<'_>) -> Option<Value> {
    match key {
        FactKey::Metadata(name) => {
            let mut metadata: serde_json::Map<String, Value> = serde_json::from_str(facts.metadata?.get()).ok()?;
            metadata.remove(name)
        }
        FactKey::Param(name) => serde_json::from_str(facts.body?.raw(name)?).ok(),
        FactKey::Path => Some(Value::from(facts.path)),
    }
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
        let facts = Facts { metadata: Some(&metadata), body: Some(&body), path: "/chat/completions" };
        let fact = match key.split_once('.') {
            Some(("metadata", name)) => FactKey::Metadata(name.to_owned()),
            Some(("params", name)) => FactKey::Param(name.to_owned()),
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

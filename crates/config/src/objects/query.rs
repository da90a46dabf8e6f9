//! Conditions: `{"metadata.plan": {"$eq": "paid"}, "$or": […]}`.

use regex::Regex;
use serde_json::Value;
use weighbridge_domain::plan::{Condition, FactKey, Test};

use super::at::{At, Problems};

/// The condition of a `query`; all of its members must hold.
pub(super) fn read(query: &At<'_>, problems: &Problems) -> Option<Condition> {
    let members = query.object(problems)?;
    let parts = members.iter().filter_map(|(key, value)| {
        let at = At { value, path: query.path_to(key) };
        match key.as_str() {
            "$and" => Some(Condition::All(list(&at, problems))),
            "$or" => Some(Condition::Any(list(&at, problems))),
            _ => fact(key, &at, problems),
        }
    });
    let mut parts: Vec<_> = parts.collect();
    if parts.len() == 1 { parts.pop() } else { Some(Condition::All(parts)) }
}

fn list(at: &At<'_>, problems: &Problems) -> Vec<Condition> {
    at.items(problems).iter().filter_map(|item| read(item, problems)).collect()
}

/// What one fact must be like: a value that it equals, or operators that all hold.
fn fact(key: &str, at: &At<'_>, problems: &Problems) -> Option<Condition> {
    let names = |rest: &str| rest.split('.').map(str::to_owned).collect();
    let fact = match key.split_once('.') {
        Some(("metadata", name)) => FactKey::Metadata(names(name)),
        Some(("params", name)) => FactKey::Param(names(name)),
        Some(("url", "pathname")) => FactKey::Path,
        _ if key.starts_with('$') => {
            problems.error(&at.path, format!("Unsupported operator used in the query router: {key}"));
            return None;
        }
        _ => {
            problems.error(&at.path, "A condition looks at metadata.<key>, params.<key> or url.pathname");
            return None;
        }
    };
    let Value::Object(operators) = at.value else {
        return Some(Condition::Test { fact, test: Test::Equal(at.value.clone()) });
    };
    let tests = operators.iter().filter_map(|(operator, value)| {
        let at = At { value, path: at.path_to(operator) };
        test(operator, &at, problems).map(|test| Condition::Test { fact: fact.clone(), test })
    });
    let mut tests: Vec<_> = tests.collect();
    if tests.len() == 1 { tests.pop() } else { Some(Condition::All(tests)) }
}

fn test(operator: &str, at: &At<'_>, problems: &Problems) -> Option<Test> {
    let values = || at.value.as_array().cloned().unwrap_or_default();
    // What is no number compares with nothing.
    let number = || match at.value {
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    };
    Some(match operator {
        "$eq" => Test::Equal(at.value.clone()),
        "$ne" => Test::NotEqual(at.value.clone()),
        "$gt" => Test::Greater(number()),
        "$gte" => Test::AtLeast(number()),
        "$lt" => Test::Less(number()),
        "$lte" => Test::AtMost(number()),
        "$in" => Test::In(values()),
        "$nin" => Test::NotIn(values()),
        "$regex" => match Regex::new(at.text(problems)?) {
            Ok(pattern) => Test::Matches(pattern),
            Err(_) => {
                problems
                    .error(&at.path, "Invalid regular expression (look-around and back-references are not known here)");
                return None;
            }
        },
        other => {
            problems.error(&at.path, format!("Unsupported operator used in the query router: {other}"));
            return None;
        }
    })
}

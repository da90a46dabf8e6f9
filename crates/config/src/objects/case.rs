//! Spelling: `customHost` is `custom_host`, before anything is checked.

use serde_json::{Map, Value};

/// What stands below these keys is not ours to rename.
const FOREIGN: &[&str] =
    &["override_params", "default_params", "metadata", "params", "checks", "query", "vertex_service_account_json"];

/// `value` with every key of the dialect in snake case. Where both spellings stand, the snake one counts.
pub(super) fn normalise(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(normalise).collect(),
        Value::Object(members) => {
            let (plain, camel): (Vec<_>, Vec<_>) = members.into_iter().partition(|(key, _)| snake(key) == *key);
            let mut renamed = Map::new();
            for (key, value) in plain.into_iter().chain(camel.into_iter().map(|(key, value)| (snake(&key), value))) {
                let value = if FOREIGN.contains(&key.as_str()) { value } else { normalise(value) };
                renamed.entry(key).or_insert(value);
            }
            Value::Object(renamed)
        }
        other => other,
    }
}

fn snake(key: &str) -> String {
    // `$eq` and the like, and names in capitals, are no camel case.
    if key.starts_with(|c: char| !c.is_ascii_lowercase()) {
        return key.to_owned();
    }
    let mut snake = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::normalise;

    #[test]
    fn keys_are_renamed_but_for_what_is_passed_on() {
        let written = json!({
            "strategy": { "mode": "fallback", "onStatusCodes": [429] },
            "targets": [{ "customHost": "h", "overrideParams": { "maxTokens": 1 }, "custom_host": "wins" }],
            "default_params": { "topK": 1 },
        });
        assert_eq!(
            normalise(written),
            json!({
                "strategy": { "mode": "fallback", "on_status_codes": [429] },
                "targets": [{ "custom_host": "wins", "override_params": { "maxTokens": 1 } }],
                "default_params": { "topK": 1 },
            })
        );
    }
}

//! The least that a JSON schema allows.

use serde_json::{Map, Value, json};

/// How deep schemas are followed, so that one that holds itself ends.
const DEPTH: usize = 16;

/// A small instance of `schema`: objects have their required properties and no more.
pub(crate) fn sample(schema: &Value) -> Value {
    at_depth(schema, schema, DEPTH)
}

fn at_depth(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let below = |schema: &Value| at_depth(root, schema, depth - 1);
    if let Some(pointer) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return root.pointer(pointer).map_or(Value::Null, below);
    }
    if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|name| schema[name].get(0)) {
        return below(first);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    let implied = if schema.get("items").is_some() { "array" } else { "object" };
    match kind.unwrap_or(implied).to_lowercase().as_str() {
        "string" => json!(text(schema)),
        "integer" => json!(schema["minimum"].as_i64().unwrap_or(1)),
        "number" => json!(schema["minimum"].as_f64().unwrap_or(1.5)),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" => {
            let least = schema["minItems"].as_u64().unwrap_or_default().min(16);
            (0..least).map(|_| below(&schema["items"])).collect()
        }
        _ => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let members = required.map(|name| (name.to_owned(), below(&schema["properties"][name])));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn text(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("date") => "2026-01-01".into(),
        Some("date-time") => "2026-01-01T00:00:00Z".into(),
        Some("email") => "load@bridge.invalid".into(),
        Some("uri") => "https://bridge.invalid/".into(),
        _ => {
            let least = usize::try_from(schema["minLength"].as_u64().unwrap_or_default().min(256)).unwrap_or_default();
            "load".chars().cycle().take(least.max(4)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::sample;

    fn check(schema: Value, expected: Value) {
        assert_eq!(sample(&schema), expected, "{schema}");
    }

    #[test]
    fn samples_are_minimal() {
        check(json!({}), json!({}));
        check(json!(true), json!({}));
        check(json!({"type": "STRING"}), json!("load"));
        check(json!({"type": ["integer", "null"], "minimum": 7}), json!(7));
        check(json!({"enum": ["a", "b"]}), json!("a"));
        check(json!({"items": {"type": "null"}, "minItems": 2}), json!([null, null]));
        let object = json!({"type": "object", "required": ["a", "b"], "properties": {
            "a": {"$ref": "#/$defs/a"}, "b": {"anyOf": [{"const": 3}]}, "c": {"type": "string"},
        }, "$defs": {"a": {"type": "boolean"}}});
        check(object, json!({"a": true, "b": 3}));
        let endless = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}});
        assert!(sample(&endless)["a"]["a"]["a"].is_object());
    }
}

//! JSON schemas as structured output on Bedrock takes them: every object closed, and for Claude without bounds.

use crate::json::Json;
use crate::losses::Losses;
use crate::ordered::Fields;

/// What Claude's grammars cannot hold.
const BOUNDS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
];

/// How far down a schema is looked into: further than any that is written by hand.
const DEEPEST: usize = 64;

/// `schema` with every object closed, and without bounds when `drops_bounds`.
pub(super) fn closed(schema: &Json, drops_bounds: bool, losses: &mut Losses) -> Json {
    let mut closer = Closer { drops_bounds, has_dropped: false };
    let closed = closer.schema(schema, DEEPEST);
    if closer.has_dropped {
        losses.note("response_format.json_schema.schema", "has bounds that are not known to this model on Bedrock");
    }
    closed
}

struct Closer {
    drops_bounds: bool,
    has_dropped: bool,
}

impl Closer {
    fn schema(&mut self, schema: &Json, depth: usize) -> Json {
        let Some(mut fields) = Fields::parse(schema.as_str()).filter(|_| depth > 0) else { return schema.clone() };
        let count = fields.0.len();
        if self.drops_bounds {
            fields.0.retain(|(name, _)| !BOUNDS.contains(&name.as_ref()));
        }
        self.has_dropped |= fields.0.len() < count;
        for (name, value) in &mut fields.0 {
            match name.as_ref() {
                "properties" | "$defs" | "definitions" => *value = self.schemas(value, depth - 1),
                "items" => *value = self.schema(value, depth - 1),
                "anyOf" | "allOf" | "oneOf" | "prefixItems" => *value = self.list(value, depth - 1),
                _ => {}
            }
        }
        let is_object = fields.get("type").is_some_and(|kind| kind.as_str().contains("\"object\""));
        if (is_object || fields.get("properties").is_some()) && fields.get("additionalProperties").is_none() {
            fields.put("additionalProperties", Json::of(&false));
        }
        Json::of(&fields)
    }

    fn schemas(&mut self, named: &Json, depth: usize) -> Json {
        let Some(mut fields) = Fields::parse(named.as_str()) else { return named.clone() };
        for (_, schema) in &mut fields.0 {
            *schema = self.schema(schema, depth);
        }
        Json::of(&fields)
    }

    fn list(&mut self, list: &Json, depth: usize) -> Json {
        let Ok(mut schemas) = serde_json::from_str::<Vec<Json>>(list.as_str()) else { return list.clone() };
        for schema in &mut schemas {
            *schema = self.schema(schema, depth);
        }
        Json::of(&schemas)
    }
}

#[cfg(test)]
mod tests {
    use super::closed;
    use crate::json::Json;
    use crate::losses::Losses;

    #[test]
    fn objects_are_closed_wherever_they_stand() {
        let rows = [
            (r#"{"type":"string"}"#, r#"{"type":"string"}"#),
            (
                r#"{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":["object","null"]}}}"#,
                r#"{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":["object","null"],"additionalProperties":false}},"additionalProperties":false}"#,
            ),
            (
                r#"{"anyOf":[{"properties":{}},{"type":"array","items":{"type":"object","additionalProperties":true}}],"$defs":{"x":{"type":"object"}}}"#,
                r#"{"anyOf":[{"properties":{},"additionalProperties":false},{"type":"array","items":{"type":"object","additionalProperties":true}}],"$defs":{"x":{"type":"object","additionalProperties":false}}}"#,
            ),
            // A property may be called like a bound.
            (
                r#"{"type":"object","properties":{"maximum":{"type":"number","maximum":3,"enum":[1.0]}},"additionalProperties":false}"#,
                r#"{"type":"object","properties":{"maximum":{"type":"number","enum":[1.0]}},"additionalProperties":false}"#,
            ),
            ("true", "true"),
        ];
        for (schema, expected) in rows {
            let mut losses = Losses::default();
            let schema = Json::parse(schema).unwrap();
            assert_eq!(closed(&schema, true, &mut losses).as_str(), expected);
            assert_eq!(losses.is_empty(), !schema.as_str().contains("\"maximum\":3"));
        }
    }
}

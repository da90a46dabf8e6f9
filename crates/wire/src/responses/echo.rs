//! What a response repeats of its request.

use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::json::Json;

/// The fields that are repeated, and what they are where the request does not say.
const FIELDS: &[(&str, &str)] = &[
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", "\"default\""),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
];

/// What is so of every response here, whatever was asked.
const FIXED: &[(&str, &str)] = &[("background", "false"), ("previous_response_id", "null"), ("store", "false")];

/// The fields of a request that its response repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Echo(Vec<(&'static str, Json)>);

impl Echo {
    /// What is repeated of the request `body`. What it does not say is the API's default.
    pub fn of(body: &[u8]) -> Self {
        let asked: HashMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
        let value = |name: &str, usual: &str| {
            let asked = asked.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null");
            Json::parse(asked.unwrap_or(usual)).unwrap_or_else(Json::empty_object)
        };
        let fixed = FIXED.iter().map(|(name, text)| (*name, Json::parse(text).unwrap_or_else(Json::empty_object)));
        Self(FIELDS.iter().map(|(name, usual)| (*name, value(name, usual))).chain(fixed).collect())
    }
}

impl Default for Echo {
    /// Of a request that says nothing.
    fn default() -> Self {
        Self::of(b"{}")
    }
}

impl Serialize for Echo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

//! JSON objects whose fields keep their order and their numbers.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chat::Chat;
use crate::json::Json;
use crate::losses::Losses;

/// `OpenAI`'s housekeeping, of which a reply does not depend.
const HOUSEKEEPING: &[&str] =
    &["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "stream_options", "user"];

/// The fields of an object, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, Json)>);

impl<'a> Fields<'a> {
    /// The fields of `json`, when it is an object.
    pub(crate) fn parse(json: &str) -> Option<Fields<'static>> {
        serde_json::from_str(json).ok()
    }

    /// The fields among `chat.extra` that `native` names. The others are noted as not known to `provider`.
    pub(crate) fn native(chat: &'a Chat, native: &[&str], provider: &str, losses: &mut Losses) -> Self {
        let mut fields = Self::default();
        for (name, value) in &chat.extra {
            if native.contains(&name.as_str()) {
                fields.put(name, value.clone());
            } else if !HOUSEKEEPING.contains(&name.as_str()) {
                losses.note(name.clone(), format!("is not known to {provider}"));
            }
        }
        fields
    }

    /// The value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find_map(|(field, value)| (field == name).then_some(value))
    }

    /// Sets `name`, where it stands or at the end.
    pub(crate) fn put(&mut self, name: impl Into<Cow<'a, str>>, value: Json) {
        let name = name.into();
        match self.0.iter_mut().find(|(field, _)| *field == name) {
            Some(field) => field.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes `name` out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    fields.push((Cow::Owned(name), value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::json::Json;

    #[test]
    fn order_and_numbers_stay() {
        let text = r#"{"z":1.10,"a":{"y":12345678901234567890123,"x":[]}}"#;
        let mut fields = Fields::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&fields).unwrap(), text);
        fields.put("z", Json::of(&2));
        fields.put("new", Json::of(&true));
        assert_eq!(fields.take("a").unwrap().as_str(), r#"{"y":12345678901234567890123,"x":[]}"#);
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"z":2,"new":true}"#);
        assert_eq!(Fields::parse("[]"), None);
    }
}

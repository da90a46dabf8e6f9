//! JSON that passes through untouched: schemas, arguments, whatever only the two ends understand.

use std::fmt;

use memchr::memchr2;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value as its text, in the order and with the numbers it was written with, on one line, so that it may stand in an
/// event of a stream. Equal when the text is.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The value that `text` is; `None` when it is not one JSON value.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<Box<RawValue>>(text.trim_ascii()).ok().map(Self::on_one_line)
    }

    fn on_one_line(value: Box<RawValue>) -> Self {
        if memchr2(b'\n', b'\r', value.get().as_bytes()).is_none() {
            return Self(value);
        }
        Self(RawValue::from_string(compact(value.get())).unwrap_or(value))
    }

    /// `value` as JSON. What cannot be printed is null.
    pub fn of(value: &impl Serialize) -> Self {
        let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        Self::parse(&text).unwrap_or_else(Self::empty_object)
    }

    /// `{}`.
    pub fn empty_object() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_default())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::on_one_line)
    }
}

/// `text`, which is JSON, without the white space between its tokens.
fn compact(text: &str) -> String {
    let (mut is_string, mut is_escaped) = (false, false);
    let stays = |letter: &char| {
        let is_quote = *letter == '"' && !is_escaped;
        is_escaped = is_string && *letter == '\\' && !is_escaped;
        is_string ^= is_quote;
        is_string || !letter.is_ascii_whitespace()
    };
    text.chars().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::Json;

    #[test]
    fn what_was_written_on_many_lines_stands_on_one() {
        let rows = [
            ("{ \"b\": 1.0, \"a\": [1 ] }", "{ \"b\": 1.0, \"a\": [1 ] }"),
            ("{\n  \"b\": 1.0,\r\n  \"a\": [ ]\n}\n", r#"{"b":1.0,"a":[]}"#),
            ("[\n\"a \\\" \\\\\" , \" b\\n\"]", r#"["a \" \\"," b\n"]"#),
        ];
        for (text, expected) in rows {
            assert_eq!(Json::parse(text).unwrap().as_str(), expected);
            assert_eq!(serde_json::from_str::<Json>(text).unwrap().as_str(), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_but_white_space_is_lost(texts in proptest::collection::vec(".{0,12}", 0..4)) {
            let value = Value::from(texts);
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let json = Json::parse(&pretty).unwrap();
            prop_assert!(!json.as_str().contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Value>(json.as_str()).unwrap(), value);
        }
    }
}

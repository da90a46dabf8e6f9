//! A JSON object as the bytes it came in, with the places of its members.
//!
//! Bodies are long and routing needs little of them: the top level is scanned once, and what
//! changes is spliced into the bytes instead of being built and printed anew.

mod cursor;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use serde::de::DeserializeOwned;

pub use self::cursor::{Cursor, Expected, Key, Malformed};

/// A JSON object. Of a key that stands twice the last value counts, as in most parsers.
#[derive(Clone)]
pub struct JsonObject {
    /// Checked to be UTF-8 once, however often it is looked at.
    text: ByteString,
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    name: Name,
    value: Range<usize>,
}

/// A key: mostly a stretch of the bytes, seldom text with escapes undone.
#[derive(Clone)]
enum Name {
    Plain(Range<usize>),
    Unescaped(Box<str>),
}

/// Why bytes are no JSON object.
#[derive(Debug, thiserror::Error)]
#[error("the body is not a JSON object: {0}")]
pub struct NotAnObject(Fault);

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Text(std::str::Utf8Error),
    #[error("{0}")]
    Form(Malformed),
}

impl JsonObject {
    /// Scans the top level of `bytes`.
    ///
    /// # Errors
    /// When they are not one JSON object in UTF-8.
    pub fn parse(bytes: Bytes) -> Result<Self, NotAnObject> {
        let text = ByteString::try_from(bytes).map_err(|error| NotAnObject(Fault::Text(error)))?;
        let mut members = Vec::with_capacity(12);
        let mut cursor = Cursor::new(&text);
        let passed = cursor.object(|cursor, key| {
            let value = cursor.value()?;
            add(&mut members, &text, key, value);
            Ok(())
        });
        let passed = passed.and_then(|()| cursor.end()).map_err(|expected| cursor.malformed(expected));
        passed.map_err(|malformed| NotAnObject(Fault::Form(malformed)))?;
        Ok(Self { members, text })
    }

    /// The object as it came.
    pub fn bytes(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| self.key(member))
    }

    /// The JSON text of the value at `key`.
    pub fn raw(&self, key: &str) -> Option<&str> {
        let member = self.members.iter().find(|member| self.key(member) == key)?;
        Some(&self.text[member.value.clone()])
    }

    /// Whether there is a value other than null at `key`.
    pub fn has(&self, key: &str) -> bool {
        self.raw(key).is_some_and(|raw| raw != "null")
    }

    /// The text at `key`, when it is a string.
    pub fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        let raw = self.raw(key)?;
        let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
    }

    /// The value at `key` as a `T`; `None` when it is missing or null.
    ///
    /// # Errors
    /// When it is something else.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, serde_json::Error> {
        match self.raw(key) {
            None | Some("null") => Ok(None),
            Some(raw) => serde_json::from_str(raw).map(Some),
        }
    }

    /// The object with the members of `set` put in or replaced (values are JSON text) and those
    /// for which `drops` holds left out. Everything else stays byte for byte.
    pub fn rewrite(&self, set: &[(&str, Cow<'_, str>)], drops: impl Fn(&str) -> bool) -> Bytes {
        let replaced = |key: &str| set.iter().any(|(name, _)| *name == key);
        let is_kept = |member: &Member| {
            let key = self.key(member);
            !drops(key) && !replaced(key)
        };
        if set.is_empty() && self.members.iter().all(&is_kept) {
            return self.bytes().clone();
        }
        let room = self.text.len() + set.iter().map(|(key, value)| key.len() + value.len() + 8).sum::<usize>();
        let mut out = BytesMut::with_capacity(room);
        out.put_u8(b'{');
        for member in self.members.iter().filter(|member| is_kept(member)) {
            self.put(&mut out, self.key(member), self.text[member.value.clone()].as_bytes());
        }
        for (key, value) in set {
            self.put(&mut out, key, value.as_bytes());
        }
        out.put_u8(b'}');
        out.freeze()
    }

    #[expect(clippy::unused_self, reason = "reads as a step of rewrite")]
    fn put(&self, out: &mut BytesMut, key: &str, value: &[u8]) {
        if out.len() > 1 {
            out.put_u8(b',');
        }
        // Printing a str as JSON cannot fail.
        let quoted = serde_json::to_string(key).unwrap_or_default();
        out.put_slice(quoted.as_bytes());
        out.put_u8(b':');
        out.put_slice(value);
    }

    fn key<'a>(&'a self, member: &'a Member) -> &'a str {
        member.name.of(&self.text)
    }
}

impl Name {
    fn of<'a>(&'a self, text: &'a str) -> &'a str {
        match self {
            Self::Plain(range) => &text[range.clone()],
            Self::Unescaped(text) => text,
        }
    }
}

/// Adds a member that stands in `text`, in place of one of the same name.
fn add(members: &mut Vec<Member>, text: &str, key: Key<'_>, value: &str) {
    let place = |part: &str| {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        start..start + part.len()
    };
    let name = if key.is_escaped {
        // Checked to be JSON, escapes and all, but for halves of letters.
        let unescaped = serde_json::from_str(&format!("\"{}\"", key.text));
        Name::Unescaped(unescaped.unwrap_or_else(|_| key.text.into()))
    } else {
        Name::Plain(place(key.text))
    };
    let member = Member { name, value: place(value) };
    let same = members.iter().position(|known| known.name.of(text) == member.name.of(text));
    match same {
        Some(at) => members[at] = member,
        None => members.push(member),
    }
}

impl fmt::Debug for JsonObject {
    /// Prints the keys only: values are what users wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::JsonObject;

    fn parse(text: &str) -> JsonObject {
        JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[test]
    fn members_are_read_in_place() {
        let object = parse(r#" {"model" : "gpt", "n":[1, 2], "a\u0062":null, "model":"g\"4"} "#);
        assert_eq!(object.text("model").unwrap(), "g\"4");
        assert_eq!(object.raw("n"), Some("[1, 2]"));
        assert!(!object.has("ab") && object.raw("ab").is_some());
        assert_eq!(object.get::<Vec<u8>>("n").unwrap(), Some(vec![1, 2]));
        assert_eq!(object.get::<u8>("ab").unwrap(), None);
        assert!(object.get::<u8>("n").is_err());
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for bad in ["", "[]", "{", r#"{"a":1}x"#, r#"{"a":}"#, "{\"a\":\"\u{0}\"}"] {
            assert!(JsonObject::parse(Bytes::copy_from_slice(bad.as_bytes())).is_err(), "{bad}");
        }
        assert!(JsonObject::parse(Bytes::from_static(b"{\"a\":\"\xff\"}")).is_err());
    }

    #[test]
    fn only_what_changes_is_spliced() {
        let object = parse(r#"{"model":"a", "messages": [ 1 ],"fallbacks":["b"]}"#);
        assert_eq!(object.rewrite(&[], |_| false), object.bytes());
        let sent = object.rewrite(&[("model", Cow::Borrowed(r#""b""#)), ("n", "2".into())], |key| key == "fallbacks");
        assert_eq!(sent, r#"{"messages":[ 1 ],"model":"b","n":2}"#);
        assert_eq!(parse("{}").rewrite(&[("n", "2".into())], |_| false), r#"{"n":2}"#);
    }

    proptest! {
        /// A rewrite equals the same edit on the parsed value.
        #[test]
        fn rewrite_equals_an_edit_of_the_value(
            fields in proptest::collection::btree_map("[a-e\"\\\\]{1,3}", "[ -~]{0,6}", 0..6),
            set in "[a-e]{1,3}",
            dropped in "[a-e]{1,3}",
        ) {
            let mut value: serde_json::Map<String, serde_json::Value> =
                fields.into_iter().map(|(k, v)| (k, v.into())).collect();
            let object = parse(&serde_json::to_string(&value).unwrap());
            let sent = object.rewrite(&[(&set, "7".into())], |key| key == dropped && key != set);
            if dropped != set {
                value.remove(&dropped);
            }
            value.insert(set, 7.into());
            let read: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&sent).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}

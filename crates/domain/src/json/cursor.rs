//! A way through JSON that builds nothing of it.
//!
//! Everything that is passed is checked to be JSON by RFC 8259. Long texts are stepped over 32 bytes
//! at a time: prompts of a hundred kilobytes are common, and what routing wants of them is their length.

use std::fmt;

use memchr::memchr2;

/// How far a string is gone through byte by byte.
const SHORT: usize = 24;

/// Why a text is not the JSON that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    expected: Expected,
    line: usize,
    column: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at line {} column {}", self.expected.0, self.line, self.column)
    }
}

impl std::error::Error for Malformed {}

/// What should have stood where a cursor stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(&'static str);

/// A key of an object, as it is written between its quotation marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// Its text, escapes and all.
    pub text: &'a str,
    /// Whether there are escapes in it.
    pub is_escaped: bool,
}

/// A place in a JSON text, before a value as a rule.
#[derive(Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// What a value holds that is being stepped over, outermost first: whether it is an object or an array.
    nest: Vec<bool>,
}

impl<'a> Cursor<'a> {
    /// The beginning of `text`.
    pub fn new(text: &'a str) -> Self {
        let mut cursor = Self { text, at: 0, nest: Vec::new() };
        cursor.space();
        cursor
    }

    /// Goes through the object that is next, with `each` at the value of each of its members, which it has to pass.
    ///
    /// # Errors
    /// When there is no object, or `each` fails.
    pub fn object(&mut self, mut each: impl FnMut(&mut Self, Key<'a>) -> Result<(), Expected>) -> Result<(), Expected> {
        self.take(b'{', "an object")?;
        self.space();
        if !self.has(b'}') {
            loop {
                let key = self.key()?;
                self.colon()?;
                each(self, key)?;
                self.space();
                if !self.has(b',') {
                    break;
                }
                self.at += 1;
                self.space();
            }
        }
        self.take(b'}', "`,` or `}`")
    }

    /// Goes through the array that is next, with `each` at each of its elements, which it has to pass.
    ///
    /// # Errors
    /// When there is no array, or `each` fails.
    pub fn array(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), Expected>) -> Result<(), Expected> {
        self.take(b'[', "an array")?;
        self.space();
        if !self.has(b']') {
            loop {
                each(self)?;
                self.space();
                if !self.has(b',') {
                    break;
                }
                self.at += 1;
                self.space();
            }
        }
        self.take(b']', "`,` or `]`")
    }

    /// Passes the value that is next; its text.
    ///
    /// # Errors
    /// When there is none.
    pub fn value(&mut self) -> Result<&'a str, Expected> {
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    /// Whether an object is next.
    pub fn is_object(&self) -> bool {
        self.has(b'{')
    }

    /// Whether an array is next.
    pub fn is_array(&self) -> bool {
        self.has(b'[')
    }

    /// Sees to it that nothing is left.
    ///
    /// # Errors
    /// When there is something.
    pub fn end(&mut self) -> Result<(), Expected> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(Expected("nothing after it")) }
    }

    /// What was expected, and where: lines and columns are counted from 1, in bytes.
    pub fn malformed(&self, expected: Expected) -> Malformed {
        let before = &self.text.as_bytes()[..self.at];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        Malformed { expected, line, column: 1 + before.len() - line_start }
    }

    /// Steps over a value. What it holds is not gone into but stepped through, so that no depth of it needs more stack.
    fn skip(&mut self) -> Result<(), Expected> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{') => {
                    self.at += 1;
                    self.space();
                    if self.has(b'}') {
                        self.at += 1;
                    } else {
                        self.nest.push(true);
                        self.key()?;
                        self.colon()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.space();
                    if self.has(b']') {
                        self.at += 1;
                    } else {
                        self.nest.push(false);
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                _ => return Err(Expected("a value")),
            }
            // A value has ended, and with it perhaps what holds it.
            loop {
                let Some(is_object) = self.nest.last().copied() else { return Ok(()) };
                self.space();
                match (self.peek(), is_object) {
                    (Some(b','), _) => {
                        self.at += 1;
                        self.space();
                        if is_object {
                            self.key()?;
                            self.colon()?;
                        }
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        self.nest.pop();
                    }
                    (_, true) => return Err(Expected("`,` or `}`")),
                    (_, false) => return Err(Expected("`,` or `]`")),
                }
            }
        }
    }

    #[inline]
    fn key(&mut self) -> Result<Key<'a>, Expected> {
        if !self.has(b'"') {
            return Err(Expected("a key"));
        }
        let start = self.at + 1;
        let is_escaped = self.string()?;
        Ok(Key { text: &self.text[start..self.at - 1], is_escaped })
    }

    #[inline]
    fn colon(&mut self) -> Result<(), Expected> {
        self.space();
        self.take(b':', "`:`")?;
        self.space();
        Ok(())
    }

    /// Steps over a string, whose first quotation mark is next; says whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Expected> {
        self.at += 1;
        // Most are keys and short words, for which what follows takes longer to begin than to go through them.
        for _ in 0..SHORT {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(false);
                }
                Some(b'\\' | 0..b' ') | None => break,
                Some(_) => self.at += 1,
            }
        }
        self.rest_of_string()
    }

    fn rest_of_string(&mut self) -> Result<bool, Expected> {
        let start = self.at;
        let mut is_escaped = false;
        loop {
            let Some(next) = memchr2(b'"', b'\\', &self.text.as_bytes()[self.at..]) else {
                self.at = self.text.len();
                return Err(Expected("the end of a string"));
            };
            self.at += next;
            if self.text.as_bytes()[self.at] == b'"' {
                break;
            }
            is_escaped = true;
            self.escape()?;
        }
        // The smallest byte, which takes a few instructions for many bytes; to look for each does not.
        let text = &self.text.as_bytes()[start..self.at];
        if text.iter().fold(u8::MAX, |smallest, byte| smallest.min(*byte)) < b' ' {
            self.at = start + text.iter().position(|byte| *byte < b' ').unwrap_or_default();
            return Err(Expected("no control character in a string"));
        }
        self.at += 1;
        Ok(is_escaped)
    }

    fn escape(&mut self) -> Result<(), Expected> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u')
                if self
                    .text
                    .as_bytes()
                    .get(self.at + 2..self.at + 6)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
            {
                self.at += 6;
            }
            _ => return Err(Expected("an escape")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Expected> {
        if self.has(b'-') {
            self.at += 1;
        }
        if self.has(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.has(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if self.has(b'e') || self.has(b'E') {
            self.at += 1;
            if self.has(b'+') || self.has(b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Expected> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Expected("a digit")) }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Expected> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Expected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Expected> {
        if !self.has(byte) {
            return Err(Expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.peek() == Some(byte)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{Cursor, Malformed};

    /// The keys and values of the object that `text` is.
    fn members(text: &str) -> Result<Vec<(&str, &str)>, Malformed> {
        let (mut cursor, mut members) = (Cursor::new(text), Vec::new());
        let passed = cursor.object(|cursor, key| {
            members.push((key.text, cursor.value()?));
            assert_eq!(key.is_escaped, key.text.contains('\\'));
            Ok(())
        });
        let passed = passed.and_then(|()| cursor.end());
        passed.map(|()| members).map_err(|expected| cursor.malformed(expected))
    }

    /// Whether `serde_json` finds an object as well, with the same members.
    fn agrees(text: &str) -> bool {
        let theirs: Option<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(text).ok();
        let pair =
            |(key, value): (&str, &str)| (serde_json::from_str(&format!("\"{key}\"")).unwrap(), value.to_owned());
        let ours =
            members(text).ok().map(|members| members.into_iter().map(pair).collect::<BTreeMap<String, String>>());
        ours == theirs.map(|map| map.into_iter().map(|(key, raw)| (key, raw.get().to_owned())).collect())
    }

    #[test]
    fn members_are_found_where_they_stand() {
        let text = " {\"a\" : [1, {\"b\": \"}\"}],\n\"c\\\"\":-0.5e+3 , \"\":{} } ";
        let expected = [("a", "[1, {\"b\": \"}\"}]"), ("c\\\"", "-0.5e+3"), ("", "{}")];
        assert_eq!(members(text).unwrap(), expected);
        assert_eq!(members("{}").unwrap(), []);
    }

    #[test]
    fn it_goes_into_what_is_asked_for() {
        let text = r#"{"skip":[{"n":0}],"list":[{"n":1},{"m":[2]},{"n":3,"o":{}}],"none":[]}"#;
        let (mut cursor, mut found) = (Cursor::new(text), Vec::new());
        let passed = cursor.object(|cursor, key| match key.text {
            "list" => cursor.array(|cursor| {
                cursor.object(|cursor, key| {
                    let value = cursor.value()?;
                    found.extend((key.text == "n").then_some(value));
                    Ok(())
                })
            }),
            "none" => cursor.array(|_| unreachable!()),
            _ => cursor.value().map(drop),
        });
        assert_eq!((passed, cursor.end(), found), (Ok(()), Ok(()), vec!["1", "3"]));
    }

    #[test]
    fn it_says_what_is_wrong_and_where() {
        let rows = [
            ("", "expected an object at line 1 column 1"),
            ("[]", "expected an object at line 1 column 1"),
            ("{\"a\":\n  tru}", "expected a value at line 2 column 3"),
            ("{\"a\":1\n\"b\"", "expected `,` or `}` at line 2 column 1"),
            ("{\"a\":[1 2]}", "expected `,` or `]` at line 1 column 9"),
            ("{\"a\":{1:2}}", "expected a key at line 1 column 7"),
            ("{\"a\" 1}", "expected `:` at line 1 column 6"),
            ("{\"a\":\"b", "expected the end of a string at line 1 column 8"),
            ("{\"a\":\"\\x\"}", "expected an escape at line 1 column 7"),
            ("{\"a\":\"\n\"}", "expected no control character in a string at line 1 column 7"),
            ("{\"a\":1.}", "expected a digit at line 1 column 8"),
            ("{} {}", "expected nothing after it at line 1 column 4"),
        ];
        for (text, expected) in rows {
            assert_eq!(members(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn depth_takes_no_stack() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(members(&nested(1_000_000)).is_ok());
    }

    proptest! {
        /// What is accepted, and where members stand, is what `serde_json` says of any text that looks like JSON.
        #[test]
        fn it_agrees_with_serde_json(text in r#"\{("[a-c\\"u0-9é]{0,4}"[: ]?:?[\[\]{}," \n:0-9.eE+truefalsn\\-]{0,12},?){0,3}\}?"#) {
            prop_assert!(agrees(&text), "{text}");
        }

        /// The same of JSON with a byte changed, left out or put in.
        #[test]
        fn it_agrees_on_json_with_a_slip(
            keys in proptest::collection::vec("[a-z\"\\\\\u{7f}-\u{ff}\n]{0,3}", 0..4),
            numbers in proptest::collection::vec(any::<f64>(), 4),
            words in proptest::collection::vec("\\PC{0,40}", 4),
            at in any::<proptest::sample::Index>(),
            slip in proptest::option::of(proptest::option::of(r#"[\[\]{}",:\\ 0-9eE.tfnu\x01]"#)),
        ) {
            let value = |i: usize| match i % 4 {
                0 => serde_json::json!(numbers[i % 4]),
                1 => serde_json::json!(words[i % 4]),
                2 => serde_json::json!([true, null, words[i % 4], {"n": numbers[i % 4], "e": []}]),
                _ => serde_json::json!({"deep": {"deeper": [[], {}, [words[i % 4]]]}, "no": false}),
            };
            let map: serde_json::Map<_, _> = keys.iter().enumerate().map(|(i, key)| (key.clone(), value(i))).collect();
            let mut letters: Vec<char> = serde_json::to_string(&map).unwrap().chars().collect();
            let place = at.index(letters.len());
            match slip {
                None => {}
                Some(None) => drop(letters.remove(place)),
                Some(Some(put)) => letters.splice(place..=place, put.chars()).for_each(drop),
            }
            let text: String = letters.into_iter().collect();
            prop_assert!(agrees(&text), "{text}");
        }
    }
}

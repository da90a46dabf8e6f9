//! Typed access to the values of a config object that notes every problem and goes on.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::suggest;

/// What is wrong or odd about a config object.
#[derive(Debug, Default)]
pub(super) struct Problems {
    errors: RefCell<Vec<String>>,
    warnings: RefCell<Vec<String>>,
}

impl Problems {
    /// Errors and warnings, in the order in which they were found.
    pub(super) fn into_parts(self) -> (Vec<String>, Vec<String>) {
        (self.errors.into_inner(), self.warnings.into_inner())
    }

    /// Notes an error at `path`.
    pub(super) fn error(&self, path: &str, message: impl AsRef<str>) {
        self.errors.borrow_mut().push(format!("path: {path}, message: {}", message.as_ref()));
    }

    /// Notes something odd at `path`.
    pub(super) fn warn(&self, path: &str, message: impl AsRef<str>) {
        self.warnings.borrow_mut().push(format!("{path}: {}", message.as_ref()));
    }
}

/// A value and where it stands: `targets,0,retry`.
#[derive(Debug, Clone)]
pub(super) struct At<'a> {
    pub(super) value: &'a Value,
    pub(super) path: String,
}

impl<'a> At<'a> {
    /// The whole object.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// The member `key`, unless it is null or not there.
    pub(super) fn get(&self, key: &str) -> Option<At<'a>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(At { value, path: self.path_to(key) })
    }

    /// The path of the member `key`, whether it is there or not.
    pub(super) fn path_to(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{},{key}", self.path) }
    }

    /// The items of a list; an error when it is none.
    pub(super) fn items(&self, problems: &Problems) -> Vec<At<'a>> {
        let Value::Array(items) = self.value else {
            self.expected("array", problems);
            return Vec::new();
        };
        items.iter().enumerate().map(|(i, value)| At { value, path: self.path_to(&i.to_string()) }).collect()
    }

    /// The members of an object; an error when it is none.
    pub(super) fn object(&self, problems: &Problems) -> Option<&'a Map<String, Value>> {
        let object = self.value.as_object();
        if object.is_none() {
            self.expected("object", problems);
        }
        object
    }

    /// A text; an error when it is none.
    pub(super) fn text(&self, problems: &Problems) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.expected("string", problems);
        }
        text
    }

    /// Yes or no; an error when it is neither.
    pub(super) fn flag(&self, problems: &Problems) -> bool {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.expected("boolean", problems);
        }
        flag.unwrap_or_default()
    }

    /// A number from 0 up; an error when it is none.
    pub(super) fn number(&self, problems: &Problems) -> Option<f64> {
        let Some(number) = self.value.as_f64() else {
            self.expected("number", problems);
            return None;
        };
        if number < 0.0 {
            problems.error(&self.path, "Number must be greater than or equal to 0");
            return None;
        }
        Some(number)
    }

    /// A whole number from 0 up; an error when it is none.
    pub(super) fn count(&self, problems: &Problems) -> Option<u32> {
        let number = self.number(problems)?;
        if number.fract() != 0.0 || number > f64::from(u32::MAX) {
            problems.error(&self.path, "Expected integer, received float");
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "held against the range just before"
        )]
        Some(number as u32)
    }

    /// A time in ms; nothing for 0.
    pub(super) fn millis(&self, problems: &Problems) -> Option<Duration> {
        let ms = self.number(problems)?;
        (ms > 0.0).then(|| Duration::from_secs_f64((ms / 1000.0).min(1e9)))
    }

    /// A list of HTTP statuses; an error for what is none.
    pub(super) fn statuses(&self, problems: &Problems) -> Vec<u16> {
        let status = |item: At<'_>| item.count(problems).and_then(|status| u16::try_from(status).ok());
        self.items(problems).into_iter().filter_map(status).collect()
    }

    /// A list of texts; an error for what is none.
    pub(super) fn texts(&self, problems: &Problems) -> Vec<&'a str> {
        self.items(problems).into_iter().filter_map(|item| item.text(problems)).collect()
    }

    fn expected(&self, kind: &str, problems: &Problems) {
        let received = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        problems.error(&self.path, format!("Expected {kind}, received {received}"));
    }

    /// Warns of members that look like a misspelling of one of `known`, or are a known mistake.
    pub(super) fn warn_of_strangers(&self, known: &[&str], mistakes: &[(&str, &str)], problems: &Problems) {
        let Value::Object(members) = self.value else { return };
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            let mistake = mistakes.iter().find(|(wrong, _)| wrong == key).map(|(_, right)| (*right).to_owned());
            let near = || suggest::nearest(key, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            if let Some(hint) = mistake.or_else(near) {
                problems.warn(&self.path_to(key), format!("it has no effect here: {hint}"));
            }
        }
    }
}

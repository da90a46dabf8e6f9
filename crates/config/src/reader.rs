//! Typed access to nodes that notes every problem and goes on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::report::Report;
use crate::suggest;
use crate::variables::{self, Text, Variables};
use crate::yaml::{Member, Node, Place, Value};

/// What reading needs besides the nodes: where problems go, and where variables come from.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) report: &'a Report,
    pub(crate) variables: &'a Variables<'a>,
}

/// A value and the path that leads to it. A field is never null: null counts as not there.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    pub(crate) reader: &'a Reader<'a>,
    pub(crate) node: &'a Node,
    pub(crate) path: String,
}

/// A map and the path that leads to it.
#[derive(Debug, Clone)]
pub(crate) struct Section<'a> {
    reader: &'a Reader<'a>,
    members: &'a [Member],
    place: Place,
    path: String,
}

/// A text that may come from a variable that is not set.
pub(crate) enum Lookup {
    /// There it is.
    Found(String),
    /// The variable of this name is not set.
    Unset(String),
}

impl<'a> Field<'a> {
    /// Notes an error about this value.
    pub(crate) fn error(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.reader.report.error(self.node.place, &self.path, what, hint);
    }

    /// Notes a warning about this value.
    pub(crate) fn warn(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.reader.report.warn(self.node.place, &self.path, what, hint);
    }

    /// Where relative paths in this value are taken from: the directory of the file it stands in.
    pub(crate) fn directory(&self) -> PathBuf {
        self.reader.report.file(self.node.place).parent().map_or_else(PathBuf::new, Path::to_path_buf)
    }

    /// The value for a message: short, and nothing that looks like a secret.
    pub(crate) fn shown(&self) -> String {
        match &self.node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Int(int) => int.to_string(),
            Value::Float(float) => float.to_string(),
            Value::Str(text) => shown(text),
            Value::Seq(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// The text, or the name of the variable that should hold it. `None` when it is no scalar.
    pub(crate) fn lookup(&self) -> Option<Lookup> {
        let text = match &self.node.value {
            Value::Str(text) => text,
            Value::Bool(flag) => return Some(Lookup::Found(flag.to_string())),
            Value::Int(int) => return Some(Lookup::Found(int.to_string())),
            Value::Float(float) => return Some(Lookup::Found(float.to_string())),
            Value::Null => return None,
            Value::Seq(_) | Value::Map(_) => {
                self.error(format!("{} stands where text is meant", self.shown()), "write one value");
                return None;
            }
        };
        if let Some(name) = variables::misspelt(text) {
            let hint = format!("it is used as it stands; write os.environ/{name} to take the variable");
            self.warn(format!("this names the variable {name} in a way that is not resolved"), hint);
        }
        Some(match self.reader.variables.resolve(text) {
            Text::Literal(text) => Lookup::Found(text.to_owned()),
            Text::FromVariable(text) => Lookup::Found(text),
            Text::Unset(name) => Lookup::Unset(name.to_owned()),
        })
    }

    /// The text; a variable that is not set is a warning.
    pub(crate) fn text(&self) -> Option<String> {
        match self.lookup()? {
            Lookup::Found(text) => Some(text),
            Lookup::Unset(name) => {
                self.warn(format!("the environment variable {name} is not set"), "the setting is left at its default");
                None
            }
        }
    }

    /// A number that is neither negative nor infinite.
    pub(crate) fn number(&self) -> Option<f64> {
        let text = self.text()?;
        let number = match self.node.value {
            Value::Bool(_) => None,
            _ => text.trim().replace('_', "").parse::<f64>().ok(),
        };
        match number.filter(|number| number.is_finite()) {
            None => {
                self.error(format!("{} is not a number", self.shown()), "write a number");
                None
            }
            Some(number) if number < 0.0 => {
                self.error(format!("{} is negative", self.shown()), "write 0 or more");
                None
            }
            number => number,
        }
    }

    /// A whole number; a fraction is cut off with a warning.
    pub(crate) fn count(&self) -> Option<u32> {
        let number = self.number()?;
        if number.fract() != 0.0 {
            self.warn(format!("{} is not a whole number", self.shown()), "the fraction is cut off");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as is meant")]
        Some(number as u32)
    }

    /// A time in seconds.
    pub(crate) fn seconds(&self) -> Option<Duration> {
        self.number().map(|seconds| Duration::from_secs_f64(seconds.min(1e9)))
    }

    /// Yes or no; `"true"` and 1 are yes.
    pub(crate) fn flag(&self) -> Option<bool> {
        let text = self.text()?;
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" | "" => Some(false),
            _ => {
                self.error(format!("{} is neither true nor false", self.shown()), "write true or false");
                None
            }
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<Vec<Self>> {
        let Value::Seq(items) = &self.node.value else { return None };
        let item = |(i, node)| Field { reader: self.reader, node, path: format!("{}[{i}]", self.path) };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A list of texts; a single text counts as a list of one.
    pub(crate) fn texts(&self) -> Vec<String> {
        match self.items() {
            Some(items) => items.iter().filter(|item| item.node.value != Value::Null).filter_map(Self::text).collect(),
            None => {
                self.warn(format!("{} stands where a list is meant", self.shown()), "it is taken as a list of one");
                self.text().into_iter().collect()
            }
        }
    }

    /// A map, without a complaint when it is none.
    pub(crate) fn as_section(&self) -> Option<Section<'a>> {
        let Value::Map(members) = &self.node.value else { return None };
        Some(Section { reader: self.reader, members, place: self.node.place, path: self.path.clone() })
    }

    /// A map.
    pub(crate) fn section(&self) -> Option<Section<'a>> {
        let section = self.as_section();
        if section.is_none() {
            self.error(format!("{} stands where a map is meant", self.shown()), "write `key: value` lines");
        }
        section
    }
}

impl<'a> Section<'a> {
    /// A map that is not in the file.
    pub(crate) fn absent(reader: &'a Reader<'a>, path: &str) -> Self {
        Self { reader, members: &[], place: Place { file: 0, line: 1 }, path: path.to_owned() }
    }

    /// What leads to it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where problems go and variables come from.
    pub(crate) fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    /// The value under `key`, unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<Field<'a>> {
        let member = self.members.iter().find(|member| member.key == key)?;
        (member.node.value != Value::Null).then(|| self.field(member))
    }

    /// The map under `key`; nothing in it when there is none.
    pub(crate) fn section(&self, key: &str) -> Self {
        let found = self.get(key).and_then(|field| field.section());
        found.unwrap_or_else(|| Self::absent(self.reader, &self.path_to(key)))
    }

    /// Every key with its value; null values included.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + '_ {
        self.members.iter().map(|member| (member.key.as_str(), self.field(member)))
    }

    /// Notes an error about the map.
    pub(crate) fn error(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.reader.report.error(self.place, &self.path, what, hint);
    }

    /// Notes a warning about the map.
    pub(crate) fn warn(&self, what: impl Into<String>, hint: impl Into<String>) {
        self.reader.report.warn(self.place, &self.path, what, hint);
    }

    /// Notes an error for every key that is not one of `known`: for sections that are ours alone.
    pub(crate) fn only(&self, known: &[&str]) {
        for member in self.members.iter().filter(|member| !known.contains(&member.key.as_str())) {
            let mut hint = suggest::did_you_mean(&member.key, known.iter().copied());
            if hint.is_empty() {
                hint = format!("known here: {}", known.join(", "));
            }
            let what = format!("there is no setting `{}`", member.key);
            self.reader.report.error(member.place, &self.path_to(&member.key), what, hint);
        }
    }

    fn field(&self, member: &'a Member) -> Field<'a> {
        Field { reader: self.reader, node: &member.node, path: self.path_to(&member.key) }
    }

    fn path_to(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// `text` for a message: short, and nothing that looks like a secret.
fn shown(text: &str) -> String {
    let is_long_token = text.len() >= 24
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_+=.".contains(&b));
    if text.starts_with("sk-") || is_long_token {
        return "a value that looks like a key".to_owned();
    }
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("abc"), "\"abc\"");
        assert_eq!(shown("sk-123"), "a value that looks like a key");
        assert_eq!(shown("0123456789abcdef0123456789abcdef"), "a value that looks like a key");
        assert_eq!(shown(&"é".repeat(70)), format!("{:?}…", "é".repeat(60)));
    }
}

//! `os.environ/NAME`: what stands in the environment instead of the file.

use std::collections::HashMap;

use crate::env::Environment;

const PREFIX: &str = "os.environ/";

/// The environment, and what `environment_variables` adds to it.
#[derive(Debug)]
pub(crate) struct Variables<'a> {
    environment: &'a dyn Environment,
    added: HashMap<String, String>,
}

/// A text, perhaps from a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    /// As it stands in the file.
    Literal(&'a str),
    /// What the variable holds.
    FromVariable(String),
    /// The variable of this name is not set.
    Unset(&'a str),
}

impl<'a> Variables<'a> {
    /// Looks in `environment` first, then in `added`.
    pub(crate) fn new(environment: &'a dyn Environment, added: HashMap<String, String>) -> Self {
        Self { environment, added }
    }

    /// The variable's value, when it is set to more than nothing.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let value = self.environment.get(name).filter(|value| !value.is_empty());
        value.or_else(|| self.added.get(name).filter(|value| !value.is_empty()).cloned())
    }

    /// `text` itself, or what the variable holds that it names.
    pub(crate) fn resolve<'t>(&self, text: &'t str) -> Text<'t> {
        match name_in(text) {
            None => Text::Literal(text),
            Some(name) => self.get(name).map_or(Text::Unset(name), Text::FromVariable),
        }
    }
}

/// The variable that `os.environ/NAME` names.
pub(crate) fn name_in(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)
}

/// A way of naming a variable that is taken literally, and what was probably meant.
pub(crate) fn misspelt(text: &str) -> Option<&str> {
    let name = if let Some(at) = text.find("${") {
        text[at + 2..].split([':', '-', '}']).next()?
    } else if let Some(rest) = text.strip_prefix("env/").or_else(|| text.strip_prefix("os.environ.")) {
        rest
    } else if let Some(rest) = text.strip_prefix("env(").and_then(|rest| rest.strip_suffix(')')) {
        rest.trim_matches(['"', '\''])
    } else {
        text.strip_prefix('$')?
    };
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::misspelt;

    #[test]
    fn other_spellings_are_noticed() {
        let rows = [
            ("${KEY}", Some("KEY")),
            ("${KEY:-sk-1}", Some("KEY")),
            ("https://x/${ACCOUNT}/v1", Some("ACCOUNT")),
            ("$KEY", Some("KEY")),
            ("env/KEY", Some("KEY")),
            ("env(\"KEY\")", Some("KEY")),
            ("os.environ/KEY", None),
            ("sk-a$b", None),
            ("$", None),
        ];
        for (text, expected) in rows {
            assert_eq!(misspelt(text), expected, "{text}");
        }
    }
}

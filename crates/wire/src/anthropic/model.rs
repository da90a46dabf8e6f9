//! What the models take: the newer refuse with an error what the older ones want.

/// A model by its name. What is no version of Claude is taken for one of the older ones, which most proxies speak like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    version: Option<(u32, u32)>,
    /// Fable and Mythos, which always think.
    is_thinker: bool,
}

/// How a model is told not to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Off {
    /// It does not unless told to.
    Unsaid,
    /// `{"type":"disabled"}`.
    Disabled,
    /// It cannot but think: little effort comes closest.
    LowEffort,
}

impl Model {
    /// `claude-3-7-sonnet-20250219`, `claude-opus-4-6`, `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-sonnet-4@20250514`.
    pub(super) fn of(name: &str) -> Self {
        let name = name.rsplit_once("claude").map_or("", |(_, rest)| rest);
        let is_thinker = name.contains("fable") || name.contains("mythos");
        let mut numbers = name.split(|c: char| !c.is_ascii_alphanumeric()).skip_while(|word| number(word).is_none());
        let major = numbers.next().and_then(number);
        // What follows is the minor number, or a date.
        let minor = numbers.next().and_then(number).unwrap_or(0);
        Self { version: major.map(|major| (major, minor)), is_thinker }
    }

    /// Whether it has been taught to think at all.
    pub(super) fn thinks(self) -> bool {
        self.is_from(3, 7).unwrap_or(true)
    }

    /// Whether thinking is bounded by a number of tokens. The newer ones take a word for the effort.
    pub(super) fn takes_budgets(self) -> bool {
        !self.is_from(4, 7).unwrap_or(false)
    }

    /// Whether it may be left to the model how much it thinks.
    pub(super) fn takes_adaptive(self) -> bool {
        self.is_from(4, 6).unwrap_or(true)
    }

    /// Whether temperature and its like may be set.
    pub(super) fn takes_sampling(self) -> bool {
        self.takes_budgets()
    }

    /// Whether temperature and nucleus may be set at once.
    pub(super) fn takes_both_samplings(self) -> bool {
        !self.is_from(4, 1).unwrap_or(false)
    }

    /// Whether the beginning of the reply may be given.
    pub(super) fn takes_prefill(self) -> bool {
        !self.is_from(4, 6).unwrap_or(false)
    }

    /// Whether replies can be held to a schema.
    pub(super) fn takes_schema(self) -> bool {
        self.is_from(4, 1).unwrap_or(true)
    }

    /// How it is told not to think.
    pub(super) fn off(self) -> Off {
        match self.version {
            _ if self.is_thinker => Off::LowEffort,
            Some((4, 7..)) => Off::Unsaid,
            Some((5, 1..) | (6.., _)) => Off::LowEffort,
            Some(_) if !self.thinks() => Off::Unsaid,
            _ => Off::Disabled,
        }
    }

    /// Whether it is of this version or newer; `None` when that cannot be told.
    fn is_from(self, major: u32, minor: u32) -> Option<bool> {
        match self.version {
            None if self.is_thinker => Some(true),
            version => version.map(|version| version >= (major, minor)),
        }
    }
}

/// A part of a version, which is short: longer ones are dates.
fn number(word: &str) -> Option<u32> {
    if word.len() > 2 { None } else { word.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::{Model, Off};

    #[test]
    fn names_tell_what_models_take() {
        let rows = [
            ("claude-3-haiku-20240307", "no schema, prefill, sampling, both, Unsaid"),
            ("claude-3-5-sonnet-20241022", "no schema, prefill, sampling, both, Unsaid"),
            ("claude-3-7-sonnet-20250219", "budgets, no schema, prefill, sampling, both, Disabled"),
            ("claude-sonnet-4@20250514", "budgets, no schema, prefill, sampling, both, Disabled"),
            ("claude-opus-4-1-20250805", "budgets, schema, prefill, sampling, one, Disabled"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "budgets, schema, prefill, sampling, one, Disabled"),
            ("anthropic/claude-opus-4.6", "budgets, adaptive, schema, sampling, one, Disabled"),
            ("claude-opus-4-7", "efforts, adaptive, schema, one, Unsaid"),
            ("claude-opus-5", "efforts, adaptive, schema, one, Disabled"),
            ("claude-sonnet-5-5", "efforts, adaptive, schema, one, LowEffort"),
            ("claude-fable-5", "efforts, adaptive, schema, one, LowEffort"),
            ("claude-mythos-preview", "efforts, adaptive, schema, one, LowEffort"),
            ("my-proxy", "budgets, adaptive, schema, prefill, sampling, both, Disabled"),
        ];
        for (name, expected) in rows {
            let model = Model::of(name);
            let words = [
                (model.thinks(), if model.takes_budgets() { "budgets" } else { "efforts" }),
                (model.thinks() && model.takes_adaptive(), "adaptive"),
                (true, if model.takes_schema() { "schema" } else { "no schema" }),
                (model.takes_prefill(), "prefill"),
                (model.takes_sampling(), "sampling"),
                (true, if model.takes_both_samplings() { "both" } else { "one" }),
                (
                    true,
                    match model.off() {
                        Off::Unsaid => "Unsaid",
                        Off::Disabled => "Disabled",
                        Off::LowEffort => "LowEffort",
                    },
                ),
            ];
            let words: Vec<_> = words.into_iter().filter_map(|(is_so, word)| is_so.then_some(word)).collect();
            assert_eq!(words.join(", "), expected, "{name}");
        }
    }
}

//! What is to be known of a model by its name.

/// A generation of Gemini and what depends on it. Names that say no generation get what the newest do not refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model<'a> {
    name: &'a str,
    version: Option<(u32, u32)>,
}

/// How a model is told how much to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It does not think.
    Never,
    /// By a number of tokens.
    Budget {
        /// The fewest.
        least: u32,
        /// The most.
        most: u32,
        /// Whether it can answer without.
        can_be_off: bool,
    },
    /// By a word.
    Level {
        /// The word for the least.
        lowest: &'static str,
    },
}

impl<'a> Model<'a> {
    /// The model that `name` names, whatever path it is written with.
    pub(super) fn of(name: &'a str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        Self { name, version: version(name) }
    }

    /// Whether it insists on signatures of thoughts, takes media in results of tools, and JSON beside tools.
    pub(super) fn is_third_or_later(&self) -> bool {
        self.version.is_some_and(|version| version >= (3, 0))
    }

    /// Whether it refuses a form of the reply where there are tools.
    pub(super) fn refuses_json_with_tools(&self) -> bool {
        self.version.is_some_and(|version| version < (3, 0))
    }

    /// How it is told to think, with the bounds that Google publishes.
    pub(super) fn thinking(&self) -> Thinking {
        match self.version {
            Some(version) if version < (2, 5) => Thinking::Never,
            // The word `MINIMAL` came with the small models of the third generation and was dropped by later ones.
            Some(version) if version >= (3, 0) => {
                let has_minimal = self.name.contains("flash") && version <= (3, 1) && !self.is_alias();
                Thinking::Level { lowest: if has_minimal { "MINIMAL" } else { "LOW" } }
            }
            Some(_) if self.name.contains("flash-lite") => {
                Thinking::Budget { least: 512, most: 24_576, can_be_off: true }
            }
            Some(_) if self.name.contains("pro") => Thinking::Budget { least: 128, most: 32_768, can_be_off: false },
            Some(_) => Thinking::Budget { least: 1, most: 24_576, can_be_off: true },
            None => Thinking::Budget { least: 1, most: u32::MAX, can_be_off: true },
        }
    }

    fn is_alias(&self) -> bool {
        self.name.ends_with("-latest")
    }
}

/// The number after `gemini-`, as in `gemini-2.5-flash`.
fn version(name: &str) -> Option<(u32, u32)> {
    let (_, rest) = name.split_once("gemini-")?;
    let number = rest.split(['-', '@', ':']).next().unwrap_or(rest);
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => Some((major, minor)),
        // `gemini-flash-latest` and the like moved on to the third generation.
        _ if name.ends_with("-latest") => Some((3, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Model, Thinking};

    #[test]
    fn a_name_tells_the_generation() {
        let rows = [
            ("gemini-1.5-pro-002", "never"),
            ("gemini-2.0-flash", "never"),
            ("gemini-2.5-flash", "1..24576 off"),
            ("models/gemini-2.5-flash-lite", "512..24576 off"),
            ("gemini-2.5-pro-preview-06-05", "128..32768"),
            ("gemini-3-pro-preview", "LOW, third"),
            ("publishers/google/models/gemini-3-flash-preview", "MINIMAL, third"),
            ("gemini-3.1-flash-lite", "MINIMAL, third"),
            ("gemini-3.8-flash", "LOW, third"),
            ("gemini-4-argon", "LOW, third"),
            ("gemini-flash-latest", "LOW, third"),
            ("gemini-experimental", "1..4294967295 off"),
            ("gemma-3-27b-it", "1..4294967295 off"),
            ("endpoints/1234", "1..4294967295 off"),
        ];
        for (name, expected) in rows {
            let model = Model::of(name);
            let seen = match model.thinking() {
                Thinking::Never => "never".to_owned(),
                Thinking::Budget { least, most, can_be_off: true } => format!("{least}..{most} off"),
                Thinking::Budget { least, most, can_be_off: false } => format!("{least}..{most}"),
                Thinking::Level { lowest } => lowest.to_owned(),
            };
            let seen = if model.is_third_or_later() { format!("{seen}, third") } else { seen };
            assert_eq!(seen, expected, "{name}");
        }
    }
}

//! What one format says and another cannot.

use std::borrow::Cow;

/// Parts of a request that had no place in the format it was written in: where they stood and why they were left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses(Vec<Loss>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where it stood in the client's request, as in `messages[2].content[0]`; the names are `OpenAI`'s where formats differ.
    pub path: Cow<'static, str>,
    /// Why it was left out, or what was done instead, as in `is not known to Anthropic`.
    pub why: Cow<'static, str>,
}

impl Losses {
    /// Notes that `path` was left out. Once is enough.
    pub fn note(&mut self, path: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) {
        let loss = Loss { path: path.into(), why: why.into() };
        if !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    /// Notes all of `others`.
    pub fn extend(&mut self, others: &Self) {
        for loss in &others.0 {
            self.note(loss.path.clone(), loss.why.clone());
        }
    }

    /// All of them, in the order they were met.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter()
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.path, self.why)
    }
}

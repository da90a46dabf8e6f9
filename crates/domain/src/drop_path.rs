//! Paths to what is taken out of a body before it is sent.

/// A path into a body, outermost step first: `tools[*].function.strict`.
pub type DropPath = Vec<DropStep>;

/// One step of a path into a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropStep {
    /// The member of that name.
    Member(String),
    /// The item at that place.
    Item(usize),
    /// Every item.
    Items,
}

/// The most steps of a path: more than anybody's body is deep.
const MOST_STEPS: usize = 32;

/// The path that `text` writes, `a.b`, `a[0].b` or `a[*].b`; `None` when it is none.
pub fn parse(text: &str) -> Option<DropPath> {
    let mut path = DropPath::new();
    for part in text.split('.') {
        let (name, mut places) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() || name.contains(']') {
            return None;
        }
        path.push(DropStep::Member(name.to_owned()));
        while !places.is_empty() {
            let (place, rest) = places.strip_prefix('[')?.split_once(']')?;
            path.push(if place == "*" { DropStep::Items } else { DropStep::Item(place.parse().ok()?) });
            places = rest;
        }
    }
    (path.len() <= MOST_STEPS).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::{DropStep, parse};

    /// The path that `text` is, a word a step.
    fn shown(text: &str) -> Option<String> {
        let word = |step: &DropStep| match step {
            DropStep::Member(name) => name.clone(),
            DropStep::Item(at) => at.to_string(),
            DropStep::Items => "*".to_owned(),
        };
        parse(text).map(|path| path.iter().map(word).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn paths_are_names_and_places() {
        let rows = [
            ("seed", Some("seed")),
            ("a.b", Some("a b")),
            ("a[0].b", Some("a 0 b")),
            ("tools[*].function.strict", Some("tools * function strict")),
            ("a[1][*]", Some("a 1 *")),
            ("a-b_c d", Some("a-b_c d")),
            ("", None),
            (".a", None),
            ("a.", None),
            ("a..b", None),
            ("[0]", None),
            ("a.[0]", None),
            ("a[", None),
            ("a[]", None),
            ("a[-1]", None),
            ("a[x]", None),
            ("a[0]b", None),
            ("a]", None),
            ("a[0]]", None),
        ];
        for (text, path) in rows {
            assert_eq!(shown(text).as_deref(), path, "{text}");
        }
        assert!(shown(&["a"; 32].join(".")).is_some() && shown(&["a"; 33].join(".")).is_none());
    }
}

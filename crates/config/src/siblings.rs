//! Larger siblings: groups of the same model family with a longer context window.

use crate::deployment::Compiled;

/// A group as far as its windows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) group: String,
    families: Vec<String>,
    smallest: u32,
    largest: u32,
}

impl Window {
    /// The window of a group; `None` when one of its deployments has none that is known.
    pub(crate) fn of<'a>(group: &str, deployments: impl IntoIterator<Item = &'a Compiled>) -> Option<Self> {
        let mut families = Vec::new();
        let mut windows = Vec::new();
        for compiled in deployments {
            windows.push(compiled.deployment.max_input_tokens?);
            families.push(family(&compiled.base_model));
        }
        families.sort();
        families.dedup();
        let (smallest, largest) = (*windows.iter().min()?, *windows.iter().max()?);
        (!group.contains('*')).then(|| Self { group: group.to_owned(), families, smallest, largest })
    }
}

/// The groups whose smallest window is larger than the largest of `window`, and whose models are
/// all of its family; smaller ones first.
pub(crate) fn larger(window: &Window, all: &[Window]) -> Vec<String> {
    let is_larger = |other: &&Window| other.smallest > window.largest && other.families == window.families;
    let mut found: Vec<&Window> = all.iter().filter(is_larger).collect();
    found.sort_by_key(|other| other.smallest);
    found.into_iter().map(|other| other.group.clone()).collect()
}

/// The name of a model without its size, date and stage: `gpt-4-32k-0613` and `gpt-4` are of one.
fn family(model: &str) -> String {
    let bare = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_size = |part: &str| part.strip_suffix(['k', 'm']).is_some_and(is_digits);
    let is_date = |part: &str| is_digits(part) && matches!(part.len(), 2 | 4 | 8);
    let is_stage = |part: &str| matches!(part, "preview" | "latest" | "exp");
    let mut parts = bare.split(['-', '@']);
    let mut family = parts.next().unwrap_or_default().to_owned();
    for part in parts.filter(|part| !is_size(part) && !is_date(part) && !is_stage(part)) {
        family.push('-');
        family += part;
    }
    family
}

#[cfg(test)]
mod tests {
    use super::{Window, family, larger};

    #[test]
    fn families_leave_out_size_date_and_stage() {
        for model in ["gpt-4", "gpt-4-32k", "gpt-4-0613", "openai/gpt-4-32k-0613", "gpt-4-1106-preview"] {
            assert_eq!(family(model), "gpt-4");
        }
        assert_eq!(family("gpt-3.5-turbo-16k"), "gpt-3.5-turbo");
        assert_eq!(family("claude-3-5-sonnet-20241022"), "claude-3-5-sonnet");
        assert_ne!(family("gpt-4o"), family("gpt-4o-mini"));
        assert_ne!(family("llama-3-8b"), family("llama-3-70b"));
    }

    #[test]
    fn larger_windows_of_the_family_follow_by_size() {
        let window = |group: &str, family: &str, smallest, largest| Window {
            group: group.to_owned(),
            families: vec![family.to_owned()],
            smallest,
            largest,
        };
        let all = [
            window("long", "gpt-4", 128_000, 128_000),
            window("mid", "gpt-4", 32_000, 32_000),
            window("mixed", "gpt-4", 8_000, 64_000),
            window("other", "claude", 200_000, 200_000),
        ];
        assert_eq!(larger(&window("short", "gpt-4", 8_000, 8_000), &all), ["mid", "long"]);
        assert!(larger(&all[0], &all).is_empty());
    }
}

//! The three settings sections of `LiteLLM` looked at as one, the right one first.

use crate::known::{self, HONOURED, REDIS};
use crate::reader::{Field, Section};
use crate::suggest;

/// A settings section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    Router,
    Litellm,
    General,
}

impl Home {
    const ALL: [Self; 3] = [Self::Router, Self::Litellm, Self::General];

    const fn name(self) -> &'static str {
        match self {
            Self::Router => "router_settings",
            Self::Litellm => "litellm_settings",
            Self::General => "general_settings",
        }
    }

    /// Keys without effect that nobody misses, and those that name something we do not do.
    const fn without_effect(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Router => (known::ROUTER_ELSEWHERE, &[]),
            Self::Litellm => (known::LITELLM_SILENT, known::LITELLM_ELSEWHERE),
            Self::General => (known::GENERAL_SILENT, known::GENERAL_ELSEWHERE),
        }
    }
}

/// Settings that stand in `router_settings` or `litellm_settings`, as most do.
pub(crate) const ROUTER: &[Home] = &[Home::Router, Home::Litellm];
/// Settings that stand in `router_settings` alone.
pub(crate) const ROUTER_ONLY: &[Home] = &[Home::Router];
/// Settings that stand in `litellm_settings`.
pub(crate) const LITELLM: &[Home] = &[Home::Litellm];
/// Settings that stand in `general_settings`.
pub(crate) const GENERAL: &[Home] = &[Home::General];

/// The three sections.
#[derive(Debug)]
pub(crate) struct Layers<'a> {
    router: Section<'a>,
    litellm: Section<'a>,
    general: Section<'a>,
}

impl<'a> Layers<'a> {
    /// The sections of the file `top`.
    pub(crate) fn new(top: &Section<'a>) -> Self {
        let section = |home: Home| top.section(home.name());
        Self { router: section(Home::Router), litellm: section(Home::Litellm), general: section(Home::General) }
    }

    /// One of the sections.
    pub(crate) fn section(&self, home: Home) -> &Section<'a> {
        match home {
            Home::Router => &self.router,
            Home::Litellm => &self.litellm,
            Home::General => &self.general,
        }
    }

    /// The setting `key`, which belongs in one of `homes`: the first there counts. Found
    /// elsewhere it counts too, with a warning.
    pub(crate) fn get(&self, key: &str, homes: &[Home]) -> Option<Field<'a>> {
        let others = Home::ALL.into_iter().filter(|home| !homes.contains(home));
        let mut found: Option<Field<'a>> = None;
        for home in homes.iter().copied().chain(others) {
            let Some(field) = self.section(home).get(key) else { continue };
            match &found {
                None => {
                    if !homes.contains(&home) {
                        let right = homes.first().map_or("", |home| home.name());
                        field.warn(format!("`{key}` belongs in {right}"), "it is honoured all the same");
                    }
                    found = Some(field);
                }
                Some(first) if first.node.value != field.node.value => {
                    field.warn(format!("{} is set as well", first.path), "that one counts");
                }
                Some(_) => {}
            }
        }
        found
    }

    /// Warns of every key that has no effect here.
    pub(crate) fn warn_of_others(&self) {
        for home in Home::ALL {
            self.warn_in(home);
        }
    }

    fn warn_in(&self, home: Home) {
        let section = self.section(home);
        let (silent, elsewhere) = home.without_effect();
        let mut not_done = Vec::new();
        for (key, field) in section.fields() {
            if HONOURED.contains(&key) || REDIS.contains(&key) || silent.contains(&key) || key == "custom_auth" {
                continue;
            }
            if elsewhere.contains(&key) {
                not_done.push(key);
            } else if let Some(right) = known_in(key) {
                field.warn(format!("`{key}` belongs in {}", right.name()), "it has no effect in this router");
            } else {
                let names = HONOURED.iter().chain(silent).chain(elsewhere).copied();
                let hint = suggest::did_you_mean(key, names);
                let hint = if hint.is_empty() { "it has no effect".to_owned() } else { hint };
                field.warn(format!("{} has no setting `{key}`", home.name()), hint);
            }
        }
        if !not_done.is_empty() {
            section.warn(format!("not done by this router: {}", not_done.join(", ")), "these settings have no effect");
        }
    }
}

fn known_in(key: &str) -> Option<Home> {
    Home::ALL.into_iter().find(|home| {
        let (silent, elsewhere) = home.without_effect();
        silent.contains(&key) || elsewhere.contains(&key)
    })
}

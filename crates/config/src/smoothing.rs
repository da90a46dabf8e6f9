//! How evenly a deployment's limits are spent within their minute.

use std::time::Duration;

use weighbridge_domain::limits::Smoothing;

use crate::entry::Entry;
use crate::reader::{Field, Section};
use crate::suggest;

/// How long a request waits for its turn before another deployment is asked.
const PATIENCE: Duration = Duration::from_millis(250);

/// What may be written as `window`, and how much each lets come at once, as time of a limit's rate:
/// `OpenAI` and Azure measure seconds as well as minutes, and Anthropic refills a bucket.
const PRESETS: &[(&str, Option<Duration>)] = &[
    ("ring", None),
    ("openai", Some(Duration::from_secs(1))),
    ("azure", Some(Duration::from_secs(1))),
    ("anthropic", Some(Duration::from_secs(6))),
    ("bedrock", None),
    ("generic", None),
];

/// What holds for deployments that name no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Windows {
    /// All of a minute's limit may come at once.
    #[default]
    Ring,
    /// As the provider measures, where that is known.
    ByProvider,
}

/// What the section `state` of `top` says of windows.
pub(crate) fn windows(top: &Section<'_>) -> Windows {
    let Some(field) = top.section("state").get("window") else { return Windows::Ring };
    match field.text().as_deref() {
        Some("by_provider") => Windows::ByProvider,
        Some("ring") | None => Windows::Ring,
        Some(_) => {
            field.error(format!("{} is not known", field.shown()), "ring or by_provider");
            Windows::Ring
        }
    }
}

/// The smoothing of `entry` at `provider`: its `burst`, else its `window`, else what `windows` says.
pub(crate) fn read(entry: &Entry<'_>, windows: Windows, provider: &str, rpm: Option<u32>) -> Option<Smoothing> {
    let named = entry.limit("window").and_then(|field| preset(&field));
    let usual = match windows {
        Windows::Ring => None,
        Windows::ByProvider => burst_of(provider).flatten(),
    };
    let own = entry.limit("burst").and_then(|field| own(&field, rpm));
    let burst = own.or(named.unwrap_or(usual))?;
    Some(Smoothing { burst, patience: PATIENCE })
}

/// So many requests as time of `rpm`.
fn own(field: &Field<'_>, rpm: Option<u32>) -> Option<Duration> {
    let requests = field.number()?;
    match rpm.filter(|rpm| *rpm > 0) {
        Some(rpm) => Some(Duration::from_secs_f64((requests * 60.0 / f64::from(rpm)).min(60.0))),
        None => {
            field.warn("a burst is one of requests within an rpm", "write `rpm` as well; as it is, it has no effect");
            None
        }
    }
}

/// What the window that is written lets come at once.
fn preset(field: &Field<'_>) -> Option<Option<Duration>> {
    let name = field.text()?;
    let found = burst_of(&name);
    if found.is_none() {
        let mut hint = suggest::did_you_mean(&name, PRESETS.iter().map(|(name, _)| *name));
        if hint.is_empty() {
            hint = "it has no effect; ring, openai, azure, anthropic, bedrock or generic would".to_owned();
        }
        field.warn(format!("there is no window {}", field.shown()), hint);
    }
    found
}

fn burst_of(name: &str) -> Option<Option<Duration>> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, burst)| *burst)
}

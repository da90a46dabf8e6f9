//! `cb_config`: a circuit breaker for each target below it.

use std::time::Duration;

use weighbridge_domain::policy::{Breaker, StatusSet};

use super::at::{At, Problems};

/// The shortest rest, which Portkey has as well.
const SHORTEST: Duration = Duration::from_secs(30);
/// Outcomes that a share needs where nothing is said.
const LEAST: u32 = 5;

const KEYS: &[&str] = &[
    "failure_threshold",
    "failure_threshold_percentage",
    "cooldown_interval",
    "failure_status_codes",
    "minimum_requests",
];

/// The breaker that `at` describes, and how long it stays open; `None` when it says too little to be one.
pub(super) fn read(at: &At<'_>, problems: &Problems) -> Option<(Breaker, Duration)> {
    at.object(problems)?;
    at.warn_of_strangers(KEYS, &[], problems);
    let count = |key: &str| at.get(key).and_then(|field| field.count(problems));
    let percent = at.get("failure_threshold_percentage").and_then(|field| {
        let percent = field.number(problems)?;
        if !(0.0..=100.0).contains(&percent) {
            problems.error(&field.path, "Number must be from 0 to 100");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 100; the cast saturates")]
        Some((percent.ceil() as u8).clamp(1, 100))
    });
    let failures = count("failure_threshold").map(|failures| failures.max(1));
    let lasts = at.get("cooldown_interval").and_then(|field| field.millis(problems));
    let statuses = at.get("failure_status_codes").map(|field| StatusSet::of(&field.statuses(problems)));
    let least = count("minimum_requests").unwrap_or(LEAST);
    let Some(lasts) = lasts.filter(|_| failures.is_some() || percent.is_some()) else {
        problems.warn(
            &at.path,
            "a breaker needs cooldown_interval and failure_threshold or failure_threshold_percentage; it never opens",
        );
        return None;
    };
    Some((Breaker { failures, percent, least, statuses }, lasts.max(SHORTEST)))
}

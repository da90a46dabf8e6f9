//! What a target takes over from what stands above it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use weighbridge_domain::drop_path::{self, DropPath};
use weighbridge_domain::plan::RetryAfter;
use weighbridge_domain::policy::Breaker;

use super::at::{At, Problems};
use super::{Above, breaker};

/// Statuses that are retried where nothing is said.
const RETRIED: &[u16] = &[429, 500, 502, 503, 504, 529];

/// The most paths that are taken out of one body.
const MOST_DROPS: usize = 64;

/// What holds at some place of a config object.
#[derive(Debug, Clone)]
pub(super) struct Inherited<'a> {
    pub(super) overrides: Map<String, Value>,
    pub(super) defaults: Map<String, Value>,
    pub(super) drops: Vec<DropPath>,
    pub(super) retry: Option<Retry>,
    pub(super) timeout: Option<Duration>,
    pub(super) custom_host: Option<At<'a>>,
    pub(super) forward_headers: Vec<String>,
    pub(super) breaker: Option<(Breaker, Duration)>,
    above: &'a Above,
}

/// `retry`.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    pub(super) attempts: u32,
    pub(super) on: Arc<[u16]>,
    pub(super) after: RetryAfter,
}

impl<'a> Inherited<'a> {
    /// Nothing but what the request's headers say.
    pub(super) fn new(above: &'a Above) -> Self {
        Self {
            overrides: Map::new(),
            defaults: Map::new(),
            drops: Vec::new(),
            retry: None,
            timeout: None,
            custom_host: None,
            forward_headers: above.forward_headers.clone().unwrap_or_default(),
            breaker: None,
            above,
        }
    }

    /// This, and what `node` says itself: body fields are merged, the rest is replaced.
    pub(super) fn at(&self, node: &At<'a>, problems: &Problems) -> Self {
        let mut here = self.clone();
        for (key, fields) in [("override_params", &mut here.overrides), ("default_params", &mut here.defaults)] {
            if let Some(own) = node.get(key).and_then(|field| field.object(problems)) {
                fields.extend(own.clone());
            }
        }
        if let Some(field) = node.get("drop_params") {
            here.drops.extend(drops(&field, problems));
            if here.drops.len() > MOST_DROPS {
                problems.error(&field.path, format!("There are more than {MOST_DROPS} paths, with those above"));
            }
        }
        if let Some(field) = node.get("retry") {
            here.retry = retry(&field, problems).or(here.retry);
        }
        if let Some(field) = node.get("request_timeout") {
            here.timeout = field.millis(problems);
        }
        if let Some(field) = node.get("custom_host") {
            here.custom_host = Some(field);
        }
        if let (Some(field), None) = (node.get("forward_headers"), &self.above.forward_headers) {
            here.forward_headers = forward_headers(&field, problems);
        }
        if let Some(field) = node.get("cb_config") {
            here.breaker = breaker::read(&field, problems);
        }
        here
    }
}

fn drops(field: &At<'_>, problems: &Problems) -> Vec<DropPath> {
    let path = |item: At<'_>| {
        let path = drop_path::parse(item.text(problems)?);
        if path.is_none() {
            problems.error(&item.path, "A path is written like a.b, a[0].b or a[*].b");
        }
        path
    };
    field.items(problems).into_iter().filter_map(path).collect()
}

fn retry(field: &At<'_>, problems: &Problems) -> Option<Retry> {
    const KEYS: &[&str] = &["attempts", "on_status_codes", "use_retry_after_header", "use_retry_after_headers"];
    const MISTAKES: &[(&str, &str)] = &[
        ("count", "write `attempts`"),
        ("max_attempts", "write `attempts`"),
        ("delay", "pauses are 1, 2, 4, 8 and 16 seconds"),
        ("backoff", "pauses are 1, 2, 4, 8 and 16 seconds"),
        ("backoff_factor", "pauses are 1, 2, 4, 8 and 16 seconds"),
        ("base_delay_ms", "pauses are 1, 2, 4, 8 and 16 seconds"),
        ("max_delay_ms", "pauses are 1, 2, 4, 8 and 16 seconds"),
    ];
    field.object(problems)?;
    field.warn_of_strangers(KEYS, MISTAKES, problems);
    let Some(attempts) = field.get("attempts") else {
        problems.error(&field.path_to("attempts"), "Required");
        return None;
    };
    let heeds = ["use_retry_after_header", "use_retry_after_headers"].iter().filter_map(|key| field.get(key));
    let heeds = heeds.fold(false, |heeds, field| heeds | field.flag(problems));
    let on = field.get("on_status_codes").map(|codes| codes.statuses(problems));
    Some(Retry {
        attempts: attempts.count(problems)?,
        on: on.map_or_else(|| RETRIED.into(), Into::into),
        after: if heeds { RetryAfter::Heed } else { RetryAfter::Ignore },
    })
}

fn forward_headers(field: &At<'_>, problems: &Problems) -> Vec<String> {
    let names: Vec<String> = field.texts(problems).iter().map(|name| name.to_ascii_lowercase()).collect();
    if names.iter().any(|name| name == "x-portkey-forward-headers") {
        problems.error(&field.path, "forward_headers must not contain the 'x-portkey-forward-headers' header");
    }
    names
}

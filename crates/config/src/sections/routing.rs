//! `routing`, and what `LiteLLM`'s sections say about routing as a whole.

use weighbridge_domain::settings::{RoutingSettings, WhenAllCooling};

use crate::layers::{GENERAL, Home, Layers, ROUTER, ROUTER_ONLY};
use crate::reader::{Field, Section};

/// How the larger siblings of a group are found.
#[derive(Debug)]
pub(crate) enum Siblings<'a> {
    /// By names and windows.
    Auto,
    /// There are none.
    Off,
    /// As listed.
    Listed(Field<'a>),
}

/// The settings, and how larger siblings are found.
pub(crate) fn read<'a>(top: &Section<'a>, layers: &Layers<'a>) -> (RoutingSettings, Siblings<'a>) {
    let mut settings = from_layers(layers);
    let routing = top.section("routing");
    routing.only(&["max_wait", "when_all_cooling", "fallback_budget", "context_window_siblings"]);
    let seconds = |key: &str| routing.get(key).and_then(|field| field.seconds());
    settings.max_wait = seconds("max_wait").unwrap_or(settings.max_wait);
    settings.fallback_budget = seconds("fallback_budget").unwrap_or(settings.fallback_budget);
    if let Some(field) = routing.get("when_all_cooling") {
        match field.text().as_deref() {
            Some("least_bad") => settings.when_all_cooling = WhenAllCooling::LeastBad,
            Some("refuse") => settings.when_all_cooling = WhenAllCooling::Refuse,
            Some(_) => field.error(format!("{} is not known", field.shown()), "least_bad or refuse"),
            None => {}
        }
    }
    (settings, siblings(&routing))
}

fn siblings<'a>(routing: &Section<'a>) -> Siblings<'a> {
    let Some(field) = routing.get("context_window_siblings") else { return Siblings::Auto };
    if field.as_section().is_some() {
        return Siblings::Listed(field);
    }
    match field.text().as_deref() {
        // YAML 1.1 reads a bare `off` as false.
        Some("off" | "false") => Siblings::Off,
        Some("auto" | "true") | None => Siblings::Auto,
        Some(_) => {
            field.error(format!("{} is not known", field.shown()), "auto, off, or a map of groups to larger groups");
            Siblings::Auto
        }
    }
}

fn from_layers(layers: &Layers<'_>) -> RoutingSettings {
    let defaults = RoutingSettings::default();
    let count = |key: &str, homes: &[Home]| layers.get(key, homes).and_then(|field| field.count());
    let flag = |key: &str, homes: &[Home]| layers.get(key, homes).and_then(|field| field.flag());
    RoutingSettings {
        max_fallbacks: count("max_fallbacks", ROUTER).unwrap_or(defaults.max_fallbacks),
        max_retries_per_request: count("num_retries_per_request", &[Home::Litellm, Home::Router]),
        pre_call_checks: flag("enable_pre_call_checks", ROUTER_ONLY).unwrap_or(defaults.pre_call_checks),
        tag_filtering: flag("enable_tag_filtering", ROUTER_ONLY).unwrap_or(defaults.tag_filtering),
        tags_match_any: flag("tag_filtering_match_any", ROUTER_ONLY).unwrap_or(defaults.tags_match_any),
        client_credentials: flag("allow_client_side_credentials", GENERAL).unwrap_or(defaults.client_credentials),
        client_mocks: flag("dangerously_allow_mock_testing_request_params", GENERAL).unwrap_or(defaults.client_mocks),
        ..defaults
    }
}

//! What `LiteLLM`'s sections say about the HTTP side; above all the master key.

use weighbridge_domain::secret::Secret;
use weighbridge_domain::settings::ServerSettings;

use crate::layers::{GENERAL, Home, LITELLM, Layers};
use crate::reader::{Lookup, Reader};
use crate::sections::server::positive;

/// The settings of the HTTP side.
pub(crate) fn read(layers: &Layers<'_>, reader: &Reader<'_>) -> ServerSettings {
    refuse_custom_auth(layers);
    let mut settings = ServerSettings { master_key: master_key(layers, reader), ..ServerSettings::default() };
    if let Some(megabytes) = layers.get("max_request_size_mb", GENERAL).and_then(|field| field.number()) {
        let bytes = (megabytes * f64::from(1 << 20)).clamp(1.0, 4e9);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped just before")]
        let bytes = bytes as usize;
        settings.max_body_bytes = bytes;
    }
    if let Some(field) = layers.get("max_in_flight_requests_per_worker", GENERAL) {
        settings.max_concurrent_requests = positive(&field).unwrap_or(settings.max_concurrent_requests);
    }
    let json_logs = layers.get("json_logs", &[Home::Litellm, Home::General]).and_then(|field| field.flag());
    settings.json_logs = json_logs.unwrap_or_default();
    let guarded = layers.get("require_auth_for_metrics_endpoint", LITELLM).and_then(|field| field.flag());
    settings.metrics_need_key = guarded.unwrap_or_default();
    settings
}

/// The master key. One that is asked for and missing is an error: the router would be open.
fn master_key(layers: &Layers<'_>, reader: &Reader<'_>) -> Option<Secret> {
    let Some(field) = layers.get("master_key", GENERAL) else {
        return reader.variables.get("LITELLM_MASTER_KEY").map(Secret::new);
    };
    match field.lookup()? {
        Lookup::Found(key) if key.trim().is_empty() => {
            field.error("the master key is empty", "write a key, or remove the line to leave the router open");
            None
        }
        Lookup::Found(key) => {
            if matches!(key.as_str(), "sk-1234" | "sk-12345" | "sk-123456" | "your-master-key" | "sk-your-key") {
                field.warn(
                    "the master key is one that everybody knows",
                    "write a random one, as from `openssl rand -hex 32`",
                );
            }
            Some(Secret::new(key))
        }
        Lookup::Unset(name) => {
            field.error(
                format!("the environment variable {name} is not set"),
                "without it the router would be open; set it, or remove the line",
            );
            None
        }
    }
}

/// Code that decides who may come in cannot run here, and leaving it out would let everybody in.
fn refuse_custom_auth(layers: &Layers<'_>) {
    for home in [Home::General, Home::Litellm, Home::Router] {
        if let Some(field) = layers.section(home).get("custom_auth") {
            field.error("Python code cannot check keys here", "remove custom_auth and use master_key");
        }
    }
}

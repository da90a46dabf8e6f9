//! What `LiteLLM`'s sections say about the HTTP side; above all the master key.

use weighbridge_domain::secret::Secret;
use weighbridge_domain::settings::{Access, ServerSettings};

use crate::layers::{GENERAL, Home, LITELLM, Layers};
use crate::reader::{Lookup, Reader};
use crate::sections::server::positive;

/// The settings of the HTTP side.
pub(crate) fn read(layers: &Layers<'_>, reader: &Reader<'_>) -> ServerSettings {
    refuse_custom_auth(layers);
    let mut settings = ServerSettings { access: access(layers, reader), ..ServerSettings::default() };
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

/// Who is let in. A master key that is asked for and missing lets nobody in: an open router would
/// be worse, and a file must load where its secrets are not.
fn access(layers: &Layers<'_>, reader: &Reader<'_>) -> Access {
    let Some(field) = layers.get("master_key", GENERAL) else {
        let by_custom = reader.variables.get("LITELLM_MASTER_KEY");
        return by_custom.map_or(Access::Open, |key| Access::Key(Secret::new(key)));
    };
    match field.lookup() {
        None => Access::Open,
        Some(Lookup::Found(key)) if key.trim().is_empty() => {
            field.warn(
                "the master key is empty",
                "nobody is let in; write a key, or remove the line to open the router",
            );
            Access::Locked
        }
        Some(Lookup::Found(key)) => {
            if matches!(key.as_str(), "sk-1234" | "sk-12345" | "sk-123456" | "your-master-key" | "sk-your-key") {
                field.warn(
                    "the master key is one that everybody knows",
                    "write a random one, as from `openssl rand -hex 32`",
                );
            }
            Access::Key(Secret::new(key))
        }
        Some(Lookup::Unset(name)) => {
            field.warn(
                format!("the environment variable {name} is not set"),
                "nobody is let in until it is; remove the line to open the router",
            );
            Access::Locked
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

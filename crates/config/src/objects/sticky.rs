//! `strategy.sticky`: sessions that stay with the target they were given.

use std::time::Duration;

use weighbridge_domain::plan::{FactKey, Sticky};

use super::at::{At, Problems};

/// How long a session lasts where nothing is said, as Portkey's documentation has it.
const USUAL: Duration = Duration::from_secs(3600);

const FIELDS: &str = "hash_fields must start with \"metadata.\", \"params.\", or \"headers.\"";

/// What `strategy` says of sessions, under either name; `None` when it wants none.
pub(super) fn read(strategy: &At<'_>, problems: &Problems) -> Option<Sticky> {
    let sticky = strategy.get("sticky").or_else(|| strategy.get("sticky_session"))?;
    sticky.object(problems)?;
    sticky.warn_of_strangers(&["enabled", "hash_fields", "ttl"], &[], problems);
    if sticky.get("enabled").is_some_and(|enabled| !enabled.flag(problems)) {
        return None;
    }
    let fields = sticky.get("hash_fields").map_or_else(Vec::new, |fields| fields.items(problems));
    let fields = fields.iter().filter_map(|field| {
        let key = fact(field.text(problems)?);
        if key.is_none() {
            problems.error(&field.path, FIELDS);
        }
        key
    });
    let fields = fields.collect();
    let ttl = sticky.get("ttl").and_then(|ttl| {
        let seconds = ttl.number(problems)?;
        if seconds <= 0.0 {
            problems.error(&ttl.path, "Number must be greater than 0");
        }
        Some(Duration::from_secs_f64(seconds.clamp(1.0, 1e9)))
    });
    Some(Sticky { fields, lasts: ttl.unwrap_or(USUAL) })
}

/// `metadata.user_id`, `params.user`, `headers.x-session`.
fn fact(text: &str) -> Option<FactKey> {
    let (place, name) = text.split_once('.').filter(|(_, name)| !name.is_empty())?;
    let names = || name.split('.').map(str::to_owned).collect();
    match place {
        "metadata" => Some(FactKey::Metadata(names())),
        "params" => Some(FactKey::Param(names())),
        "headers" => Some(FactKey::Header(name.to_ascii_lowercase())),
        _ => None,
    }
}

//! The credential of a deployment: its own, its provider's, or what the environment holds by custom.

mod aws;
mod entra;
mod google;
#[cfg(test)]
pub(crate) mod tests;

use weighbridge_domain::deployment::Auth;
use weighbridge_domain::provider::{AuthStyle, PathStyle, Provider};
use weighbridge_domain::secret::Secret;

use crate::entry::Entry;
use crate::reader::{Field, Lookup};
use crate::sections::providers::Providers;

/// The credential that `entry` has at `provider`, or why it has none. What it names itself counts for more than the
/// environment, and a key for more than what has to be exchanged for a token.
pub(crate) fn read(entry: &Entry<'_>, provider: &Provider, providers: &Providers<'_>) -> Result<Auth, String> {
    let style = &provider.auth;
    if let Some(field) = entry.param("azure_ad_token") {
        return Ok(Auth::Bearer(secret(&field)?));
    }
    if *style == AuthStyle::None {
        return Ok(Auth::None);
    }
    let named = entry.param("api_key").or_else(|| providers.key(&provider.name));
    if let Some(key) = named.map(|field| secret(&field)).transpose()?.filter(|key| !key.reveal().is_empty()) {
        return Ok(keyed(style, key));
    }
    if let Some(auth) = named_cloud(entry, style)? {
        return Ok(auth);
    }
    let variables = entry.reader().variables;
    if let Some(key) = provider.key_variables.iter().find_map(|name| variables.get(name)) {
        return Ok(keyed(style, Secret::new(key)));
    }
    if let Some(auth) = usual_cloud(entry, style)? {
        return Ok(auth);
    }
    // Somebody's own server behind an OpenAI-compatible API: it may well need no key.
    let has_own_base = entry.param("api_base").or_else(|| entry.param("base_url")).is_some();
    if provider.key_optional || (has_own_base && provider.paths == PathStyle::Plain) {
        return Ok(Auth::None);
    }
    Err(match provider.key_variables.first() {
        Some(name) => format!("it has no api_key, and {name} is not set"),
        None => "it has no api_key".to_owned(),
    })
}

/// How `key` travels to a provider of this style.
pub(crate) fn keyed(style: &AuthStyle, key: Secret) -> Auth {
    match style {
        AuthStyle::None => Auth::None,
        // A key for Google's API begins so; an access token does not.
        AuthStyle::Google if ["AIza", "AQ."].iter().any(|start| key.reveal().starts_with(start)) => {
            Auth::Header { name: "x-goog-api-key".to_owned(), secret: key }
        }
        AuthStyle::Bearer | AuthStyle::Aws { .. } | AuthStyle::Google => Auth::Bearer(key),
        AuthStyle::Header(name) | AuthStyle::Entra { key_header: name } => {
            Auth::Header { name: name.clone(), secret: key }
        }
        AuthStyle::Query(name) => Auth::Query { name: name.clone(), secret: key },
    }
}

/// What the entry itself says of a cloud's credentials.
fn named_cloud(entry: &Entry<'_>, style: &AuthStyle) -> Result<Option<Auth>, String> {
    match style {
        AuthStyle::Aws { service } => aws::named(entry, service),
        AuthStyle::Google => google::named(entry),
        AuthStyle::Entra { .. } => entra::named(entry),
        AuthStyle::Bearer | AuthStyle::Header(_) | AuthStyle::Query(_) | AuthStyle::None => Ok(None),
    }
}

/// What the environment says of a cloud's credentials, or where the cloud's own tools would look.
fn usual_cloud(entry: &Entry<'_>, style: &AuthStyle) -> Result<Option<Auth>, String> {
    match style {
        AuthStyle::Aws { service } => aws::usual(entry, service).map(Some),
        AuthStyle::Google => google::usual(entry).map(Some),
        AuthStyle::Entra { .. } => Ok(entra::usual(entry)),
        AuthStyle::Bearer | AuthStyle::Header(_) | AuthStyle::Query(_) | AuthStyle::None => Ok(None),
    }
}

/// `base` with its holes filled: `{region}` with a region of AWS; `{project}`, `{location}` and `{google_host}` with what
/// Google Cloud has for them.
pub(crate) fn placed(base: &str, entry: &Entry<'_>) -> Result<String, String> {
    if base.contains("{region}") {
        return Ok(base.replace("{region}", &aws::region(entry)?));
    }
    if base.contains("{google_host}") || base.contains("{project}") || base.contains("{location}") {
        return Ok(google::fill(base, &google::project(entry)?, &google::location(entry)?));
    }
    Ok(base.to_owned())
}

/// Project and location of Google Cloud, or which of them is missing.
pub(crate) fn google_place(entry: &Entry<'_>) -> Result<(String, String), String> {
    Ok((google::project(entry)?, google::location(entry)?))
}

pub(crate) use self::aws::is_region;
pub(crate) use self::google::{Key, fill as fill_google, is_project};

/// A text that can be sent in a header.
fn secret(field: &Field<'_>) -> Result<Secret, String> {
    match field.lookup() {
        Some(Lookup::Found(text)) if text.trim().bytes().any(|b| b < b' ' || b == 127) => {
            Err("its key holds control characters".to_owned())
        }
        Some(Lookup::Found(text)) => Ok(Secret::new(text.trim().to_owned())),
        Some(Lookup::Unset(name)) => Err(format!("{name} is not set")),
        None => Err("its key is no text".to_owned()),
    }
}

/// The setting `key` of `entry` as text; `None` when it has none.
fn text(entry: &Entry<'_>, key: &str) -> Result<Option<String>, String> {
    let Some(field) = entry.param(key) else { return Ok(None) };
    let text = secret(&field).map_err(|why| why.replace("its key", &format!("its {key}")))?;
    Ok(Some(text.reveal().to_owned()).filter(|text| !text.is_empty()))
}

/// The first of `names` that is set.
fn variable(entry: &Entry<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| entry.reader().variables.get(name)).map(|text| text.trim().to_owned())
}

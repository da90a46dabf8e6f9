//! Credentials of Microsoft Entra.

use std::sync::Arc;

use weighbridge_domain::credential::EntraCredential;
use weighbridge_domain::deployment::Auth;
use weighbridge_domain::secret::Secret;

use super::{text, variable};
use crate::entry::Entry;

/// An application that the entry names. What it leaves open may stand in the environment.
pub(super) fn named(entry: &Entry<'_>) -> Result<Option<Auth>, String> {
    const KEYS: [(&str, &str); 3] =
        [("tenant_id", "AZURE_TENANT_ID"), ("client_id", "AZURE_CLIENT_ID"), ("client_secret", "AZURE_CLIENT_SECRET")];
    // A client_id alone may name an identity of another kind.
    if entry.param("tenant_id").is_none() && entry.param("client_secret").is_none() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for (key, name) in KEYS {
        match text(entry, key)?.or_else(|| variable(entry, &[name])) {
            Some(text) => found.push(text),
            None => return Err(format!("it has no {key}, and {name} is not set")),
        }
    }
    let [tenant_id, client_id, client_secret] = &found[..] else { return Ok(None) };
    Ok(Some(auth(entry, tenant_id, client_id, client_secret)))
}

/// The application of the environment, when all of it is there.
pub(super) fn usual(entry: &Entry<'_>) -> Option<Auth> {
    let tenant_id = variable(entry, &["AZURE_TENANT_ID"])?;
    let client_id = variable(entry, &["AZURE_CLIENT_ID"])?;
    let client_secret = variable(entry, &["AZURE_CLIENT_SECRET"])?;
    Some(auth(entry, &tenant_id, &client_id, &client_secret))
}

fn auth(entry: &Entry<'_>, tenant_id: &str, client_id: &str, client_secret: &str) -> Auth {
    let authority = variable(entry, &["AZURE_AUTHORITY_HOST"]);
    let authority = authority.as_deref().unwrap_or(EntraCredential::AUTHORITY).trim_end_matches('/').to_owned();
    let scope = text(entry, "azure_scope").ok().flatten().or_else(|| variable(entry, &["AZURE_SCOPE"]));
    Auth::Entra(Arc::new(EntraCredential {
        tenant_id: tenant_id.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: Secret::new(client_secret),
        authority: if authority.contains("://") { authority } else { format!("https://{authority}") },
        scope: scope.unwrap_or_else(|| EntraCredential::SCOPE.to_owned()),
    }))
}

//! Tokens of Microsoft Entra, for an application and its secret.

use std::sync::Arc;

use weighbridge_domain::credential::EntraCredential;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;

use super::failed;
use super::kept::Lease;
use super::token;
use crate::transport::Transport;

/// A fresh token for `credential`.
pub(super) async fn fetch(
    credential: Arc<EntraCredential>,
    transport: Arc<dyn Transport>,
    now: Timestamp,
) -> Result<Lease<Secret>, Failure> {
    let url = format!("{}/{}/oauth2/v2.0/token", credential.authority.trim_end_matches('/'), credential.tenant_id);
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", credential.client_id.as_str()),
        ("client_secret", credential.client_secret.reveal()),
        ("scope", &credential.scope),
    ];
    let told = |why: &str| {
        failed(format!(
            "no token of Microsoft Entra: {why}; check tenant_id, client_id and client_secret, and the scope"
        ))
    };
    let request = token::form(&url, &fields).ok_or_else(|| told("the authority and tenant_id make no URL"))?;
    token::ask(transport.as_ref(), request, now).await.map_err(|why| told(&why))
}

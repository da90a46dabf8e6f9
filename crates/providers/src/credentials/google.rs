//! Tokens of Google Cloud, for a service account's key, a user's consent, or the machine's own account.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderValue, Method};
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use weighbridge_domain::credential::GoogleCredential;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;

use super::failed;
use super::kept::Lease;
use super::token;
use crate::transport::Transport;

/// What tokens are for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Where tokens come from when a credential does not say.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// How long an assertion holds; no more is allowed.
const ASSERTED: u64 = 3600;

/// A fresh token for `credential`.
pub(super) async fn fetch(
    credential: Arc<GoogleCredential>,
    transport: Arc<dyn Transport>,
    now: Timestamp,
) -> Result<Lease<Secret>, Failure> {
    let token = match &*credential {
        GoogleCredential::Key(json) => exchange(transport.as_ref(), json.reveal().as_bytes(), now).await,
        GoogleCredential::File(path) => match tokio::task::spawn_blocking(read(path)).await {
            Ok(Ok(json)) => exchange(transport.as_ref(), &json, now).await,
            Ok(Err(_)) | Err(_) => Err((
                "the file cannot be read".to_owned(),
                "the path in vertex_credentials or GOOGLE_APPLICATION_CREDENTIALS",
            )),
        },
        GoogleCredential::Metadata(host) => ask_machine(transport.as_ref(), host, now).await,
    };
    token.map_err(|(why, check)| failed(format!("no token of Google Cloud: {why}; check {check}")))
}

/// What went wrong, and where to look.
type Trouble = (String, &'static str);

fn read(path: &str) -> impl FnOnce() -> std::io::Result<Vec<u8>> + use<> {
    let path = path.to_owned();
    move || std::fs::read(path)
}

/// What Google's credential files hold, of whichever type.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
}

async fn exchange(transport: &dyn Transport, json: &[u8], now: Timestamp) -> Result<Lease<Secret>, Trouble> {
    let lacking =
        |what: &str| (format!("the credential {what}"), "that it is a service account's key as Google wrote it");
    let written: Written = serde_json::from_slice(json).map_err(|_| lacking("is no JSON of Google's"))?;
    let uri = written.token_uri.as_deref().unwrap_or(TOKEN_URI);
    let request = match written.kind.as_deref() {
        Some("authorized_user") => {
            let (Some(id), Some(secret), Some(token)) =
                (&written.client_id, &written.client_secret, &written.refresh_token)
            else {
                return Err(lacking("has no client_id, client_secret or refresh_token"));
            };
            let grant = ("grant_type", "refresh_token");
            token::form(uri, &[grant, ("client_id", id), ("client_secret", secret), ("refresh_token", token)])
        }
        Some("service_account") | None => {
            let assertion = assertion(&written, uri, now).map_err(lacking)?;
            let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
            token::form(uri, &[grant, ("assertion", &assertion)])
        }
        Some(_) => return Err(lacking("is of a type that is not known here")),
    };
    let request = request.ok_or_else(|| lacking("has a token_uri that is no URL"))?;
    let check = "that the account's key is still valid and the clock is right";
    token::ask(transport, request, now).await.map_err(|why| (why, check))
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

/// A service account's own word that it asks for a token: a JWT, signed with its key.
fn assertion(written: &Written, uri: &str, now: Timestamp) -> Result<String, &'static str> {
    let (Some(email), Some(key)) = (&written.client_email, &written.private_key) else {
        return Err("has no client_email or private_key");
    };
    let header = Header { alg: "RS256", typ: "JWT", kid: written.private_key_id.as_deref() };
    let iat = now.as_secs();
    let claims = Claims { iss: email, scope: SCOPE, aud: uri, iat, exp: iat + ASSERTED };
    let (Ok(header), Ok(claims)) = (serde_json::to_vec(&header), serde_json::to_vec(&claims)) else {
        return Err("cannot be written as a JWT");
    };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = signature(key, signed.as_bytes()).ok_or("has a private_key that is no RSA key in PEM")?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn signature(pem: &str, signed: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).ok()?;
    key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])?.sign(signed).ok()
}

/// A token of the account that the machine runs as.
async fn ask_machine(transport: &dyn Transport, host: &str, now: Timestamp) -> Result<Lease<Secret>, Trouble> {
    let check = "that this machine has a service account, or set vertex_credentials or GOOGLE_APPLICATION_CREDENTIALS";
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let request = token::request(Method::GET, &url, Bytes::new());
    let mut request = request.ok_or_else(|| ("the metadata server's host is none".to_owned(), check))?;
    request.headers_mut().insert("metadata-flavor", HeaderValue::from_static("Google"));
    token::ask(transport, request, now).await.map_err(|why| (why, check))
}

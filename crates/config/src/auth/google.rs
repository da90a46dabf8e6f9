//! Credentials of Google Cloud, and the places of its API.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use weighbridge_domain::credential::GoogleCredential;
use weighbridge_domain::deployment::Auth;
use weighbridge_domain::secret::Secret;

use super::{text, variable};
use crate::entry::Entry;
use crate::json;
use crate::reader::Lookup;
use crate::yaml::Value;

/// Where Google's own tools look for models when nothing is said.
const LOCATION: &str = "us-central1";
const METADATA: &str = "metadata.google.internal";

const CREDENTIALS: &[&str] = &["vertex_credentials", "vertex_ai_credentials"];

/// A key that the entry names: a path, or the JSON itself.
pub(super) fn named(entry: &Entry<'_>) -> Result<Option<Auth>, String> {
    let Some(field) = CREDENTIALS.iter().find_map(|key| entry.param(key)) else { return Ok(None) };
    let written = match &field.node.value {
        Value::Map(_) => json::value(&field).to_string(),
        _ => match field.lookup() {
            Some(Lookup::Found(text)) => text,
            Some(Lookup::Unset(name)) => return Err(format!("{name} is not set (its vertex_credentials)")),
            None => return Err("its vertex_credentials are neither a path nor JSON".to_owned()),
        },
    };
    if written.trim().is_empty() {
        return Ok(None);
    }
    credential(&written, "its vertex_credentials").map(|credential| Some(Auth::Google(Arc::new(credential))))
}

/// What Google's own tools would take: a file that the environment names, the one that `gcloud` leaves, the machine's account.
pub(super) fn usual(entry: &Entry<'_>) -> Result<Auth, String> {
    for name in ["VERTEXAI_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS"] {
        if let Some(written) = variable(entry, &[name]) {
            return credential(&written, name).map(|credential| Auth::Google(Arc::new(credential)));
        }
    }
    let directory = variable(entry, &["CLOUDSDK_CONFIG"]);
    let directory = directory.or_else(|| Some(format!("{}/.config/gcloud", variable(entry, &["HOME"])?)));
    let left = directory.map(|directory| format!("{directory}/application_default_credentials.json"));
    let credential = match left.filter(|path| Path::new(path).is_file()) {
        Some(path) => GoogleCredential::File(path),
        None => {
            GoogleCredential::Metadata(variable(entry, &["GCE_METADATA_HOST"]).unwrap_or_else(|| METADATA.to_owned()))
        }
    };
    Ok(Auth::Google(Arc::new(credential)))
}

/// A path whose file can be read, or JSON; either must be a credential that can be exchanged.
fn credential(written: &str, what: &str) -> Result<GoogleCredential, String> {
    let written = written.trim();
    if written.starts_with('{') {
        Key::parse(written).map_err(|why| format!("{what}: {why}"))?;
        return Ok(GoogleCredential::Key(Secret::new(written)));
    }
    let json = std::fs::read_to_string(written).map_err(|error| format!("{what}: the file cannot be read: {error}"))?;
    Key::parse(&json).map_err(|why| format!("{what}: in the file, {why}"))?;
    Ok(GoogleCredential::File(written.to_owned()))
}

/// What can be read of a credential of Google's without using it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Whether it is a service account's; else a user's.
    pub(crate) is_service_account: bool,
    pub(crate) project: Option<String>,
    pub(crate) token_uri: Option<String>,
}

impl Key {
    /// What `json` is.
    ///
    /// # Errors
    /// Why it is of no use here.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let value: Json = serde_json::from_str(json).map_err(|_| "it is no JSON".to_owned())?;
        let text = |key: &str| value.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
        let (is_service_account, needed): (_, &[&str]) = match text("type") {
            Some("service_account") | None => (true, &["client_email", "private_key"]),
            Some("authorized_user") => (false, &["client_id", "client_secret", "refresh_token"]),
            Some(kind) => {
                return Err(format!("credentials of type {kind:?} are not known here; use a service account's key"));
            }
        };
        if let Some(missing) = needed.iter().find(|key| text(key).is_none()) {
            return Err(format!("it has no {missing}"));
        }
        let project = text("project_id").or_else(|| text("quota_project_id")).map(str::to_owned);
        Ok(Self { is_service_account, project, token_uri: text("token_uri").map(str::to_owned) })
    }
}

/// The project: the entry's, the environment's, or the one that the credential belongs to.
pub(super) fn project(entry: &Entry<'_>) -> Result<String, String> {
    const VARIABLES: &[&str] = &["VERTEXAI_PROJECT", "VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT"];
    let named = text(entry, "vertex_project")?.or(text(entry, "vertex_ai_project")?);
    match named.or_else(|| variable(entry, VARIABLES)).or_else(|| of_credential(entry)) {
        Some(project) if is_project(&project) => Ok(project),
        Some(_) => Err("its vertex_project is no project of Google Cloud".to_owned()),
        None => Err("it has no vertex_project, and VERTEXAI_PROJECT is not set".to_owned()),
    }
}

fn of_credential(entry: &Entry<'_>) -> Option<String> {
    let auth = named(entry).ok()?.or_else(|| usual(entry).ok())?;
    let Auth::Google(credential) = auth else { return None };
    let key = match &*credential {
        GoogleCredential::Key(json) => Key::parse(json.reveal()),
        GoogleCredential::File(path) => Key::parse(&std::fs::read_to_string(path).ok()?),
        GoogleCredential::Metadata(_) => return None,
    };
    key.ok()?.project
}

/// Whether `text` can be a project's id or number, and so a part of a path.
pub(crate) fn is_project(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:_".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('.')
}

/// The location.
pub(super) fn location(entry: &Entry<'_>) -> Result<String, String> {
    const VARIABLES: &[&str] = &["VERTEXAI_LOCATION", "VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION"];
    let named = text(entry, "vertex_location")?.or(text(entry, "vertex_ai_location")?).or(text(entry, "region_name")?);
    let location = named.or_else(|| variable(entry, VARIABLES)).unwrap_or_else(|| LOCATION.to_owned());
    if super::is_region(&location) { Ok(location) } else { Err("its vertex_location is no location".to_owned()) }
}

/// `base` with `{google_host}`, `{project}` and `{location}` filled.
pub(crate) fn fill(base: &str, project: &str, location: &str) -> String {
    let host = match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        _ => format!("{location}-aiplatform.googleapis.com"),
    };
    base.replace("{google_host}", &host).replace("{project}", project).replace("{location}", location)
}

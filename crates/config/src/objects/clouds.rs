//! Credentials of clouds that a config object brings. Only what it says itself counts: never a file, a profile or a role
//! of the router's own, which would be lent to whoever asks.

use std::sync::Arc;

use serde_json::Value;
use weighbridge_domain::credential::{AwsCredential, AwsKeys, AwsRole, AwsSource, EntraCredential, GoogleCredential};
use weighbridge_domain::deployment::Auth;
use weighbridge_domain::provider::{AuthStyle, Provider};
use weighbridge_domain::secret::Secret;

use super::at::At;
use super::host::Named;
use super::node::Compiler;
use crate::auth::{Key, fill_google, is_project, is_region};

/// Members that bring a credential.
pub(super) const BRINGS: &[&str] = &[
    "api_key",
    "azure_ad_token",
    "azure_auth_mode",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_role_arn",
    "vertex_service_account_json",
];

/// What a member said, or that it is in error.
type Read<T> = Result<Option<T>, ()>;

impl<'a> Compiler<'a> {
    /// The credential of a cloud that `target` brings; nothing where it brings none.
    ///
    /// # Errors
    /// After an error was noted.
    pub(super) fn cloud(&self, target: &At<'a>, provider: &Provider) -> Read<Auth> {
        match &provider.auth {
            AuthStyle::Aws { service } => self.aws(target, service),
            AuthStyle::Google => self.google(target),
            AuthStyle::Entra { .. } => self.entra(target),
            AuthStyle::Bearer | AuthStyle::Header(_) | AuthStyle::Query(_) | AuthStyle::None => Ok(None),
        }
    }

    /// `url` with its holes filled from what `target` says.
    pub(super) fn placed(&self, url: &str, target: &At<'a>) -> Option<String> {
        if url.contains("{region}") {
            return Some(url.replace("{region}", &self.region(target, "aws_region").ok()?));
        }
        if url.contains("{google_host}") || url.contains("{project}") || url.contains("{location}") {
            let (project, location) = self.google_place(target)?;
            return Some(fill_google(url, &project, &location));
        }
        Some(url.to_owned())
    }

    /// Project and location of Google Cloud.
    pub(super) fn google_place(&self, target: &At<'a>) -> Option<(String, String)> {
        let location = self.region(target, "vertex_region").ok()?;
        Some((self.project(target)?, location))
    }

    fn aws(&self, target: &At<'a>, service: &str) -> Read<Auth> {
        let (id, secret) = (self.member(target, "aws_access_key_id")?, self.member(target, "aws_secret_access_key")?);
        let role = self.member(target, "aws_role_arn")?;
        let (access_key_id, secret_access_key) = match (id, secret) {
            (Some(id), Some(secret)) => (id, secret),
            (None, None) if role.is_none() => return Ok(None),
            (id, _) => {
                let missing = if id.is_none() { "aws_access_key_id" } else { "aws_secret_access_key" };
                let message = "Required: keys of your own. Those of this router are lent to nobody, for a role neither";
                return self.refuse(&target.path_to(missing), message);
            }
        };
        let session_token = self.member(target, "aws_session_token")?;
        let external_id = self.member(target, "aws_external_id")?;
        let role = role.map(|arn| AwsRole { arn: arn.reveal().to_owned(), session_name: None, external_id });
        let source = AwsSource::Keys(AwsKeys { access_key_id, secret_access_key, session_token });
        let (region, service) = (self.region(target, "aws_region")?, service.to_owned());
        Ok(Some(Auth::Aws(Arc::new(AwsCredential { region, service, source, role }))))
    }

    fn google(&self, target: &At<'a>) -> Read<Auth> {
        let Some(field) = target.get("vertex_service_account_json") else { return Ok(None) };
        let Some(json) = json_of(&field) else {
            return self.refuse(&field.path, "Expected a service account's key as JSON, not where it is kept");
        };
        let key = match Key::parse(&json) {
            Ok(key) if key.is_service_account => key,
            Ok(_) => return self.refuse(&field.path, "Expected the key of a service account"),
            Err(why) => return self.refuse(&field.path, &format!("Invalid service account's key: {why}")),
        };
        if let Some(uri) = &key.token_uri {
            // The key names who is asked for a token: that may not be just anybody within this router's reach.
            match self.around.hosts.check(uri) {
                Ok(Named::ByOperator) => {}
                Ok(Named::ByClient) if is_of_google(uri) => {}
                Ok(Named::ByClient) => return self.refuse(&field.path, "Invalid token_uri: it is not Google's"),
                Err(why) => return self.refuse(&field.path, &format!("Invalid token_uri: {why}")),
            }
        }
        Ok(Some(Auth::Google(Arc::new(GoogleCredential::Key(Secret::new(json))))))
    }

    fn entra(&self, target: &At<'a>) -> Read<Auth> {
        let Some(mode) = target.get("azure_auth_mode") else { return Ok(None) };
        match mode.value.as_str() {
            Some("default") => return Ok(None),
            Some("entra") => {}
            Some("managed" | "workload") => {
                let message =
                    "Identities of this router's own are lent to nobody: write \"entra\", or an azure_ad_token";
                return self.refuse(&mode.path, message);
            }
            _ => return self.refuse(&mode.path, "Invalid 'azure_auth_mode' value. Must be one of: default, entra"),
        }
        let required = |key: &str| match self.member(target, key)? {
            Some(text) => Ok(text),
            None => self.refuse(&target.path_to(key), "Required"),
        };
        let tenant = required("azure_entra_tenant_id")?;
        if !tenant.reveal().bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)) {
            return self.refuse(&target.path_to("azure_entra_tenant_id"), "Invalid tenant");
        }
        let scope = self.member(target, "azure_entra_scope")?;
        Ok(Some(Auth::Entra(Arc::new(EntraCredential {
            tenant_id: tenant.reveal().to_owned(),
            client_id: required("azure_entra_client_id")?.reveal().to_owned(),
            client_secret: required("azure_entra_client_secret")?,
            authority: EntraCredential::AUTHORITY.to_owned(),
            scope: scope.map_or_else(|| EntraCredential::SCOPE.to_owned(), |scope| scope.reveal().to_owned()),
        }))))
    }

    /// A region or location, which becomes a part of a host's name.
    fn region(&self, target: &At<'a>, key: &str) -> Result<String, ()> {
        match self.member(target, key)? {
            Some(region) if is_region(region.reveal()) => Ok(region.reveal().to_owned()),
            Some(_) => self.refuse(&target.path_to(key), "Invalid region"),
            None => self.refuse(&target.path_to(key), "Required"),
        }
    }

    /// The project that is named, or that the service account belongs to.
    fn project(&self, target: &At<'a>) -> Option<String> {
        let path = target.path_to("vertex_project_id");
        let of_key = || Key::parse(&json_of(&target.get("vertex_service_account_json")?)?).ok()?.project;
        let named = self.member(target, "vertex_project_id").ok()?.map(|project| project.reveal().to_owned());
        match named.or_else(of_key) {
            Some(project) if is_project(&project) => Some(project),
            Some(_) => self.refuse(&path, "Invalid project").ok(),
            None => self.refuse(&path, "Required").ok(),
        }
    }

    fn member(&self, target: &At<'a>, key: &str) -> Read<Secret> {
        let Some(field) = target.get(key) else { return Ok(None) };
        let text = self.secret(&field).ok_or(())?;
        Ok(Some(text).filter(|text| !text.reveal().is_empty()))
    }

    fn refuse<T>(&self, path: &str, message: &str) -> Result<T, ()> {
        self.problems.error(path, message);
        Err(())
    }
}

/// JSON that stands as an object, or as a text.
fn json_of(field: &At<'_>) -> Option<String> {
    match field.value {
        Value::Object(_) => Some(field.value.to_string()),
        Value::String(text) if text.trim_start().starts_with('{') => Some(text.clone()),
        _ => None,
    }
}

/// Whether the URL `uri` is Google's own, reached by nobody in between.
fn is_of_google(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("https://") else { return false };
    rest.split(['/', '?', '#', '\\'])
        .next()
        .is_some_and(|host| host.ends_with(".googleapis.com") && !host.contains('@'))
}

#[cfg(test)]
mod tests;

//! Credentials of AWS.

use std::sync::Arc;

use weighbridge_domain::credential::{AwsCredential, AwsKeys, AwsRole, AwsSource};
use weighbridge_domain::deployment::Auth;
use weighbridge_domain::secret::Secret;

use super::{text, variable};
use crate::entry::Entry;

const REGION_VARIABLES: &[&str] = &["AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"];

/// Keys, a profile or a role that the entry names.
pub(super) fn named(entry: &Entry<'_>, service: &str) -> Result<Option<Auth>, String> {
    let role = role(entry)?;
    if let Some(written) = text(entry, "aws_web_identity_token")? {
        let role = role.ok_or("its aws_web_identity_token needs an aws_role_name")?;
        let token_file = token_file(entry, &written)?;
        return auth(entry, service, AwsSource::WebIdentity { token_file, role }, None).map(Some);
    }
    let source = match (own_keys(entry)?, text(entry, "aws_profile_name")?) {
        (Some(keys), _) => AwsSource::Keys(keys),
        (None, Some(profile)) => AwsSource::Profile(profile),
        (None, None) if role.is_some() => usual_source(entry),
        (None, None) => return Ok(None),
    };
    auth(entry, service, source, role).map(Some)
}

/// Wherever AWS' own tools would look: it is known when a request comes, not now.
pub(super) fn usual(entry: &Entry<'_>, service: &str) -> Result<Auth, String> {
    auth(entry, service, usual_source(entry), None)
}

fn auth(entry: &Entry<'_>, service: &str, source: AwsSource, role: Option<AwsRole>) -> Result<Auth, String> {
    let (region, service) = (region(entry)?, service.to_owned());
    Ok(Auth::Aws(Arc::new(AwsCredential { region, service, source, role })))
}

/// The region: the entry's, the one in its model's ARN or path, or the environment's.
pub(super) fn region(entry: &Entry<'_>) -> Result<String, String> {
    let named = text(entry, "aws_region_name")?.or(text(entry, "region_name")?);
    let region = named.or_else(|| of_model(entry)).or_else(|| variable(entry, REGION_VARIABLES));
    match region {
        Some(region) if is_region(&region) => Ok(region),
        Some(_) => Err("its aws_region_name is no region of AWS".to_owned()),
        None => Err("it has no aws_region_name, and AWS_REGION is not set".to_owned()),
    }
}

/// Whether `text` can be a region's name, and so a part of a host's.
pub(crate) fn is_region(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The region in `bedrock/us-west-2/…` or in an ARN.
fn of_model(entry: &Entry<'_>) -> Option<String> {
    let model = text(entry, "model").ok().flatten()?;
    let in_arn = model.split_once("arn:aws").and_then(|(_, arn)| arn.split(':').nth(2));
    let in_path = model.split('/').find(|part| {
        let parts: Vec<&str> = part.split('-').collect();
        let is_number = |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_digit());
        (3..=4).contains(&parts.len())
            && parts[0].len() == 2
            && is_region(part)
            && parts.last().is_some_and(|last| is_number(last))
    });
    in_arn.or(in_path).filter(|region| is_region(region)).map(str::to_owned)
}

fn own_keys(entry: &Entry<'_>) -> Result<Option<AwsKeys>, String> {
    match (text(entry, "aws_access_key_id")?, text(entry, "aws_secret_access_key")?) {
        (Some(id), Some(secret)) => Ok(Some(keys(id, secret, text(entry, "aws_session_token")?))),
        (Some(_), None) => Err("it has an aws_access_key_id, but no aws_secret_access_key".to_owned()),
        (None, Some(_)) => Err("it has an aws_secret_access_key, but no aws_access_key_id".to_owned()),
        (None, None) => Ok(None),
    }
}

/// Keys of the environment are read here, because `environment_variables` may add to it.
fn usual_source(entry: &Entry<'_>) -> AwsSource {
    match (variable(entry, &["AWS_ACCESS_KEY_ID"]), variable(entry, &["AWS_SECRET_ACCESS_KEY"])) {
        (Some(id), Some(secret)) => AwsSource::Keys(keys(id, secret, variable(entry, &["AWS_SESSION_TOKEN"]))),
        (Some(_), None) | (None, Some(_)) | (None, None) => AwsSource::Chain,
    }
}

fn keys(id: String, secret: String, token: Option<String>) -> AwsKeys {
    AwsKeys {
        access_key_id: Secret::new(id),
        secret_access_key: Secret::new(secret),
        session_token: token.map(Secret::new),
    }
}

fn role(entry: &Entry<'_>) -> Result<Option<AwsRole>, String> {
    let Some(arn) = text(entry, "aws_role_name")? else { return Ok(None) };
    let session_name = text(entry, "aws_session_name")?;
    let external_id = text(entry, "aws_external_id")?.map(Secret::new);
    Ok(Some(AwsRole { arn, session_name, external_id }))
}

/// The file that a token is read from, each time anew: a token that stands in the configuration would soon be too old.
fn token_file(entry: &Entry<'_>, written: &str) -> Result<String, String> {
    if let Some(name) = written.strip_prefix("oidc/env_path/") {
        return variable(entry, &[name]).ok_or_else(|| format!("{name} is not set (its aws_web_identity_token)"));
    }
    let path = written.strip_prefix("oidc/file/").unwrap_or(written);
    if path.starts_with('/') {
        return Ok(path.to_owned());
    }
    if path.len() < written.len() {
        return Ok(format!("/{path}"));
    }
    Err("its aws_web_identity_token is no file; write oidc/file//path/of/the/token".to_owned())
}

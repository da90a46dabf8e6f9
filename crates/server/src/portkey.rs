//! Portkey's headers: which config object a request goes by.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Map, Value};
use weighbridge_config::objects::{self, Above, Invalid};
use weighbridge_domain::plan::ConfigObject;
use weighbridge_domain::request::ConfigUse;
use weighbridge_domain::secret::Secret;

use crate::configs::Source;
use crate::headers::sends;
use crate::refusal::Refusal;
use crate::request::Setting;
use crate::{auth, saved};

const CONFIG: &str = "x-portkey-config";
const PROVIDER: &str = "x-portkey-provider";
const VIRTUAL_KEY: &str = "x-portkey-virtual-key";
const CUSTOM_HOST: &str = "x-portkey-custom-host";
const FORWARD_HEADERS: &str = "x-portkey-forward-headers";

/// Headers that say what members of a config object would.
const MEMBERS: &[(&str, &str)] = &[
    (PROVIDER, "provider"),
    (VIRTUAL_KEY, "virtual_key"),
    ("x-portkey-azure-resource-name", "resource_name"),
    ("x-portkey-azure-deployment-id", "deployment_id"),
    ("x-portkey-azure-api-version", "api_version"),
    ("x-portkey-azure-ad-token", "azure_ad_token"),
    ("x-portkey-azure-auth-mode", "azure_auth_mode"),
    ("x-portkey-azure-entra-tenant-id", "azure_entra_tenant_id"),
    ("x-portkey-azure-entra-client-id", "azure_entra_client_id"),
    ("x-portkey-azure-entra-client-secret", "azure_entra_client_secret"),
    ("x-portkey-azure-entra-scope", "azure_entra_scope"),
    ("x-portkey-aws-access-key-id", "aws_access_key_id"),
    ("x-portkey-aws-secret-access-key", "aws_secret_access_key"),
    ("x-portkey-aws-session-token", "aws_session_token"),
    ("x-portkey-aws-region", "aws_region"),
    ("x-portkey-aws-role-arn", "aws_role_arn"),
    ("x-portkey-aws-external-id", "aws_external_id"),
    ("x-portkey-aws-auth-type", "aws_auth_type"),
    ("x-portkey-vertex-project-id", "vertex_project_id"),
    ("x-portkey-vertex-region", "vertex_region"),
    ("x-portkey-vertex-service-account-json", "vertex_service_account_json"),
    ("x-portkey-openai-organization", "openai_organization"),
    ("x-portkey-openai-project", "openai_project"),
    ("x-portkey-openai-beta", "openai_beta"),
];

/// How the names of Portkey's headers begin.
const FAMILY: &str = "x-portkey-";

/// What the SDKs send where they have no key.
const PLACEHOLDER: &str = "OPENAI_API_KEY";

/// The config object that `headers` bring for a request to `path`; `None` when they bring none.
///
/// # Errors
/// 400 in the words of Portkey's gateway.
pub(crate) fn read(headers: &HeaderMap, path: &str, setting: Setting<'_>) -> Result<Option<ConfigUse>, Refusal> {
    let brings =
        sends(headers, FAMILY) && [CONFIG, PROVIDER, VIRTUAL_KEY].iter().any(|name| headers.contains_key(*name));
    if !brings {
        return Ok(None);
    }
    let object = object(headers, setting).map_err(|invalid| {
        tracing::warn!(reason = %invalid, "a config object was refused");
        Refusal::config(invalid)
    })?;
    let wanted = object.headers.iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        // What opens this router goes to nobody else.
        let is_ours = auth::is_key(value, &setting.table.server);
        (!is_ours).then(|| (name.clone(), value.to_owned()))
    });
    Ok(Some(ConfigUse { headers: wanted.collect(), tenant: tenant(headers), path: path.to_owned(), object }))
}

/// `x-portkey-request-timeout`, in ms; 0 is none.
///
/// # Errors
/// 400 when it is no number.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    const NAME: &str = "x-portkey-request-timeout";
    if !sends(headers, FAMILY) {
        return Ok(None);
    }
    let Some(text) = text(headers, NAME) else { return Ok(None) };
    match text.trim().parse::<u32>() {
        Ok(ms) => Ok((ms > 0).then(|| Duration::from_millis(ms.into()))),
        Err(_) => Err(Refusal::bad(NAME, format!("The header `{NAME}` must be a number of milliseconds."))),
    }
}

fn object(headers: &HeaderMap, setting: Setting<'_>) -> Result<Arc<ConfigObject>, Invalid> {
    let config = match headers.get(CONFIG) {
        None => None,
        Some(value) => Some(std::str::from_utf8(value.as_bytes()).map_err(|_| Invalid::not_json())?.trim()),
    };
    match config {
        Some(config) if config.starts_with('{') => inline(Some(config), headers, setting),
        Some(id) => by_id(id, headers, setting),
        None => inline(None, headers, setting),
    }
}

/// A config object that came as JSON, or is made of headers alone.
fn inline(config: Option<&str>, headers: &HeaderMap, setting: Setting<'_>) -> Result<Arc<ConfigObject>, Invalid> {
    let above =
        Above { custom_host: text(headers, CUSTOM_HOST).map(str::to_owned), forward_headers: forward_headers(headers) };
    let members = || MEMBERS.iter().filter_map(|(name, key)| Some((*key, text(headers, name)?)));
    let is_plain = above == Above::default() && members().next().is_none();
    let key = match config {
        Some(config) if is_plain => Cow::Borrowed(config.as_bytes()),
        _ => Cow::Owned(whole_key(config, members(), &above, provider_key(headers, setting)).into_bytes()),
    };
    let source = Source { key: &key, id: None, above: &above };
    let compiled = setting.configs.compiled(source, setting.table, setting.engine, || {
        let mut object = config.map_or_else(|| Ok(Map::new()), objects::parse)?;
        let says_whom =
            ["provider", "virtual_key", "virtualKey", "targets"].iter().any(|key| object.contains_key(*key));
        if !says_whom {
            for (key, value) in members() {
                object.insert(key.to_owned(), Value::from(value));
            }
            if let (Some(key), true) = (provider_key(headers, setting), object.contains_key("provider")) {
                object.insert("api_key".to_owned(), Value::from(key));
            }
        }
        Ok(object)
    });
    match (config, compiled) {
        (None, Err(invalid)) => Err(of_headers(invalid)),
        (_, compiled) => compiled,
    }
}

/// A config object that is known by its id.
fn by_id(id: &str, headers: &HeaderMap, setting: Setting<'_>) -> Result<Arc<ConfigObject>, Invalid> {
    let compiled = saved::compiled(id, setting.table, setting.engine, setting.configs);
    let object = compiled.unwrap_or_else(|| Err(unknown(id)))?;
    if headers.contains_key(CUSTOM_HOST) {
        let message = "x-portkey-custom-host cannot be sent with a saved config: its keys go to its own hosts only";
        return Err(Invalid::new(message));
    }
    let Some(names) = forward_headers(headers) else { return Ok(object) };
    let mut object = object.as_ref().clone();
    let mut plan = object.plan.as_ref().clone();
    plan.for_each_stop(&mut |options| options.forward_headers.clone_from(&names));
    object.plan = Arc::new(plan);
    object.headers.extend(names);
    Ok(Arc::new(object))
}

/// Everything that an object which is not the config header alone depends on.
fn whole_key<'a>(
    config: Option<&str>,
    members: impl Iterator<Item = (&'a str, &'a str)>,
    above: &Above,
    key: Option<&str>,
) -> String {
    // Header values hold no control characters, so that nothing can be taken for something else.
    let mut whole = config.unwrap_or_default().to_owned();
    for (name, value) in members {
        whole.extend(["\n", name, "\t", value]);
    }
    whole.extend(["\nkey\t", key.unwrap_or_default(), "\nhost\t", above.custom_host.as_deref().unwrap_or_default()]);
    for name in above.forward_headers.iter().flatten() {
        whole.extend(["\nforward\t", name]);
    }
    whole
}

fn unknown(id: &str) -> Invalid {
    let is_id =
        !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !is_id {
        return Invalid::not_json();
    }
    Invalid::new("Invalid config id passed").because(format!(
        "path: , message: this router has no config {id:?}: save it with PUT /router/configs/{id}, or in saved_configs of its file"
    ))
}

/// What is wrong with headers that stand for a config object.
fn of_headers(invalid: Invalid) -> Invalid {
    let is_about = |start: &str| invalid.errors.iter().any(|error| error.starts_with(start));
    if is_about("path: provider, message: Invalid 'provider' value") {
        return Invalid::new("Invalid provider passed");
    }
    let host = invalid.errors.iter().find_map(|error| error.split_once("message: Invalid custom host"));
    match host {
        Some((_, why)) => Invalid::new(format!("Invalid custom host{why}")),
        None => invalid,
    }
}

/// The provider's key that a client sends where headers name the provider.
fn provider_key<'a>(headers: &'a HeaderMap, setting: Setting<'_>) -> Option<&'a str> {
    let shown = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let key = shown.get(7..).filter(|_| shown[..7].eq_ignore_ascii_case("bearer ")).unwrap_or(shown).trim();
    let is_router_key = auth::is_key(key, &setting.table.server);
    let is_callers = text(headers, "x-portkey-api-key") == Some(key);
    (!is_router_key && !is_callers && key != PLACEHOLDER && !key.is_empty()).then_some(key)
}

/// Whose request it is.
fn tenant(headers: &HeaderMap) -> Option<Secret> {
    let shown = text(headers, "x-portkey-api-key").or_else(|| text(headers, AUTHORIZATION.as_str()))?;
    (!shown.ends_with(PLACEHOLDER)).then(|| Secret::new(shown))
}

fn forward_headers(headers: &HeaderMap) -> Option<Vec<String>> {
    let names = text(headers, FORWARD_HEADERS)?.split(',').map(|name| name.trim().to_ascii_lowercase());
    let names: Vec<String> = names.filter(|name| !name.is_empty() && name != FORWARD_HEADERS).collect();
    (!names.is_empty()).then_some(names)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

//! The provider that a target names, and the credential it brings.

use serde_json::Value;
use weighbridge_domain::deployment::{Auth, Endpoint, Paths};
use weighbridge_domain::name::ProviderName;
use weighbridge_domain::provider::{AuthStyle, Known, PathStyle, Provider, Wire};
use weighbridge_domain::secret::Secret;

use super::at::At;
use super::host::Named;
use super::inherit::Inherited;
use super::node::Compiler;
use super::providers::{NAMES, row_name};
use crate::endpoint::AZURE_API_VERSION;
use crate::{auth, base_url};

/// What the gateway says of a target that cannot be reached.
pub(super) const INCOMPLETE: &str = "Invalid configuration. It must have either 'provider' and 'api_key', \
                          or 'strategy' and 'targets', or 'cache', or 'retry', or 'request_timeout'";

impl<'a> Compiler<'a> {
    /// How the provider that `target` names is reached; `None` after an error.
    pub(super) fn endpoint(&self, target: &At<'a>, name: &At<'a>, here: &Inherited<'a>) -> Option<Endpoint> {
        let provider = self.provider(name)?;
        let base_url = self.base_url(target, name, provider, here)?;
        let key = target.get("azure_ad_token").or_else(|| target.get("api_key"));
        let key = match key {
            Some(key) => Some(self.secret(&key)?),
            None => None,
        };
        let cloud = match key {
            Some(_) => None,
            None => self.cloud(target, provider).ok()?,
        };
        let auth = match (key, cloud) {
            (Some(key), _) if target.get("azure_ad_token").is_some() => Auth::Bearer(key),
            (Some(key), _) => keyed(provider, key),
            (None, Some(auth)) => auth,
            // Somebody's own server behind a host of its own may well need no key.
            (None, None) if provider.auth == AuthStyle::None || provider.key_optional || base_url.named.is_some() => {
                Auth::None
            }
            (None, None) => {
                self.lacks_key(target, name, provider);
                return None;
            }
        };
        Some(Endpoint {
            provider: ProviderName::new(provider.name.as_str()),
            wire: if base_url::is_compatible(&base_url.url, provider) { Wire::OpenAi } else { provider.wire },
            paths: self.paths(target, provider)?,
            base_url: base_url.url,
            auth,
            headers: self.headers(target),
            stream_usage: provider.stream_usage,
            responses: provider.responses,
            is_foreign: base_url.named == Some(Named::ByClient),
        })
    }

    fn lacks_key(&self, target: &At<'a>, name: &At<'a>, provider: &Provider) {
        let name = name.value.as_str().unwrap_or_default();
        let variable = provider.key_variables.first().map_or("API_KEY", String::as_str);
        let members = match provider.auth {
            AuthStyle::Aws { .. } => ". Here the credential is aws_access_key_id, aws_secret_access_key and aws_region",
            AuthStyle::Google => ". Here the credential is vertex_service_account_json",
            AuthStyle::Bearer
            | AuthStyle::Header(_)
            | AuthStyle::Query(_)
            | AuthStyle::Entra { .. }
            | AuthStyle::None => "",
        };
        let hint = format!(
            "{INCOMPLETE}{members}. To use a key of the router's own, add \
             virtual_keys: {{ {name}: {{ provider: {name}, api_key: os.environ/{variable} }} }} to its file"
        );
        self.problems.error(&target.path, hint);
    }

    /// The row of a provider.
    pub(super) fn provider(&self, name: &At<'a>) -> Option<&'a Provider> {
        let text = name.text(self.problems)?;
        match self.around.table.catalog.find(row_name(text)) {
            Known::Served(provider) | Known::MeantProbably(provider) => Some(provider),
            Known::Unsupported(why) => {
                self.problems.error(&name.path, format!("'{text}' is not served by this router: {why}"));
                None
            }
            Known::Unknown if NAMES.contains(&text) => {
                let hint = "use provider openai with the custom_host of its OpenAI-compatible API";
                self.problems.error(&name.path, format!("'{text}' is not served by this router: {hint}"));
                None
            }
            Known::Unknown => {
                let message = format!("Invalid 'provider' value. Must be one of: {}", NAMES.join(", "));
                self.problems.error(&name.path, message);
                None
            }
        }
    }

    fn base_url(&self, target: &At<'a>, name: &At<'a>, provider: &Provider, here: &Inherited<'a>) -> Option<Base> {
        if provider.wire == Wire::Simulated {
            return Some(Base { url: String::new(), named: None });
        }
        let above = self.around.headers.custom_host.as_deref();
        let (text, path) = match (above, &here.custom_host, target.get("resource_name")) {
            (Some(text), _, _) => (text.to_owned(), name.path.clone()),
            (None, Some(host), _) => (host.text(self.problems)?.to_owned(), host.path.clone()),
            (None, None, Some(resource)) if provider.paths == PathStyle::Azure => {
                let resource_name = resource.text(self.problems)?;
                let is_label =
                    !resource_name.is_empty() && resource_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                if !is_label {
                    self.problems.error(&resource.path, "Invalid resource name");
                    return None;
                }
                // The name is a label of the provider's own domain.
                return Some(Base { url: format!("https://{resource_name}.openai.azure.com"), named: None });
            }
            (None, None, _) => match &provider.base_url {
                Some(url) if !provider.key_optional => {
                    return Some(Base { url: self.placed(url, target)?, named: None });
                }
                // A server of one's own: whose machine its usual address is on depends on who asks.
                Some(url) => (url.clone(), name.path.clone()),
                None if provider.paths == PathStyle::Azure => {
                    let message = "Required: write the resource_name, or the custom_host of the resource";
                    self.problems.error(&target.path_to("resource_name"), message);
                    return None;
                }
                None => {
                    let message = "Required: this provider has no host of its own";
                    self.problems.error(&target.path_to("custom_host"), message);
                    return None;
                }
            },
        };
        match base_url::checked(&text, provider) {
            None => {
                self.problems.error(&path, "Invalid custom host");
                None
            }
            Some(url) => match self.around.hosts.check(&text) {
                Ok(named) => {
                    let url = azure_host(self.placed(&url, target)?, provider);
                    Some(Base { url, named: Some(named) })
                }
                Err(why) => {
                    self.problems.error(&path, format!("Invalid custom host: {why}"));
                    None
                }
            },
        }
    }

    fn paths(&self, target: &At<'a>, provider: &Provider) -> Option<Paths> {
        match provider.paths {
            PathStyle::Plain => Some(Paths::Plain),
            PathStyle::Vertex => {
                let (project, location) = self.google_place(target)?;
                Some(Paths::Vertex { project, location })
            }
            PathStyle::Azure => Some(match target.value.get("api_version").and_then(Value::as_str) {
                Some("v1") => Paths::AzureV1 { api_version: None },
                Some(version @ ("preview" | "latest")) => Paths::AzureV1 { api_version: Some(version.to_owned()) },
                version => Paths::AzureDeployment { api_version: version.unwrap_or(AZURE_API_VERSION).to_owned() },
            }),
        }
    }

    fn headers(&self, target: &At<'a>) -> Vec<(String, Secret)> {
        let named = [
            ("openai_organization", "OpenAI-Organization"),
            ("openai_project", "OpenAI-Project"),
            ("openai_beta", "OpenAI-Beta"),
        ];
        let headers = named.into_iter().filter_map(|(key, header)| {
            let field = target.get(key)?;
            Some((header.to_owned(), self.secret(&field)?))
        });
        headers.collect()
    }

    /// A text that can be sent in a header.
    pub(super) fn secret(&self, field: &At<'a>) -> Option<Secret> {
        let text = field.text(self.problems)?.trim();
        if text.bytes().any(|b| b < b' ' || b == 127) {
            self.problems.error(&field.path, "It holds control characters");
            return None;
        }
        Some(Secret::new(text))
    }
}

/// How a key that was brought travels. One for Google's is an access token there.
fn keyed(provider: &Provider, key: Secret) -> Auth {
    match provider.auth {
        AuthStyle::Google => Auth::Bearer(key),
        AuthStyle::Bearer
        | AuthStyle::Header(_)
        | AuthStyle::Query(_)
        | AuthStyle::Aws { .. }
        | AuthStyle::Entra { .. }
        | AuthStyle::None => auth::keyed(&provider.auth, key),
    }
}

/// A base URL, and who named its host; `None` is the provider's own row.
struct Base {
    url: String,
    named: Option<Named>,
}

fn azure_host(mut url: String, provider: &Provider) -> String {
    if provider.paths == PathStyle::Azure
        && let Some(at) = url.find("/openai")
    {
        url.truncate(at);
    }
    url
}

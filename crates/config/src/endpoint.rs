//! How a deployment's provider is reached: base URL, paths, credential, headers.

use weighbridge_domain::deployment::{Auth, Endpoint, Paths};
use weighbridge_domain::name::ProviderName;
use weighbridge_domain::provider::{AuthStyle, PathStyle, Provider, Wire};
use weighbridge_domain::secret::Secret;

use crate::entry::Entry;
use crate::reader::Lookup;
use crate::sections::providers::Providers;
use crate::{auth, base_url};

/// Used for Azure when nothing names a version.
pub(crate) const AZURE_API_VERSION: &str = "2024-10-21";

/// The endpoint of a deployment, and why it cannot be called, when it cannot.
pub(crate) struct Reach {
    pub(crate) endpoint: Endpoint,
    pub(crate) unusable: Option<String>,
}

/// How `entry` reaches `provider`.
pub(crate) fn read(entry: &Entry<'_>, provider: &Provider, providers: &Providers) -> Reach {
    let mut unusable = None;
    let mut or_left_out = |result: Result<String, String>| match result {
        Ok(text) => text,
        Err(reason) => {
            unusable = unusable.take().or(Some(reason));
            String::new()
        }
    };
    let mut base_url = match provider.wire {
        Wire::Simulated => String::new(),
        _ => or_left_out(base(entry, provider).and_then(|base| auth::placed(&base, entry))),
    };
    let paths = match paths(entry, provider, &mut base_url) {
        Ok(paths) => paths,
        Err(reason) => {
            or_left_out(Err(reason));
            Paths::Plain
        }
    };
    // A provider's OpenAI-compatible API is spoken to in OpenAI's words, and takes keys as it does.
    let is_compatible = base_url::is_compatible(&base_url, provider);
    let auth = match auth::read(entry, provider, providers) {
        Ok(Auth::Header { secret, .. }) if is_compatible => Auth::Bearer(secret),
        Ok(auth) => auth,
        Err(reason) => {
            or_left_out(Err(reason));
            Auth::None
        }
    };
    let endpoint = Endpoint {
        provider: ProviderName::new(provider.name.as_str()),
        wire: if is_compatible { Wire::OpenAi } else { provider.wire },
        base_url,
        paths,
        auth,
        headers: headers(entry, provider, providers),
        stream_usage: provider.stream_usage,
        responses: provider.responses,
        is_foreign: false,
    };
    Reach { endpoint, unusable }
}

fn base(entry: &Entry<'_>, provider: &Provider) -> Result<String, String> {
    let variables = entry.reader().variables;
    let runtime =
        entry.param("aws_bedrock_runtime_endpoint").filter(|_| matches!(provider.auth, AuthStyle::Aws { .. }));
    if let Some(field) = runtime.or_else(|| entry.param("api_base")).or_else(|| entry.param("base_url")) {
        return match field.lookup() {
            Some(Lookup::Found(base)) => base_url::tidy(&base, provider, &field),
            Some(Lookup::Unset(name)) => Err(format!("{name} is not set (its api_base)")),
            None => Err("its api_base is no text".to_owned()),
        };
    }
    if let Some((name, base)) = provider.base_variables.iter().find_map(|name| Some((name, variables.get(name)?))) {
        return base_url::checked(&base, provider).ok_or_else(|| format!("{name} holds no URL"));
    }
    match &provider.base_url {
        Some(base) => Ok(base.clone()),
        None => {
            let or =
                provider.base_variables.first().map_or_else(String::new, |name| format!(", and {name} is not set"));
            Err(format!("it has no api_base{or}"))
        }
    }
}

/// How paths look; for Azure that depends on base URL and version, and the base is cut to the host.
fn paths(entry: &Entry<'_>, provider: &Provider, base: &mut String) -> Result<Paths, String> {
    match provider.paths {
        PathStyle::Plain => return Ok(Paths::Plain),
        PathStyle::Vertex => {
            let (project, location) = auth::google_place(entry)?;
            return Ok(Paths::Vertex { project, location });
        }
        PathStyle::Azure => {}
    }
    let version = entry.param("api_version").and_then(|field| field.text());
    let version = version.or_else(|| entry.reader().variables.get("AZURE_API_VERSION"));
    let is_v1 = base.ends_with("/openai/v1");
    if let Some(at) = base.find("/openai") {
        base.truncate(at);
    }
    Ok(match version {
        Some(version) if matches!(version.as_str(), "preview" | "latest") => {
            Paths::AzureV1 { api_version: Some(version) }
        }
        Some(version) if version == "v1" => Paths::AzureV1 { api_version: None },
        _ if is_v1 => Paths::AzureV1 { api_version: None },
        version => Paths::AzureDeployment { api_version: version.unwrap_or_else(|| AZURE_API_VERSION.to_owned()) },
    })
}

fn headers(entry: &Entry<'_>, provider: &Provider, providers: &Providers) -> Vec<(String, Secret)> {
    let mut headers: Vec<(String, Secret)> = Vec::new();
    let mut add = |name: &str, value: String| {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.to_owned(), Secret::new(value)));
    };
    let own = [providers.headers(&provider.name), entry.param("headers"), entry.param("extra_headers")];
    for field in own.into_iter().flatten() {
        let Some(section) = field.section() else { continue };
        for (name, field) in section.fields() {
            // What the transport sets itself would stand there twice.
            let is_ours = ["content-type", "content-length", "host", "accept-encoding"];
            if is_ours.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
                continue;
            }
            let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            match field.text() {
                _ if name.is_empty() || !name.bytes().all(is_token) => {
                    field.error(format!("{name:?} cannot be the name of a header"), "use letters, digits and -");
                }
                Some(value) if value.bytes().all(|b| b >= b' ' && b != 127) => add(name, value),
                Some(_) => field.error("the header's value holds control characters", "write it on one line"),
                None => {}
            }
        }
    }
    if let Some(organization) = entry.param("organization").and_then(|field| field.text()) {
        add("OpenAI-Organization", organization);
    }
    headers
}

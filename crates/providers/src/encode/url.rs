//! Where a request is sent.

use std::borrow::Cow;

use http::Uri;
use weighbridge_domain::deployment::{Auth, Paths};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::provider::Wire;
use weighbridge_domain::request::Operation;
use weighbridge_wire::exchange::Exchange;
use weighbridge_wire::format::Format;
use weighbridge_wire::{bedrock, embeddings, gemini};

use super::Outgoing;

/// The URL of `outgoing`.
///
/// # Errors
/// `BadRequest` when its base is no http(s) URL.
pub(super) fn of(outgoing: &Outgoing<'_>, exchange: Exchange) -> Result<Uri, Failure> {
    let endpoint = &outgoing.deployment.endpoint;
    let own = outgoing.options.credentials.as_ref().and_then(|credentials| credentials.api_base.as_deref());
    let base = own.unwrap_or(&endpoint.base_url).trim_end_matches('/');
    let path = path(outgoing, exchange);
    let mut url = match &endpoint.paths {
        Paths::Plain => format!("{base}{path}"),
        // Responses have no deployment in their path.
        Paths::AzureDeployment { api_version } if outgoing.operation == Operation::Responses => {
            format!("{base}/openai{path}?api-version={}", escaped(api_version))
        }
        Paths::AzureDeployment { api_version } => {
            let model = escaped(outgoing.model);
            format!("{base}/openai/deployments/{model}{path}?api-version={}", escaped(api_version))
        }
        Paths::AzureV1 { api_version: None } => format!("{base}/openai/v1{path}"),
        Paths::AzureV1 { api_version: Some(version) } => {
            format!("{base}/openai/v1{path}?api-version={}", escaped(version))
        }
        Paths::Vertex { project, location } => {
            format!("{base}{}", vertex(outgoing, exchange, project, location))
        }
    };
    if let Auth::Query { name, secret } = outgoing.auth().as_ref() {
        let join = if url.contains('?') { '&' } else { '?' };
        url.push_str(&format!("{join}{}={}", escaped(name), escaped(secret.reveal())));
    }
    let is_http = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
    match url.parse::<Uri>() {
        Ok(uri) if is_http(&uri) => Ok(uri),
        _ => Err(Failure::new(FailureKind::BadRequest, "the provider's base URL is not an http(s) URL")),
    }
}

/// The path below the base URL, as the format that is spoken has it.
fn path(outgoing: &Outgoing<'_>, exchange: Exchange) -> Cow<'static, str> {
    let Outgoing { model, operation, stream, .. } = *outgoing;
    match exchange {
        Exchange::Embeddings(format) => embeddings::path(format, model).into(),
        Exchange::Other => operation.path().into(),
        Exchange::Compatible => match outgoing.deployment.endpoint.wire {
            Wire::Ollama => format!("/v1{}", operation.path()).into(),
            _ => format!("/openai{}", operation.path()).into(),
        },
        Exchange::Same(format) | Exchange::Chat { provider: format, .. } => match format {
            Format::OpenAi => Operation::Chat.path().into(),
            Format::Responses => Operation::Responses.path().into(),
            Format::Anthropic if operation == Operation::CountTokens => operation.path().into(),
            Format::Anthropic => Operation::Messages.path().into(),
            Format::Gemini => gemini::path(model, stream).into(),
            Format::Bedrock => bedrock::path(model, stream).into(),
            Format::Cohere => "/chat".into(),
            Format::Ollama => "/api/chat".into(),
        },
    }
}

/// The path at Vertex AI, whose models have their publishers' formats.
fn vertex(outgoing: &Outgoing<'_>, exchange: Exchange, project: &str, location: &str) -> String {
    let Outgoing { model, operation, stream, .. } = *outgoing;
    let place = format!("/v1/projects/{}/locations/{}", escaped(project), escaped(location));
    match super::format(exchange) {
        Format::Anthropic => {
            let publisher = format!("{place}/publishers/anthropic/models");
            match operation {
                Operation::CountTokens => format!("{publisher}/count-tokens:rawPredict"),
                _ if stream => format!("{publisher}/{}:streamRawPredict", escaped(model)),
                _ => format!("{publisher}/{}:rawPredict", escaped(model)),
            }
        }
        Format::Gemini if matches!(exchange, Exchange::Embeddings(_)) => {
            format!("{place}/publishers/google/models/{}:predict", escaped(model))
        }
        Format::Gemini => gemini::vertex_path(project, location, model, stream),
        _ => format!("{place}/endpoints/openapi{}", operation.path()),
    }
}

/// `text` as one segment of a path or one value of a query.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':');
    if text.bytes().all(is_safe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if is_safe(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(out)
}

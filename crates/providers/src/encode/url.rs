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
            format!("{place}/publishers/google/models/{}:{}", escaped(model), embeddings::vertex_verb(model))
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate, Paths};
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::plan::StopOptions;
    use weighbridge_domain::provider::Wire;
    use weighbridge_domain::request::{Operation, Payload};
    use weighbridge_wire::exchange::Exchange;

    use super::{Outgoing, of};

    fn url(wire: Wire, paths: Paths, base: &str, model: &str, operation: Operation, stream: bool) -> String {
        let endpoint = Endpoint { wire, paths, ..Endpoint::new("p", base) };
        let exchange = Exchange::between(operation, endpoint.wire_of(model), endpoint.responses).unwrap();
        let deployment = Deployment::new("d", "g", ModelTemplate::new(model), endpoint);
        let outgoing = Outgoing {
            deployment: &deployment,
            model,
            operation,
            payload: &Payload::Json(JsonObject::parse(Bytes::from_static(b"{}")).unwrap()),
            stream,
            options: &StopOptions::default(),
            headers: &[],
            format_headers: &[],
            request_id: "r",
        };
        of(&outgoing, exchange).unwrap().to_string()
    }

    #[test]
    fn paths_are_the_formats_own() {
        use Operation::{Chat, Completions, CountTokens, Embeddings, ImageGenerations, Messages, Rerank, Responses};
        let (anthropic, google) = ("https://a/v1", "https://g/v1beta");
        let bedrock = "https://bedrock-runtime.eu-central-1.amazonaws.com";
        let claude = "anthropic.claude-3-7-sonnet-20250219-v1:0";
        let rows = [
            (Wire::OpenAi, "https://o/v1", "m", Messages, false, "https://o/v1/chat/completions"),
            (Wire::OpenAi, "https://o/v1", "m", Responses, true, "https://o/v1/chat/completions"),
            (Wire::Anthropic, anthropic, "claude", Chat, true, "https://a/v1/messages"),
            (Wire::Anthropic, anthropic, "claude", CountTokens, false, "https://a/v1/messages/count_tokens"),
            (Wire::Gemini, google, "g-2", Chat, false, "https://g/v1beta/models/g-2:generateContent"),
            (Wire::Gemini, google, "g-2", Messages, true, "https://g/v1beta/models/g-2:streamGenerateContent?alt=sse"),
            (Wire::Gemini, google, "g-2", ImageGenerations, false, "https://g/v1beta/openai/images/generations"),
            (Wire::Cohere, "https://c/v2", "command", Chat, false, "https://c/v2/chat"),
            (Wire::Cohere, "https://c/v2", "rerank", Rerank, false, "https://c/v2/rerank"),
            (Wire::Ollama, "http://l:11434", "qwen3:8b", Chat, true, "http://l:11434/api/chat"),
            (Wire::Ollama, "http://l:11434", "qwen3:8b", Completions, true, "http://l:11434/v1/completions"),
            (Wire::Ollama, "http://l:11434", "nomic", Embeddings, false, "http://l:11434/api/embed"),
        ];
        for (wire, base, model, operation, stream, expected) in rows {
            assert_eq!(url(wire, Paths::Plain, base, model, operation, stream), expected);
        }
        for (stream, end) in [(false, "converse"), (true, "converse-stream")] {
            let url = url(Wire::Bedrock, Paths::Plain, bedrock, claude, Chat, stream);
            assert_eq!(url, format!("{bedrock}/model/anthropic.claude-3-7-sonnet-20250219-v1%3A0/{end}"));
        }
    }

    #[test]
    fn vertex_has_a_place_for_every_publisher() {
        use Operation::{Chat, CountTokens, Embeddings, Messages};
        let rows = [
            ("gemini-2.5-pro", Chat, false, "publishers/google/models/gemini-2.5-pro:generateContent"),
            ("gemini-2.5-pro", Chat, true, "publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
            ("claude-opus-4@20250514", Chat, false, "publishers/anthropic/models/claude-opus-4%4020250514:rawPredict"),
            ("claude-opus-4@1", Messages, true, "publishers/anthropic/models/claude-opus-4%401:streamRawPredict"),
            ("claude-opus-4@1", CountTokens, false, "publishers/anthropic/models/count-tokens:rawPredict"),
            ("meta/llama-4-scout", Chat, true, "endpoints/openapi/chat/completions"),
            ("text-embedding-005", Embeddings, false, "publishers/google/models/text-embedding-005:predict"),
            (
                "gemini-embedding-001",
                Embeddings,
                false,
                "publishers/google/models/gemini-embedding-001:batchEmbedContents",
            ),
        ];
        for (model, operation, stream, expected) in rows {
            let paths = Paths::Vertex { project: "acme".to_owned(), location: "europe-west4".to_owned() };
            let url = url(Wire::Gemini, paths, "https://v", model, operation, stream);
            assert_eq!(url, format!("https://v/v1/projects/acme/locations/europe-west4/{expected}"));
        }
    }

    #[test]
    fn azures_responses_name_no_deployment() {
        let rows = [
            (
                Paths::AzureDeployment { api_version: "2025-04-01-preview".to_owned() },
                "openai/responses?api-version=2025-04-01-preview",
            ),
            (Paths::AzureV1 { api_version: None }, "openai/v1/responses"),
        ];
        for (paths, expected) in rows {
            let endpoint = Endpoint { paths, responses: true, ..Endpoint::new("azure", "https://x") };
            let deployment = Deployment::new("d", "g", ModelTemplate::new("m"), endpoint);
            let outgoing = Outgoing {
                deployment: &deployment,
                model: "m",
                operation: Operation::Responses,
                payload: &Payload::Json(JsonObject::parse(Bytes::from_static(b"{}")).unwrap()),
                stream: false,
                options: &StopOptions::default(),
                headers: &[],
                format_headers: &[],
                request_id: "r",
            };
            let exchange = Exchange::between(Operation::Responses, Wire::OpenAi, true).unwrap();
            assert_eq!(of(&outgoing, exchange).unwrap().to_string(), format!("https://x/{expected}"));
        }
    }
}

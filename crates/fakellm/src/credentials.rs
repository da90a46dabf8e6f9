//! Who may ask: each provider's way to say a key.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::fault::Fault;
use crate::format::Format;
use crate::refusal::Refusal;
use crate::script::ProviderScript;
use crate::sigv4;

/// Refuses a request without the script's key. `now` is the time since 1970.
pub(crate) fn check(
    script: &ProviderScript,
    format: Format,
    parts: &Parts,
    body: &Bytes,
    now: Duration,
) -> Result<(), Refusal> {
    let said = said(format, parts);
    if format == Format::Bedrock
        && let Some(aws) = &script.aws
        && (script.key.is_none() || said.is_none())
    {
        return sigv4::verify(aws, parts, body, now)
            .map_err(|(kind, message)| Refusal::of(format, Fault::Signature { kind, message: &message }));
    }
    match &script.key {
        Some(key) if said.as_deref() != Some(key) => Err(Refusal::of(format, Fault::Unauthorised)),
        _ => Ok(()),
    }
}

/// The key that a request says.
fn said(format: Format, parts: &Parts) -> Option<String> {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bearer = || header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    match format {
        Format::OpenAi | Format::Responses => bearer().or_else(|| header("api-key")),
        Format::Anthropic => header("x-api-key").or_else(bearer),
        Format::Gemini => header("x-goog-api-key").or_else(|| {
            let pairs = parts.uri.query().unwrap_or_default().split('&');
            let key = pairs.filter_map(|pair| pair.strip_prefix("key=")).next()?;
            Some(percent_decode_str(key).decode_utf8_lossy().into_owned())
        }),
        Format::Vertex | Format::VertexAnthropic | Format::Bedrock | Format::Cohere | Format::Ollama => bearer(),
    }
}

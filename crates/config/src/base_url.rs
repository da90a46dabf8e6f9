//! Base URLs as people paste them, brought into the form that paths are added to.

use weighbridge_domain::provider::{PathStyle, Provider};

use crate::reader::Field;

/// Ends of URLs that were pasted whole.
const PASTED: &[&str] = &[
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/messages",
    "/api/chat",
    "/api/generate",
    "/v2/chat",
];

/// The base URL in `text`, with warnings about what was cut off.
pub(crate) fn tidy(text: &str, provider: &Provider, field: &Field<'_>) -> Result<String, String> {
    let path = text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if PASTED.iter().any(|end| path.ends_with(end)) {
        field.warn("this is the URL of one route, not of the API", "the route is cut off; write the URL up to /v1");
    }
    let base = checked(text, provider).ok_or_else(|| "its api_base is no http:// or https:// URL".to_owned())?;
    if matches!(provider.paths, PathStyle::Azure) && base.contains("/openai/deployments/") {
        field.warn(
            "the deployment's name stands in the URL",
            "it is taken from `model`; write https://<name>.openai.azure.com",
        );
    }
    Ok(base)
}

/// The base URL in `text`; `None` when it is no URL.
pub(crate) fn checked(text: &str, provider: &Provider) -> Option<String> {
    let text = text.trim();
    let (scheme, _) = text.split_once("://")?;
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`|".contains(&b);
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") || !text.bytes().all(is_plain) {
        return None;
    }
    let mut base = text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned();
    for end in PASTED {
        if let Some(short) = base.strip_suffix(end) {
            base.truncate(short.trim_end_matches('/').len());
            break;
        }
    }
    let rest = base.split_once("://")?.1;
    if !is_authority(rest.split('/').next().unwrap_or_default()) {
        return None;
    }
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if is_compatible(&base, provider) {
        return Some(base);
    }
    match &provider.base_url {
        Some(row) if VERSIONED.contains(&provider.name.as_str()) && is_at(row, host) => return Some(row.clone()),
        _ if path.is_empty() => {
            let path = default_path(host, provider);
            base += path;
        }
        _ => {
            if provider.name == "cohere" && base.ends_with("/v1") {
                // Its first version has another format.
                base.truncate(base.len() - "/v1".len());
            }
            let path = base.split_once("://").map_or("", |(_, rest)| rest);
            let end = ADDRESSED_BY_ROOT.iter().find(|(name, _)| *name == provider.name).map(|(_, end)| *end);
            // A version that is written is meant.
            let is_versioned = path.rsplit('/').next().is_some_and(|last| last.starts_with('v') && last.len() < 8);
            base += end.filter(|_| !is_versioned).unwrap_or_default();
        }
    }
    Some(base)
}

/// Whether `base` is the OpenAI-compatible API of a provider that has a format of its own as well.
pub(crate) fn is_compatible(base: &str, provider: &Provider) -> bool {
    COMPATIBLE.iter().any(|(name, end)| *name == provider.name && base.ends_with(end))
}

/// Providers with a format of their own, and how the URLs of their OpenAI-compatible APIs end.
const COMPATIBLE: &[(&str, &str)] =
    &[("cohere", "/compatibility/v1"), ("gemini", "/openai"), ("ollama", "/v1"), ("ollama_chat", "/v1")];

/// Providers of which only one version is spoken here: a URL of theirs with another means it all the same.
const VERSIONED: &[&str] = &["gemini", "cohere"];

/// Providers whose address is that of the server, below which the API has its place, wherever a proxy puts them; and that place.
const ADDRESSED_BY_ROOT: &[(&str, &str)] =
    &[("anthropic", "/v1"), ("cohere", "/v2"), ("gemini", "/v1beta"), ("ollama_openai", "/v1")];

/// Whether the URL `row` is at `host`.
fn is_at(row: &str, host: &str) -> bool {
    row.split_once("://").is_some_and(|(_, rest)| rest.split('/').next() == Some(host))
}

/// Whether `text` is `host`, `host:port` or `[address]:port`, perhaps after `user:password@`.
fn is_authority(text: &str) -> bool {
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._:%".contains(&b);
    !name.is_empty() && name.bytes().all(is_name) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// The path that a bare host needs: the one of the provider's row. `openai/` with a foreign host
/// is taken at its word, as `OpenAI`'s own SDK does.
fn default_path<'p>(host: &str, provider: &'p Provider) -> &'p str {
    let Some((_, row)) = provider.base_url.as_deref().and_then(|base| base.split_once("://")) else { return "" };
    let (row_host, path) = row.split_at(row.find('/').unwrap_or(row.len()));
    if provider.name == "openai" && host != row_host { "" } else { path }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::provider::Provider;
    use weighbridge_providers::catalog::catalog;

    use super::checked;

    fn provider(name: &str) -> Provider {
        catalog().providers().iter().find(|provider| provider.name == name).unwrap().clone()
    }

    #[test]
    fn pasted_urls_become_base_urls() {
        let rows = [
            ("openai", "https://api.openai.com", Some("https://api.openai.com/v1")),
            ("openai", "https://api.openai.com/v1/", Some("https://api.openai.com/v1")),
            ("openai", "http://10.0.0.1:8080", Some("http://10.0.0.1:8080")),
            ("openai", "http://h/v1/chat/completions", Some("http://h/v1")),
            ("openai", "localhost:8080", None),
            ("openai", "https://", None),
            ("openai", "https://${HOST}/v1", None),
            ("openai", "http://host:port/v1", None),
            ("openai", "http://[::1]:8080/v1", Some("http://[::1]:8080/v1")),
            ("ollama", "http://ollama:11434/", Some("http://ollama:11434")),
            ("ollama", "http://ollama:11434/v1", Some("http://ollama:11434/v1")),
            ("ollama", "https://proxy/team/ollama", Some("https://proxy/team/ollama")),
            ("ollama_chat", "https://proxy/ollama/api/chat", Some("https://proxy/ollama")),
            ("ollama_openai", "http://ollama:11434/", Some("http://ollama:11434/v1")),
            ("ollama_openai", "https://proxy/team/ollama", Some("https://proxy/team/ollama/v1")),
            ("groq", "https://api.groq.com", Some("https://api.groq.com/openai/v1")),
            ("azure", "https://x.openai.azure.com/", Some("https://x.openai.azure.com")),
            (
                "azure",
                "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
                Some("https://x.openai.azure.com/openai/deployments/d"),
            ),
            ("hosted_vllm", "http://vllm:8000", Some("http://vllm:8000")),
            ("ollama", "http://ollama:11434/api/generate", Some("http://ollama:11434")),
            ("anthropic", "https://api.anthropic.com/v1/messages", Some("https://api.anthropic.com/v1")),
            ("anthropic", "https://api.anthropic.com", Some("https://api.anthropic.com/v1")),
            ("anthropic", "https://proxy/anthropic", Some("https://proxy/anthropic/v1")),
            (
                "gemini",
                "https://generativelanguage.googleapis.com",
                Some("https://generativelanguage.googleapis.com/v1beta"),
            ),
            (
                "gemini",
                "https://generativelanguage.googleapis.com/v1beta/openai/",
                Some("https://generativelanguage.googleapis.com/v1beta/openai"),
            ),
            ("gemini", "https://proxy/google", Some("https://proxy/google/v1beta")),
            ("gemini", "https://proxy/google/v1", Some("https://proxy/google/v1")),
            ("cohere", "https://api.cohere.com/v1", Some("https://api.cohere.com/v2")),
            ("cohere", "https://proxy/cohere/v1", Some("https://proxy/cohere/v2")),
            ("cohere", "https://api.cohere.com/v2/chat", Some("https://api.cohere.com/v2")),
            ("cohere", "https://api.cohere.ai/compatibility/v1", Some("https://api.cohere.ai/compatibility/v1")),
        ];
        for (name, text, expected) in rows {
            assert_eq!(checked(text, &provider(name)).as_deref(), expected, "{name} {text}");
        }
    }
}

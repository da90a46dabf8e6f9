//! The parts of turns as Anthropic has them, in requests and replies alike.

use std::borrow::Cow;

use serde::Serialize;

use crate::chat::{Cache, ToolCall};
use crate::json::Json;

/// A part of a turn: `kind` says which of the fields it has.
#[derive(Debug, Default, Serialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<SourceJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_use_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) content: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<CacheJson>,
}

/// Where a picture or a document is.
#[derive(Debug, Default, Serialize)]
pub(super) struct SourceJson<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_id: Option<&'a str>,
}

/// A mark of the prompt's cache.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct CacheJson {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl<'a> Part<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { kind: "text", text: Some(text.into()), ..Self::default() }
    }

    pub(super) fn thinking(text: &'a str, signature: &'a str) -> Self {
        Self { kind: "thinking", thinking: Some(text), signature: Some(signature), ..Self::default() }
    }

    pub(super) fn redacted_thinking(data: &'a str) -> Self {
        Self { kind: "redacted_thinking", data: Some(data), ..Self::default() }
    }

    pub(super) fn tool_use(id: Cow<'a, str>, call: &'a ToolCall) -> Self {
        let input = Some(input(&call.arguments));
        Self { kind: "tool_use", id: Some(id), name: Some(&call.name), input, ..Self::default() }
    }

    /// Whether it is a thought, with which the reply to a turn has to begin.
    pub(super) fn is_thought(&self) -> bool {
        matches!(self.kind, "thinking" | "redacted_thinking")
    }
}

impl CacheJson {
    pub(super) fn of(cache: Cache) -> Self {
        Self {
            kind: "ephemeral",
            ttl: match cache {
                Cache::Usual => None,
                Cache::Hour => Some("1h"),
            },
        }
    }
}

/// Arguments as an object, which the API insists on.
fn input(arguments: &str) -> Json {
    #[derive(Serialize)]
    struct Wrapped<'a> {
        arguments: &'a str,
    }
    match Json::parse(arguments) {
        Some(json) if json.is_object() => json,
        _ if arguments.trim().is_empty() => Json::empty_object(),
        _ => Json::of(&Wrapped { arguments }),
    }
}

/// An id of the letters that the API allows, the same wherever it stands.
pub(super) fn id(id: &str) -> Cow<'_, str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.is_empty() {
        return Cow::Borrowed("_");
    }
    if id.chars().all(is_allowed) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect())
}

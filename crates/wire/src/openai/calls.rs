//! Calls of tools and thoughts, as messages and streams have them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::chat::{Content, ToolCall};
use crate::reply::Delta;

/// Text that may hold escapes, and null.
type Text<'a> = Option<Cow<'a, str>>;

/// A call in `tool_calls`, and in a stream a piece of one.
#[derive(Deserialize, Serialize, Default)]
pub(super) struct CallJson<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Text<'a>,
    #[serde(rename = "type", borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) function: FunctionJson<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<ExtraJson<'a>>,
}

#[derive(Deserialize, Serialize, Default)]
pub(super) struct FunctionJson<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<ArgumentsJson<'a>>,
}

/// Arguments: JSON in a text. Some servers write the object itself.
#[derive(Default)]
pub(super) struct ArgumentsJson<'a>(pub(super) Cow<'a, str>);

#[derive(Deserialize, Serialize)]
pub(super) struct ExtraJson<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    google: Option<GoogleJson<'a>>,
}

#[derive(Deserialize, Serialize)]
struct GoogleJson<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    thought_signature: Text<'a>,
}

impl<'a> ExtraJson<'a> {
    pub(super) fn of(signature: &'a str) -> Self {
        Self { google: Some(GoogleJson { thought_signature: Some(signature.into()) }) }
    }

    pub(super) fn signature(&self) -> Option<&str> {
        self.google.as_ref()?.thought_signature.as_deref()
    }
}

impl<'a> CallJson<'a> {
    /// A whole call.
    pub(super) fn of(call: &'a ToolCall) -> Self {
        Self {
            index: None,
            id: Some(call.id.as_str().into()),
            kind: Some("function".into()),
            function: FunctionJson::of(Some(&call.name), &call.arguments),
            extra_content: call.signature.as_deref().map(ExtraJson::of),
        }
    }

    /// The call, whole; `id` where it has none.
    pub(super) fn call(self, id: impl FnOnce() -> String) -> ToolCall {
        ToolCall {
            id: self.id.map_or_else(id, Cow::into_owned),
            name: self.function.name.map(Cow::into_owned).unwrap_or_default(),
            arguments: self.function.arguments.map(|arguments| arguments.0.into_owned()).unwrap_or_default(),
            signature: self.extra_content.as_ref().and_then(ExtraJson::signature).map(str::to_owned),
        }
    }
}

impl<'a> FunctionJson<'a> {
    /// The function `name`, where it is told, and `arguments`.
    pub(super) fn of(name: Option<&'a str>, arguments: &'a str) -> Self {
        Self { name: name.map(Cow::Borrowed), arguments: Some(ArgumentsJson(arguments.into())) }
    }
}

impl Serialize for ArgumentsJson<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ArgumentsJson<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: &'a RawValue = Deserialize::deserialize(deserializer)?;
        let text = raw.get();
        if text.starts_with('"') {
            return serde_json::from_str(text).map(|text| Self(Cow::Owned(text))).map_err(serde::de::Error::custom);
        }
        Ok(Self(if text == "null" { Cow::Borrowed("") } else { Cow::Borrowed(text) }))
    }
}

/// A thought in `thinking_blocks`.
#[derive(Deserialize, Serialize)]
pub(super) struct ThoughtJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    thinking: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    signature: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    data: Text<'a>,
}

impl<'a> ThoughtJson<'a> {
    pub(super) fn of(content: &'a Content) -> Option<Self> {
        match content {
            Content::Thinking { text, signature } => Some(Self {
                kind: "thinking".into(),
                thinking: Some(text.as_str().into()),
                signature: signature.as_deref().map(Cow::Borrowed),
                data: None,
            }),
            Content::RedactedThinking { data } => Some(Self::redacted(data)),
            _ => None,
        }
    }

    pub(super) fn redacted(data: &'a str) -> Self {
        Self { kind: "redacted_thinking".into(), thinking: None, signature: None, data: Some(data.into()) }
    }

    pub(super) fn signed(signature: &'a str) -> Self {
        Self { kind: "thinking".into(), thinking: Some("".into()), signature: Some(signature.into()), data: None }
    }

    /// What a stream adds with it: text comes as `reasoning_content` already.
    pub(super) fn proof(self) -> Option<Delta> {
        match (self.data, self.signature) {
            (Some(data), _) => Some(Delta::RedactedThinking(data.into_owned())),
            (None, Some(signature)) => Some(Delta::Signature(signature.into_owned())),
            (None, None) => None,
        }
    }

    pub(super) fn content(self) -> Content {
        match self.data {
            Some(data) => Content::RedactedThinking { data: data.into_owned() },
            None => Content::Thinking {
                text: self.thinking.map(Cow::into_owned).unwrap_or_default(),
                signature: self.signature.map(Cow::into_owned),
            },
        }
    }
}

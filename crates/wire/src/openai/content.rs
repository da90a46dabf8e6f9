//! The parts of messages, and the calls of tools.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::chat::{Block, Cache, Content, Source, ToolCall};
use crate::format::Unreadable;
use crate::json::Json;
use crate::reply::Delta;

/// Text that may hold escapes, and null.
type Text<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
struct PartJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_audio: Option<AudioJson<'a>>,
    #[serde(borrow, default)]
    file: Option<FileJson<'a>>,
    #[serde(borrow, default)]
    cache_control: Option<CacheJson<'a>>,
}

#[derive(Deserialize)]
struct ImageJson<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow, default)]
    detail: Text<'a>,
}

#[derive(Deserialize)]
struct AudioJson<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    format: Cow<'a, str>,
}

#[derive(Deserialize)]
struct FileJson<'a> {
    #[serde(borrow, default)]
    file_data: Text<'a>,
    #[serde(borrow, default)]
    file_id: Text<'a>,
    #[serde(borrow, default)]
    filename: Text<'a>,
}

/// `cache_control` as Anthropic has it.
#[derive(Deserialize, Serialize)]
pub(super) struct CacheJson<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    ttl: Text<'a>,
}

impl CacheJson<'_> {
    pub(super) fn cache(&self) -> Cache {
        if self.ttl.as_deref() == Some("1h") { Cache::Hour } else { Cache::Usual }
    }
}

/// The blocks of a message's `content` at `path`: null, a text, or a list of parts.
pub(super) fn read(raw: &str, path: &str) -> Result<Vec<Block>, Unreadable> {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(raw).map_err(|_| wrong(path, "a text"))?;
            Ok(if text.is_empty() { Vec::new() } else { vec![Block::text(text)] })
        }
        Some(b'[') => {
            let parts: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| wrong(path, "a list of parts"))?;
            parts.iter().enumerate().map(|(at, part)| read_part(part.get(), &format!("{path}[{at}]"))).collect()
        }
        _ if raw == "null" => Ok(Vec::new()),
        _ => Err(wrong(path, "a text or a list of parts")),
    }
}

fn read_part(raw: &str, path: &str) -> Result<Block, Unreadable> {
    let part: PartJson<'_> = serde_json::from_str(raw).map_err(|error| wrong(path, &format!("a part: {error}")))?;
    let text = |text: Text<'_>, what: &str| match text {
        Some(text) => Ok(text.into_owned()),
        None => Err(wrong(&format!("{path}.{what}"), "a text")),
    };
    let content = match part.kind.as_deref() {
        Some("text" | "input_text" | "output_text") => Content::Text(text(part.text, "text")?),
        Some("refusal") => Content::Refusal(text(part.refusal, "refusal")?),
        Some("image_url") => image(part.image_url, path)?,
        Some("input_audio") => match part.input_audio {
            Some(audio) => Content::Audio { data: audio.data.into_owned(), format: audio.format.into_owned() },
            None => return Err(wrong(&format!("{path}.input_audio"), "an object with data and format")),
        },
        Some("file") => file(part.file, path)?,
        Some(other) => {
            return Err(wrong(
                &format!("{path}.type"),
                &format!("text, image_url, input_audio, file or refusal instead of {other:?}"),
            ));
        }
        None => return Err(wrong(&format!("{path}.type"), "the kind of the part")),
    };
    Ok(Block { content, cache: part.cache_control.map(|cache| cache.cache()) })
}

fn image(raw: Option<&RawValue>, path: &str) -> Result<Content, Unreadable> {
    let path = format!("{path}.image_url");
    let raw = raw.ok_or_else(|| wrong(&path, "an object with a url"))?.get();
    let image = if raw.starts_with('"') {
        // As LiteLLM has it.
        serde_json::from_str(raw).map(|url| ImageJson { url, detail: None })
    } else {
        serde_json::from_str(raw)
    };
    let image = image.map_err(|_| wrong(&path, "an object with a url"))?;
    Ok(Content::Image { source: of_url(&image.url), detail: image.detail.map(Cow::into_owned) })
}

fn file(file: Option<FileJson<'_>>, path: &str) -> Result<Content, Unreadable> {
    let file = file.ok_or_else(|| wrong(&format!("{path}.file"), "an object"))?;
    let name = file.filename.map(Cow::into_owned);
    let source = match (file.file_data, file.file_id) {
        (Some(data), _) => match of_url(&data) {
            // Bare base64 is taken for what nearly all files are.
            Source::Url(url) if !url.contains("://") => {
                Source::Base64 { media_type: "application/pdf".to_owned(), data: url }
            }
            source => source,
        },
        // LiteLLM's clients write URLs where ids stand.
        (None, Some(id)) if id.contains("://") => Source::Url(id.into_owned()),
        (None, Some(id)) => Source::File(id.into_owned()),
        (None, None) => return Err(wrong(&format!("{path}.file"), "file_data or file_id")),
    };
    Ok(Content::Document { source, name })
}

/// What a URL leads to: its own data, or somewhere else.
pub(super) fn of_url(url: &str) -> Source {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((media_type, data)) => {
            let media_type = media_type.split(';').next().unwrap_or(media_type);
            Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
        }
        None => Source::Url(url.to_owned()),
    }
}

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

/// `blocks` as a message's content: a text where they are nothing else, otherwise parts.
pub(super) fn write(blocks: &[&Block]) -> Json {
    let texts: Option<Vec<&str>> = blocks
        .iter()
        .map(|block| match &block.content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    match texts {
        Some(texts) if texts.len() <= 1 => Json::of(&texts.first().copied().unwrap_or_default()),
        _ => Json::of(&blocks.iter().filter_map(|block| part(&block.content)).collect::<Vec<_>>()),
    }
}

#[derive(Serialize, Default)]
struct PartOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<ImageOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_audio: Option<AudioOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileOut<'a>>,
}

#[derive(Serialize)]
struct ImageOut<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct AudioOut<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Serialize, Default)]
struct FileOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

/// One part as JSON, null for what does not stand among parts.
pub(super) fn part_json(content: &Content) -> Json {
    Json::of(&part(content))
}

/// One part; `None` for what does not stand among parts.
fn part(content: &Content) -> Option<PartOut<'_>> {
    let blank = PartOut::default();
    Some(match content {
        Content::Text(text) => PartOut { kind: "text", text: Some(text), ..blank },
        Content::Refusal(text) => PartOut { kind: "refusal", refusal: Some(text), ..blank },
        Content::Image { source, detail } => {
            let image_url = Some(ImageOut { url: url(source)?, detail: detail.as_deref() });
            PartOut { kind: "image_url", image_url, ..blank }
        }
        Content::Audio { data, format } => {
            PartOut { kind: "input_audio", input_audio: Some(AudioOut { data, format }), ..blank }
        }
        Content::Document { source: Source::Text(text), .. } => PartOut { kind: "text", text: Some(text), ..blank },
        Content::Document { source, name } => {
            let filename = Some(name.as_deref().unwrap_or("document.pdf"));
            let file = match source {
                Source::File(id) => FileOut { file_id: Some(id), ..FileOut::default() },
                source => FileOut { file_data: Some(url(source)?), filename, ..FileOut::default() },
            };
            PartOut { kind: "file", file: Some(file), ..blank }
        }
        Content::ToolCall(_) | Content::ToolResult(_) | Content::Thinking { .. } | Content::RedactedThinking { .. } => {
            return None;
        }
    })
}

fn url(source: &Source) -> Option<Cow<'_, str>> {
    match source {
        Source::Url(url) => Some(Cow::Borrowed(url)),
        Source::Base64 { media_type, data } => Some(Cow::Owned(format!("data:{media_type};base64,{data}"))),
        Source::Text(_) | Source::File(_) => None,
    }
}

/// That something else is expected at `path`.
pub(super) fn wrong(path: &str, expected: &str) -> Unreadable {
    Unreadable { path: path.to_owned(), problem: format!("expected {expected}") }
}

//! The parts of messages as they are read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::chat::{Block, Cache, Content, Source};
use crate::format::Unreadable;

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

/// That something else is expected at `path`.
pub(super) fn wrong(path: &str, expected: &str) -> Unreadable {
    Unreadable { path: path.to_owned(), problem: format!("expected {expected}") }
}

//! The parts of a message, and of what a tool returned, as they are read.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Block, Cache, Content, Source};
use crate::format::Unreadable;
use crate::losses::Losses;

/// A part. Which fields it has depends on its type.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PartJson<'a> {
    pub(super) r#type: String,
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    /// Log probabilities, of a reply.
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    image_url: Option<String>,
    detail: Option<String>,
    file_id: Option<String>,
    file_data: Option<String>,
    file_url: Option<String>,
    filename: Option<String>,
    input_audio: Option<AudioJson>,
    prompt_cache_breakpoint: Option<BreakpointJson>,
}

#[derive(Deserialize)]
struct AudioJson {
    data: String,
    format: String,
}

#[derive(Deserialize)]
struct BreakpointJson {
    #[serde(default)]
    ttl: Option<String>,
}

/// The blocks of `raw`, a text or a list of parts, which stands at `path`.
pub(super) fn read_parts(raw: &RawValue, path: &str, losses: &mut Losses) -> Result<Vec<Block>, Unreadable> {
    if raw.get().starts_with('"') {
        return Ok(vec![Block::text(super::item::text_of(raw))]);
    }
    let parts: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| unreadable(path, "expected a text or a list of parts"))?;
    let mut blocks = Vec::with_capacity(parts.len());
    for (at, raw) in parts.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        let part = serde_json::from_str::<PartJson<'_>>(raw.get())
            .map_err(|error| unreadable(&path, format!("is not a part of a message: {error}")))?;
        blocks.extend(part.block(path, losses)?);
    }
    Ok(blocks)
}

impl PartJson<'_> {
    fn block(self, path: String, losses: &mut Losses) -> Result<Option<Block>, Unreadable> {
        let cache = self.prompt_cache_breakpoint.as_ref().map(|mark| match mark.ttl.as_deref() {
            Some("12h") => Cache::Hour,
            _ => Cache::Usual,
        });
        let content = match self.r#type.as_str() {
            "input_text" | "output_text" | "text" | "summary_text" => {
                Content::Text(self.text.ok_or_else(|| unreadable(&path, "has no `text`"))?)
            }
            "refusal" => Content::Refusal(self.refusal.ok_or_else(|| unreadable(&path, "has no `refusal`"))?),
            "input_image" => self.image(&path)?,
            "input_file" => self.file(&path)?,
            "input_audio" => {
                let audio = self.input_audio.ok_or_else(|| unreadable(&path, "has no `input_audio`"))?;
                Content::Audio { data: audio.data, format: audio.format }
            }
            kind @ "computer_screenshot" => {
                losses.note(path, format!("is a {kind}, which no other format has"));
                return Ok(None);
            }
            kind => {
                let known = "expected input_text, input_image, input_file, input_audio, output_text or refusal";
                return Err(unreadable(format!("{path}.type"), format!("is \"{kind}\"; {known}")));
            }
        };
        Ok(Some(Block { content, cache }))
    }

    fn image(self, path: &str) -> Result<Content, Unreadable> {
        let source = match (self.image_url, self.file_id) {
            (Some(url), _) => source_of(url),
            (None, Some(id)) => Source::File(id),
            (None, None) => return Err(unreadable(path, "has neither `image_url` nor `file_id`")),
        };
        Ok(Content::Image { source, detail: self.detail })
    }

    fn file(self, path: &str) -> Result<Content, Unreadable> {
        let source = match (self.file_data, self.file_url, self.file_id) {
            (Some(data), _, _) => match source_of(data) {
                // No data URL: bare base64.
                Source::Url(data) => Source::Base64 { media_type: media_type(self.filename.as_deref()).into(), data },
                source => source,
            },
            (None, Some(url), _) => source_of(url),
            (None, None, Some(id)) => Source::File(id),
            (None, None, None) => {
                return Err(unreadable(path, "has none of `file_data`, `file_url` and `file_id`"));
            }
        };
        Ok(Content::Document { source, name: self.filename })
    }
}

/// What `url` points to, or holds if it is a `data:` URL in base64.
fn source_of(url: String) -> Source {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match inline {
        Some((head, data)) if head.ends_with(";base64") => {
            let media_type = head.split(';').next().unwrap_or_default().to_owned();
            Source::Base64 { media_type, data: data.to_owned() }
        }
        _ => Source::Url(url),
    }
}

fn media_type(filename: Option<&str>) -> &'static str {
    let ending = filename.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("txt") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        _ => "application/pdf",
    }
}

/// A client's mistake.
pub(super) fn unreadable(path: impl Into<String>, problem: impl Into<String>) -> Unreadable {
    Unreadable { path: path.into(), problem: problem.into() }
}

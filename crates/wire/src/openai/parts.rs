//! The parts of messages as they are written.

use std::borrow::Cow;

use serde::Serialize;

use crate::chat::{Block, Content, Source};
use crate::json::Json;

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

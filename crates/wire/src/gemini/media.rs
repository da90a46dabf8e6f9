//! Pictures, documents and sound as parts of a turn.

use std::borrow::Cow;

use serde::Serialize;

use crate::chat::{Content, Source};
use crate::losses::Losses;

/// Where files uploaded to AI Studio are.
const FILES: &str = "https://generativelanguage.googleapis.com/v1beta/";

/// Endings of addresses and what they stand for.
const ENDINGS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("xml", "text/xml"),
    ("rtf", "text/rtf"),
    ("json", "application/json"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("aiff", "audio/aiff"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("m4a", "audio/m4a"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpg"),
    ("mov", "video/mov"),
    ("avi", "video/avi"),
    ("flv", "video/x-flv"),
    ("webm", "video/webm"),
    ("wmv", "video/wmv"),
    ("3gp", "video/3gpp"),
];

/// Bytes within the request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    mime_type: Cow<'a, str>,
    data: &'a str,
}

/// Bytes elsewhere.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
    file_uri: Cow<'a, str>,
}

/// What a medium is, once it is known where it comes from.
#[derive(Debug)]
pub(super) enum Medium<'a> {
    /// Sent along.
    Inline(Blob<'a>),
    /// To be fetched.
    File(FileData<'a>),
    /// Text after all.
    Text(&'a str),
}

/// The medium that `content` is; `None` for what is none, and for what Gemini cannot get.
pub(super) fn medium<'a>(content: &'a Content, path: &str, losses: &mut Losses) -> Option<Medium<'a>> {
    match content {
        Content::Image { source, .. } => of_source(source, "image/jpeg", path, losses),
        Content::Document { source, .. } => of_source(source, "application/pdf", path, losses),
        Content::Audio { data, format } => {
            Some(Medium::Inline(Blob { mime_type: format!("audio/{format}").into(), data }))
        }
        Content::Text(_)
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Thinking { .. }
        | Content::RedactedThinking { .. }
        | Content::Refusal(_) => None,
    }
}

fn of_source<'a>(source: &'a Source, usual: &'static str, path: &str, losses: &mut Losses) -> Option<Medium<'a>> {
    match source {
        Source::Base64 { media_type, data } => {
            // A name that is no media type, but often written.
            let mime_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
            Some(Medium::Inline(Blob { mime_type: mime_type.into(), data }))
        }
        Source::Text(text) => Some(Medium::Text(text)),
        Source::Url(url) => {
            Some(Medium::File(FileData { mime_type: by_ending(url).or(Some(usual)), file_uri: url.into() }))
        }
        Source::File(file) if file.starts_with("gs://") || file.starts_with("https://") => {
            Some(Medium::File(FileData { mime_type: by_ending(file), file_uri: file.into() }))
        }
        Source::File(file) if file.starts_with("files/") => {
            Some(Medium::File(FileData { mime_type: None, file_uri: format!("{FILES}{file}").into() }))
        }
        Source::File(_) => {
            losses.note(path.to_owned(), "names a file that was uploaded elsewhere, which Gemini cannot get");
            None
        }
    }
}

fn by_ending(url: &str) -> Option<&'static str> {
    let address = url.split(['?', '#']).next().unwrap_or(url);
    let name = address.rsplit('/').next().unwrap_or(address);
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(_, mime_type)| *mime_type)
}

#[cfg(test)]
mod tests {
    use super::by_ending;

    #[test]
    fn the_ending_of_an_address_tells_the_type() {
        let rows = [
            ("https://example.org/a/cat.PNG?w=3", Some("image/png")),
            ("https://example.org/cat.jpeg#top", Some("image/jpeg")),
            ("gs://bucket/report.pdf", Some("application/pdf")),
            ("gs://bucket/clip.mp4", Some("video/mp4")),
            ("https://example.org/v1.2/cat", None),
            ("https://example.org", None),
            ("", None),
        ];
        for (url, expected) in rows {
            assert_eq!(by_ending(url), expected, "{url}");
        }
    }
}

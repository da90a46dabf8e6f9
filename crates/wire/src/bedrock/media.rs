//! Pictures, documents and sound.

use std::borrow::Cow;

use aws_smithy_types::base64;
use serde::Serialize;

use crate::chat::Source;
use crate::losses::Losses;

const LONGEST_NAME: usize = 200;

#[derive(Debug, Serialize)]
pub(super) struct Media<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    format: &'static str,
    source: MediaSource<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum MediaSource<'a> {
    Bytes(Cow<'a, str>),
    S3Location { uri: &'a str },
}

/// The names that documents have so far, which must differ.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<String>);

/// A picture.
pub(super) fn image<'a>(path: &str, source: &'a Source, losses: &mut Losses) -> Option<Media<'a>> {
    let format = match source {
        Source::Base64 { media_type, .. } => image_format(media_type.rsplit('/').next().unwrap_or_default()),
        Source::Url(url) => image_format(url.rsplit('.').next().unwrap_or_default()),
        Source::File(_) | Source::Text(_) => None,
    };
    let source = source_of(path, source, losses)?;
    if format.is_none() {
        losses.note(path.to_owned(), "is no PNG, JPEG, GIF or WebP, which are what Bedrock takes");
    }
    Some(Media { name: None, format: format?, source })
}

/// A document, by a name that none of `names` has yet.
pub(super) fn document<'a>(
    path: &str,
    source: &'a Source,
    name: Option<&str>,
    names: &mut Names,
    losses: &mut Losses,
) -> Option<Media<'a>> {
    let by_name = |name: &str| name.rsplit_once('.').and_then(|(_, ending)| document_format(ending));
    let format = match source {
        Source::Base64 { media_type, .. } => document_format(media_type).or_else(|| name.and_then(by_name)),
        Source::Url(url) => by_name(url).or_else(|| name.and_then(by_name)),
        Source::Text(_) => name.and_then(by_name).or(Some("txt")),
        Source::File(_) => None,
    };
    let source = source_of(path, source, losses)?;
    if format.is_none() {
        losses.note(path.to_owned(), "is of a kind that Bedrock does not take");
    }
    let format = format?;
    Some(Media { name: Some(names.unique(name.unwrap_or_default())), format, source })
}

/// Sound.
pub(super) fn audio<'a>(path: &str, data: &'a str, format: &str, losses: &mut Losses) -> Option<Media<'a>> {
    const FORMATS: &[&str] = &["mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "m4a", "mpeg", "pcm", "webm"];
    let known = FORMATS.iter().copied().find(|known| *known == format);
    if known.is_none() {
        losses.note(path.to_owned(), "is of a kind that Bedrock does not take");
    }
    Some(Media { name: None, format: known?, source: MediaSource::Bytes(data.into()) })
}

fn source_of<'a>(path: &str, source: &'a Source, losses: &mut Losses) -> Option<MediaSource<'a>> {
    match source {
        Source::Base64 { data, .. } => Some(MediaSource::Bytes(data.into())),
        Source::Text(text) if text.is_empty() => None,
        Source::Text(text) => Some(MediaSource::Bytes(base64::encode(text).into())),
        Source::Url(uri) if uri.starts_with("s3://") => Some(MediaSource::S3Location { uri }),
        Source::Url(_) => {
            losses.note(path.to_owned(), "is an address, and Bedrock fetches nothing but from S3");
            None
        }
        Source::File(_) => {
            losses.note(path.to_owned(), "is a file uploaded elsewhere");
            None
        }
    }
}

impl Names {
    /// A name of letters, digits, single spaces, hyphens, parentheses and brackets that no document has yet.
    fn unique(&mut self, name: &str) -> String {
        let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let is_good = |char: char| char.is_ascii_alphanumeric() || matches!(char, ' ' | '-' | '(' | ')' | '[' | ']');
        let name: String = name.chars().map(|char| if is_good(char) { char } else { ' ' }).collect();
        let words: Vec<&str> = name.split_whitespace().collect();
        let mut stem = words.join(" ");
        stem.truncate(LONGEST_NAME - 10);
        if stem.is_empty() {
            "document".clone_into(&mut stem);
        }
        let mut name = stem.clone();
        let mut count = 1;
        while self.0.contains(&name) {
            count += 1;
            name = format!("{stem} ({count})");
        }
        self.0.push(name.clone());
        name
    }
}

fn image_format(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "png" => "png",
        "jpeg" | "jpg" => "jpeg",
        "gif" => "gif",
        "webp" => "webp",
        _ => return None,
    })
}

/// By the media type or by a file's ending.
fn document_format(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "application/pdf" | "pdf" => "pdf",
        "text/csv" | "csv" => "csv",
        "application/msword" | "doc" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" | "docx" => "docx",
        "application/vnd.ms-excel" | "xls" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" | "xlsx" => "xlsx",
        "text/html" | "html" | "htm" => "html",
        "text/plain" | "txt" => "txt",
        "text/markdown" | "md" => "md",
        _ => return None,
    })
}

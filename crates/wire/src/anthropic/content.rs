//! The parts of turns as clients write them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Block, Cache, Content, Source, ToolCall, ToolResult, text_of};
use crate::format::Unreadable;
use crate::json::Json;
use crate::losses::Losses;

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
struct PartJson<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    title: Text<'a>,
    #[serde(borrow, default)]
    context: Text<'a>,
    #[serde(borrow, default)]
    citations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_use_id: Text<'a>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(borrow, default)]
    thinking: Text<'a>,
    #[serde(borrow, default)]
    signature: Text<'a>,
    #[serde(borrow, default)]
    data: Text<'a>,
    #[serde(borrow, default)]
    cache_control: Option<CacheJson<'a>>,
}

/// `cache_control`.
#[derive(Deserialize)]
pub(super) struct CacheJson<'a> {
    #[serde(borrow, default)]
    ttl: Text<'a>,
}

impl CacheJson<'_> {
    pub(super) fn cache(&self) -> Cache {
        if self.ttl.as_deref() == Some("1h") { Cache::Hour } else { Cache::Usual }
    }
}

#[derive(Deserialize)]
struct SourceJson<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    media_type: Text<'a>,
    #[serde(borrow, default)]
    data: Text<'a>,
    #[serde(borrow, default)]
    url: Text<'a>,
    #[serde(borrow, default)]
    file_id: Text<'a>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

/// How deep blocks may stand in blocks: those of a document in the result of a tool. Without a bound, a client could
/// make the reader call itself until the stack is used up.
const DEEPEST: u8 = 3;

/// How deep in blocks the reader is.
struct Nest<'l> {
    losses: &'l mut Losses,
    depth: u8,
}

impl Nest<'_> {
    fn note(&mut self, path: String, why: impl Into<Cow<'static, str>>) {
        self.losses.note(path, why);
    }

    /// The blocks in a block.
    fn read(&mut self, raw: &str, path: &str) -> Result<Vec<Block>, Unreadable> {
        if self.depth == DEEPEST {
            return Err(wrong(path, "expected no further blocks so deep in blocks"));
        }
        read_nest(raw, path, &mut Nest { losses: self.losses, depth: self.depth + 1 })
    }
}

/// The blocks of `raw` at `path`: a text, or a list of parts.
pub(super) fn read(raw: &str, path: &str, losses: &mut Losses) -> Result<Vec<Block>, Unreadable> {
    read_nest(raw, path, &mut Nest { losses, depth: 0 })
}

fn read_nest(raw: &str, path: &str, nest: &mut Nest<'_>) -> Result<Vec<Block>, Unreadable> {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(raw).map_err(|_| wrong(path, "expected a text"))?;
            Ok(if text.is_empty() { Vec::new() } else { vec![Block::text(text)] })
        }
        Some(b'[') => {
            let parts: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| wrong(path, "expected a list"))?;
            let mut blocks = Vec::with_capacity(parts.len());
            for (at, part) in parts.iter().enumerate() {
                blocks.extend(read_part(part.get(), &format!("{path}[{at}]"), nest)?);
            }
            Ok(blocks)
        }
        _ => Err(wrong(path, "expected a text or a list of blocks")),
    }
}

/// The block of `raw`; none for what only Anthropic's own servers understand.
fn read_part(raw: &str, path: &str, nest: &mut Nest<'_>) -> Result<Option<Block>, Unreadable> {
    let part: PartJson<'_> =
        serde_json::from_str(raw).map_err(|error| wrong(path, format!("expected a block: {error}")))?;
    let need = |text: &Text<'_>, name: &str| match text {
        Some(text) => Ok(text.clone().into_owned()),
        None => Err(wrong(&format!("{path}.{name}"), "expected a text")),
    };
    let content = match part.kind.as_deref() {
        None => return Err(wrong(&format!("{path}.type"), "expected the type of the block, such as \"text\"")),
        Some("text") => Content::Text(need(&part.text, "text")?),
        Some("image") => Content::Image { source: source(&part, path, nest)?, detail: None },
        Some("document") => document(&part, path, nest)?,
        Some("search_result") => search_result(&part, path, nest)?,
        Some("thinking") => Content::Thinking {
            text: part.thinking.clone().unwrap_or_default().into_owned(),
            signature: part.signature.clone().map(Cow::into_owned).filter(|signature| !signature.is_empty()),
        },
        Some("redacted_thinking") => Content::RedactedThinking { data: need(&part.data, "data")? },
        Some("tool_use") => Content::ToolCall(ToolCall {
            id: need(&part.id, "id")?,
            name: need(&part.name, "name")?,
            arguments: object(part.input, &format!("{path}.input"))?.as_str().to_owned(),
            signature: None,
        }),
        Some("tool_result") => Content::ToolResult(ToolResult {
            call_id: need(&part.tool_use_id, "tool_use_id")?,
            blocks: part.content.map_or(Ok(Vec::new()), |raw| nest.read(raw.get(), &format!("{path}.content")))?,
            is_error: part.is_error.unwrap_or(false),
        }),
        Some(other) => {
            nest.note(path.to_owned(), format!("is a block of type {other}, which only Anthropic knows"));
            return Ok(None);
        }
    };
    Ok(Some(Block { content, cache: part.cache_control.map(|cache| cache.cache()) }))
}

fn document(part: &PartJson<'_>, path: &str, nest: &mut Nest<'_>) -> Result<Content, Unreadable> {
    if part.citations.is_some_and(|json| json.get().contains("true")) {
        nest.note(format!("{path}.citations"), "is not known to other providers");
    }
    if part.context.is_some() {
        nest.note(format!("{path}.context"), "is not known to other providers");
    }
    Ok(Content::Document { source: source(part, path, nest)?, name: part.title.clone().map(Cow::into_owned) })
}

/// A finding of the client's own search, as text.
fn search_result(part: &PartJson<'_>, path: &str, nest: &mut Nest<'_>) -> Result<Content, Unreadable> {
    let blocks = part.content.map_or(Ok(Vec::new()), |raw| nest.read(raw.get(), &format!("{path}.content")))?;
    // Its source is mostly a plain text.
    let source = part.source.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok()).unwrap_or_default();
    let title = part.title.as_deref().unwrap_or_default();
    let text = text_of(&blocks);
    let lines: Vec<_> = [title, &source, &text].into_iter().filter(|line| !line.trim().is_empty()).collect();
    Ok(Content::Text(lines.join("\n")))
}

fn source(part: &PartJson<'_>, path: &str, nest: &mut Nest<'_>) -> Result<Source, Unreadable> {
    let path = format!("{path}.source");
    let raw = part.source.ok_or_else(|| wrong(&path, "expected an object with a type"))?;
    let json: SourceJson<'_> =
        serde_json::from_str(raw.get()).map_err(|error| wrong(&path, format!("expected an object: {error}")))?;
    let need = |text: Text<'_>, name: &str| match text {
        Some(text) => Ok(text.into_owned()),
        None => Err(wrong(&format!("{path}.{name}"), "expected a text")),
    };
    Ok(match json.kind.as_deref() {
        Some("base64") => {
            Source::Base64 { media_type: need(json.media_type, "media_type")?, data: need(json.data, "data")? }
        }
        Some("url") => Source::Url(need(json.url, "url")?),
        Some("file") => Source::File(need(json.file_id, "file_id")?),
        Some("text") => Source::Text(need(json.data, "data")?),
        Some("content") => {
            let content = format!("{path}.content");
            let raw = json.content.ok_or_else(|| wrong(&content, "expected a text or a list of blocks"))?;
            let blocks = nest.read(raw.get(), &content)?;
            if blocks.iter().any(|block| !matches!(block.content, Content::Text(_))) {
                nest.note(content, "has more than text, which is left out");
            }
            Source::Text(text_of(&blocks))
        }
        _ => return Err(wrong(&format!("{path}.type"), "expected base64, url, text, content or file")),
    })
}

/// The JSON object that `raw` is.
pub(super) fn object(raw: Option<&RawValue>, path: &str) -> Result<Json, Unreadable> {
    let json = raw.and_then(|raw| Json::parse(raw.get())).filter(Json::is_object);
    json.ok_or_else(|| wrong(path, "expected an object"))
}

pub(super) fn wrong(path: &str, problem: impl Into<String>) -> Unreadable {
    Unreadable { path: path.to_owned(), problem: problem.into() }
}

//! Embeddings: asked for in `OpenAI`'s words, answered by providers in theirs.

mod read;
mod write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::usage::Usage;

pub use self::read::read_reply;
pub use self::write::{vertex_verb, write_request, write_vertex_request};
use crate::format::{Format, Labels, Unreadable};
use crate::json::Json;
use crate::{bedrock, gemini};

/// What a client wants embedded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Embed {
    /// The texts, in order.
    pub inputs: Vec<String>,
    /// How long the vectors should be.
    pub dimensions: Option<u32>,
    /// Whether vectors are told as base64 of little-endian 32-bit floats.
    pub is_base64: bool,
    /// What the vectors are for, in Cohere's words (`search_query`, …).
    pub input_type: Option<String>,
    /// Other fields of the request.
    pub extra: Vec<(String, Json)>,
}

/// What a provider made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// One for each input, in order.
    pub vectors: Vec<Vec<f32>>,
    /// What it used, where the provider says.
    pub usage: Option<Usage>,
}

/// Where embeddings are asked for at a provider that speaks `format`, below its base URL.
pub fn path(format: Format, model: &str) -> String {
    match format {
        Format::Gemini => gemini::path(model, false).replace(":generateContent", ":batchEmbedContents"),
        Format::Bedrock => bedrock::path(model, false).replace("/converse", "/invoke"),
        Format::Cohere => "/embed".to_owned(),
        Format::Ollama => "/api/embed".to_owned(),
        Format::OpenAi | Format::Responses | Format::Anthropic => "/embeddings".to_owned(),
    }
}

/// Reads a client's request.
///
/// # Errors
/// When `input` is no text and no list of texts, or another field holds what it cannot.
pub fn read_request(body: &[u8]) -> Result<Embed, Unreadable> {
    let object =
        JsonObject::parse(Bytes::copy_from_slice(body)).map_err(|error| wrong("the body", error.to_string()))?;
    let mut embed = Embed::default();
    for key in object.keys() {
        let Some(raw) = object.raw(key).filter(|raw| *raw != "null") else { continue };
        match key {
            "input" => embed.inputs = inputs(raw)?,
            "dimensions" => embed.dimensions = Some(value(key, raw, "a count")?),
            "encoding_format" => embed.is_base64 = is_base64(raw)?,
            "input_type" => embed.input_type = Some(value(key, raw, "a text")?),
            // The model is the deployment's, and who asks is nobody else's concern.
            "model" | "user" => {}
            _ => embed.extra.extend(Json::parse(raw).map(|json| (key.to_owned(), json))),
        }
    }
    if embed.inputs.is_empty() {
        return Err(wrong("input", "expected a text or a list of texts"));
    }
    Ok(embed)
}

fn is_base64(raw: &str) -> Result<bool, Unreadable> {
    match value::<String>("encoding_format", raw, "float or base64")?.as_str() {
        "float" => Ok(false),
        "base64" => Ok(true),
        _ => Err(wrong("encoding_format", "expected float or base64")),
    }
}

fn inputs(raw: &str) -> Result<Vec<String>, Unreadable> {
    if raw.starts_with('"') {
        return Ok(vec![value("input", raw, "a text")?]);
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(raw).map_err(|_| wrong("input", "expected a text or a list of texts"))?;
    let text = |(at, item): (usize, &&RawValue)| {
        let path = format!("input[{at}]");
        let is_tokens = item.get().starts_with(|first: char| first == '[' || first.is_ascii_digit());
        if is_tokens {
            return Err(wrong(&path, "is tokens, which only OpenAI's models understand; send texts"));
        }
        value(&path, item.get(), "a text")
    };
    items.iter().enumerate().map(text).collect()
}

fn value<'a, T: serde::Deserialize<'a>>(path: &str, raw: &'a str, expected: &str) -> Result<T, Unreadable> {
    serde_json::from_str(raw).map_err(|_| wrong(path, format!("expected {expected}")))
}

fn wrong(path: &str, problem: impl Into<String>) -> Unreadable {
    Unreadable { path: path.to_owned(), problem: problem.into() }
}

/// Writes the reply for the client.
pub fn write_reply(vectors: &Vectors, embed: &Embed, labels: &Labels) -> Bytes {
    #[derive(Serialize)]
    struct ReplyJson<'a> {
        object: &'static str,
        data: Vec<ItemJson<'a>>,
        model: &'a str,
        usage: UsageJson,
    }
    #[derive(Serialize)]
    struct ItemJson<'a> {
        object: &'static str,
        index: usize,
        embedding: VectorJson<'a>,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum VectorJson<'a> {
        Floats(&'a [f32]),
        Base64(String),
    }
    #[derive(Serialize)]
    struct UsageJson {
        prompt_tokens: u32,
        total_tokens: u64,
    }
    let vector =
        |vector: &[f32]| STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    let data = vectors.vectors.iter().enumerate().map(|(index, numbers)| ItemJson {
        object: "embedding",
        index,
        embedding: if embed.is_base64 { VectorJson::Base64(vector(numbers)) } else { VectorJson::Floats(numbers) },
    });
    let usage = vectors.usage.unwrap_or_default();
    let reply = ReplyJson {
        object: "list",
        data: data.collect(),
        model: &labels.model,
        usage: UsageJson { prompt_tokens: usage.prompt_tokens, total_tokens: usage.total_tokens() },
    };
    serde_json::to_vec(&reply).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;

//! Requests for embeddings, as providers want them.

mod amazon;
mod cohere;
mod google;

use serde::Serialize;

pub use self::google::{vertex_verb, write_vertex_request};
use super::{Embed, wrong};
use crate::format::{Format, Target, Unreadable, Written};
use crate::json::Json;
use crate::losses::Losses;

/// Writes `embed` for `target`, who speaks `format`.
///
/// # Errors
/// When the model takes fewer inputs at once, or none that is known.
pub fn write_request(embed: &Embed, format: Format, target: Target<'_>) -> Result<Written, Unreadable> {
    let mut losses = Losses::default();
    let body = match format {
        Format::Gemini => google::write(embed, target, &mut losses),
        Format::Cohere => cohere::write(embed, target, &mut losses)?,
        Format::Ollama => ollama(embed, target, &mut losses),
        Format::Bedrock => bedrock(embed, target, &mut losses)?,
        Format::OpenAi | Format::Responses | Format::Anthropic => {
            return Err(wrong("input", "cannot be embedded by a provider of this format"));
        }
    };
    Ok(Written { body: body.into(), losses })
}

fn ollama(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Vec<u8> {
    #[derive(Serialize)]
    struct EmbedJson<'a> {
        model: &'a str,
        input: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        dimensions: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        truncate: Option<&'a Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        keep_alive: Option<&'a Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        options: Option<&'a Json>,
    }
    note_unknown(embed, "Ollama", &["truncate", "keep_alive", "options"], losses);
    note_input_type(embed, "Ollama", losses);
    print(&EmbedJson {
        model: target.model,
        input: &embed.inputs,
        dimensions: embed.dimensions,
        truncate: extra(embed, "truncate"),
        keep_alive: extra(embed, "keep_alive"),
        options: extra(embed, "options"),
    })
}

/// Models on Bedrock each have their maker's shape; the name tells whose it is, whatever region it begins with.
fn bedrock(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Result<Vec<u8>, Unreadable> {
    if target.model.contains("cohere.embed") {
        return cohere::write_for_bedrock(embed, target, losses);
    }
    if target.model.contains("titan-embed") {
        return amazon::write(embed, target, losses);
    }
    Err(wrong("model", "is none of Amazon's Titan and Cohere's embedding models, which are the ones known here"))
}

/// The field `key` of the request, which the provider has too.
fn extra<'a>(embed: &'a Embed, key: &str) -> Option<&'a Json> {
    embed.extra.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// Notes the fields that are none of `known`.
fn note_unknown(embed: &Embed, provider: &str, known: &[&str], losses: &mut Losses) {
    for (name, _) in embed.extra.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        losses.note(name.clone(), format!("is not known to {provider}"));
    }
}

fn note_input_type(embed: &Embed, provider: &str, losses: &mut Losses) {
    if embed.input_type.is_some() {
        losses.note("input_type", format!("is not known to {provider}"));
    }
}

fn print(json: &impl Serialize) -> Vec<u8> {
    // Text and numbers always print.
    serde_json::to_vec(json).unwrap_or_default()
}

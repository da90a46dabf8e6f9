//! Requests for embeddings, as providers want them.

use serde::Serialize;

use super::{Embed, wrong};
use crate::format::{Format, Target, Unreadable, Written};
use crate::json::Json;
use crate::losses::Losses;

/// What vectors are for when nobody says: what is stored to be found.
const USUAL_TYPE: &str = "search_document";

/// Writes `embed` for `target`, who speaks `format`.
///
/// # Errors
/// When the model takes fewer inputs at once, or none that is known.
pub fn write_request(embed: &Embed, format: Format, target: Target<'_>) -> Result<Written, Unreadable> {
    let mut losses = Losses::default();
    let body = match format {
        Format::Gemini => gemini(embed, target, &mut losses),
        Format::Cohere => cohere(embed, target, &mut losses),
        Format::Ollama => ollama(embed, target, &mut losses),
        Format::Bedrock => bedrock(embed, target, &mut losses)?,
        Format::OpenAi | Format::Responses | Format::Anthropic => {
            return Err(wrong("input", "cannot be embedded by a provider of this format"));
        }
    };
    Ok(Written { body: body.into(), losses })
}

fn gemini(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Vec<u8> {
    #[derive(Serialize)]
    struct BatchJson<'a> {
        requests: Vec<RequestJson<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct RequestJson<'a> {
        model: &'a str,
        content: ContentJson<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        task_type: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        output_dimensionality: Option<u32>,
    }
    #[derive(Serialize)]
    struct ContentJson<'a> {
        parts: [PartJson<'a>; 1],
    }
    #[derive(Serialize)]
    struct PartJson<'a> {
        text: &'a str,
    }
    note_unknown(embed, "Google", &[], losses);
    let name = target.model.strip_prefix("models/").unwrap_or(target.model);
    let model = format!("models/{name}");
    let task_type = task_type(embed, losses);
    let requests = embed.inputs.iter().map(|text| RequestJson {
        model: &model,
        content: ContentJson { parts: [PartJson { text }] },
        task_type,
        output_dimensionality: embed.dimensions,
    });
    print(&BatchJson { requests: requests.collect() })
}

/// Writes `embed` for Vertex AI, whose models predict.
pub fn write_vertex_request(embed: &Embed) -> Written {
    #[derive(Serialize)]
    struct PredictJson<'a> {
        instances: Vec<InstanceJson<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        parameters: Option<ParametersJson>,
    }
    #[derive(Serialize)]
    struct InstanceJson<'a> {
        content: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        task_type: Option<&'static str>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ParametersJson {
        output_dimensionality: u32,
    }
    let mut losses = Losses::default();
    note_unknown(embed, "Google", &[], &mut losses);
    let task_type = task_type(embed, &mut losses);
    let instances = embed.inputs.iter().map(|content| InstanceJson { content, task_type });
    let body = print(&PredictJson {
        instances: instances.collect(),
        parameters: embed.dimensions.map(|output_dimensionality| ParametersJson { output_dimensionality }),
    });
    Written { body: body.into(), losses }
}

/// Google's word for what vectors are for; its own words are taken too.
fn task_type(embed: &Embed, losses: &mut Losses) -> Option<&'static str> {
    const WORDS: [(&str, &str); 8] = [
        ("search_document", "RETRIEVAL_DOCUMENT"),
        ("search_query", "RETRIEVAL_QUERY"),
        ("classification", "CLASSIFICATION"),
        ("clustering", "CLUSTERING"),
        ("semantic_similarity", "SEMANTIC_SIMILARITY"),
        ("question_answering", "QUESTION_ANSWERING"),
        ("fact_verification", "FACT_VERIFICATION"),
        ("code_retrieval_query", "CODE_RETRIEVAL_QUERY"),
    ];
    let word = embed.input_type.as_deref()?;
    let known = WORDS.iter().find(|(theirs, ours)| word.eq_ignore_ascii_case(theirs) || word == *ours);
    if known.is_none() {
        losses.note("input_type", "is none of the words that Google knows");
    }
    known.map(|(_, ours)| *ours)
}

fn cohere(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Vec<u8> {
    #[derive(Serialize)]
    struct EmbedJson<'a> {
        model: &'a str,
        texts: &'a [String],
        input_type: &'a str,
        embedding_types: [&'static str; 1],
        #[serde(skip_serializing_if = "Option::is_none")]
        output_dimension: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        truncate: Option<&'a Json>,
    }
    print(&EmbedJson {
        model: target.model,
        texts: &embed.inputs,
        input_type: embed.input_type.as_deref().unwrap_or(USUAL_TYPE),
        embedding_types: ["float"],
        output_dimension: embed.dimensions,
        truncate: native(embed, "truncate", "Cohere", &["truncate"], losses),
    })
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
    let known = ["truncate", "keep_alive", "options"];
    let mut field = |key| native(embed, key, "Ollama", &known, losses);
    let (truncate, keep_alive, options) = (field("truncate"), field("keep_alive"), field("options"));
    note_input_type(embed, "Ollama", losses);
    print(&EmbedJson {
        model: target.model,
        input: &embed.inputs,
        dimensions: embed.dimensions,
        truncate,
        keep_alive,
        options,
    })
}

fn bedrock(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Result<Vec<u8>, Unreadable> {
    if target.model.contains("cohere.embed") {
        return Ok(cohere_at_bedrock(embed, target, losses));
    }
    if !target.model.contains("titan-embed") {
        return Err(wrong(
            "model",
            "is none of Amazon's Titan and Cohere's embedding models, which are the ones known here",
        ));
    }
    titan(embed, target, losses)
}

fn titan(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Result<Vec<u8>, Unreadable> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct TitanJson<'a> {
        input_text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        dimensions: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        normalize: Option<&'a Json>,
    }
    let [text] = embed.inputs.as_slice() else {
        return Err(wrong(
            "input",
            "holds several texts, and Titan takes one a request: send one at a time, or use a Cohere model on Bedrock",
        ));
    };
    let takes_dimensions = target.model.contains("-v2");
    if embed.dimensions.is_some() && !takes_dimensions {
        losses.note("dimensions", "is not known to this model of Amazon's");
    }
    note_input_type(embed, "Amazon's Titan", losses);
    let normalize = native(embed, "normalize", "Amazon's Titan", &["normalize"], losses);
    Ok(print(&TitanJson { input_text: text, dimensions: embed.dimensions.filter(|_| takes_dimensions), normalize }))
}

fn cohere_at_bedrock(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Vec<u8> {
    #[derive(Serialize)]
    struct EmbedJson<'a> {
        texts: &'a [String],
        input_type: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        output_dimension: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        truncate: Option<&'a Json>,
    }
    // The third version has one length only.
    let takes_dimensions = target.model.contains("-v4");
    if embed.dimensions.is_some() && !takes_dimensions {
        losses.note("dimensions", "is not known to this model of Cohere's");
    }
    print(&EmbedJson {
        texts: &embed.inputs,
        input_type: embed.input_type.as_deref().unwrap_or(USUAL_TYPE),
        output_dimension: embed.dimensions.filter(|_| takes_dimensions),
        truncate: native(embed, "truncate", "Cohere", &["truncate"], losses),
    })
}

/// The field `key` of the request, which the provider has under that name. What is none of `known` is noted.
fn native<'a>(embed: &'a Embed, key: &str, provider: &str, known: &[&str], losses: &mut Losses) -> Option<&'a Json> {
    note_unknown(embed, provider, known, losses);
    embed.extra.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

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

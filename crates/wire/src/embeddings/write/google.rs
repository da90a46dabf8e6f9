//! Google's shapes: AI Studio embeds in batches, Vertex AI predicts or embeds, as the model has it.

use serde::Serialize;

use super::{Embed, Losses, Target, Written, extra, note_unknown, print};
use crate::json::Json;

#[derive(Serialize)]
struct ContentJson<'a> {
    parts: [PartJson<'a>; 1],
}

#[derive(Serialize)]
struct PartJson<'a> {
    text: &'a str,
}

impl<'a> From<&'a String> for ContentJson<'a> {
    fn from(text: &'a String) -> Self {
        Self { parts: [PartJson { text }] }
    }
}

pub(super) fn write(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Vec<u8> {
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
        title: Option<&'a Json>,
        #[serde(skip_serializing_if = "Option::is_none")]
        output_dimensionality: Option<u32>,
    }
    note_unknown(embed, "Google", &["title", "taskType", "task_type"], losses);
    let name = target.model.strip_prefix("models/").unwrap_or(target.model);
    let model = format!("models/{name}");
    let task_type = task_type(embed, losses);
    let requests = embed.inputs.iter().map(|text| RequestJson {
        model: &model,
        content: text.into(),
        task_type,
        title: extra(embed, "title"),
        output_dimensionality: embed.dimensions,
    });
    print(&BatchJson { requests: requests.collect() })
}

/// What is done with `model` at Vertex AI, which the path ends with: older models predict, Gemini's embed contents.
pub fn vertex_verb(model: &str) -> &'static str {
    if model.contains("gemini") { "batchEmbedContents" } else { "predict" }
}

/// Writes `embed` for `model` at Vertex AI.
pub fn write_vertex_request(embed: &Embed, model: &str) -> Written {
    let mut losses = Losses::default();
    note_unknown(embed, "Google", &["title", "taskType", "task_type", "autoTruncate", "auto_truncate"], &mut losses);
    let options = VertexOptions {
        task_type: task_type(embed, &mut losses),
        title: extra(embed, "title"),
        output_dimensionality: embed.dimensions,
        auto_truncate: extra(embed, "autoTruncate").or_else(|| extra(embed, "auto_truncate")),
    };
    let body = match vertex_verb(model) {
        "predict" => prediction(embed, &options),
        _ => vertex_batch(embed, &options),
    };
    Written { body: body.into(), losses }
}

/// What a request may set, under the names that [`vertex_batch`] has for it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VertexOptions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_truncate: Option<&'a Json>,
}

impl VertexOptions<'_> {
    fn is_empty(&self) -> bool {
        let Self { task_type, title, output_dimensionality, auto_truncate } = self;
        task_type.is_none() && title.is_none() && output_dimensionality.is_none() && auto_truncate.is_none()
    }
}

fn prediction(embed: &Embed, options: &VertexOptions<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct PredictJson<'a> {
        instances: Vec<InstanceJson<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        parameters: Option<ParametersJson<'a>>,
    }
    #[derive(Serialize)]
    struct InstanceJson<'a> {
        content: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        task_type: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a Json>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ParametersJson<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        output_dimensionality: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        auto_truncate: Option<&'a Json>,
    }
    let VertexOptions { task_type, title, output_dimensionality, auto_truncate } = *options;
    let instances = embed.inputs.iter().map(|content| InstanceJson { content, task_type, title });
    let has_parameters = output_dimensionality.is_some() || auto_truncate.is_some();
    print(&PredictJson {
        instances: instances.collect(),
        parameters: has_parameters.then_some(ParametersJson { output_dimensionality, auto_truncate }),
    })
}

fn vertex_batch(embed: &Embed, options: &VertexOptions<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct BatchJson<'a> {
        requests: Vec<RequestJson<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct RequestJson<'a> {
        content: ContentJson<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        embed_content_config: Option<&'a VertexOptions<'a>>,
    }
    let embed_content_config = (!options.is_empty()).then_some(options);
    let requests = embed.inputs.iter().map(|text| RequestJson { content: text.into(), embed_content_config });
    print(&BatchJson { requests: requests.collect() })
}

/// Google's word for what vectors are for, said in Cohere's words or in its own.
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
    let own = |key: &'static str| Some((key, extra(embed, key)?.as_str().trim_matches('"')));
    let said = embed.input_type.as_deref().map(|word| ("input_type", word));
    let (path, word) = said.or_else(|| own("taskType")).or_else(|| own("task_type"))?;
    let known = WORDS.iter().find(|(theirs, ours)| word.eq_ignore_ascii_case(theirs) || word == *ours);
    if known.is_none() {
        losses.note(path, "is none of the words that Google knows");
    }
    known.map(|(_, ours)| *ours)
}

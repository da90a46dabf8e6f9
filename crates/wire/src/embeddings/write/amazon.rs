//! The shape of Amazon's Titan.

use serde::Serialize;

use super::{Embed, Losses, Target, Unreadable, extra, note_input_type, note_unknown, print, wrong};
use crate::json::Json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TitanJson<'a> {
    input_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalize: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding_config: Option<ConfigJson>,
}

/// Where the model that also takes images is told of a length.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigJson {
    output_embedding_length: u32,
}

pub(super) fn write(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Result<Vec<u8>, Unreadable> {
    let [text] = embed.inputs.as_slice() else {
        return Err(wrong(
            "input",
            "holds several texts, and Titan takes one a request: send one at a time, or use a Cohere model on Bedrock",
        ));
    };
    let is_second = target.model.contains("titan-embed-text-v2");
    let sees_images = target.model.contains("titan-embed-image");
    let known: &[&str] = if is_second { &["normalize"] } else { &[] };
    note_unknown(embed, "this model of Amazon's", known, losses);
    if embed.dimensions.is_some() && !is_second && !sees_images {
        losses.note("dimensions", "is not known to this model of Amazon's");
    }
    note_input_type(embed, "Amazon's Titan", losses);
    let length = embed.dimensions.filter(|_| sees_images);
    Ok(print(&TitanJson {
        input_text: text,
        dimensions: embed.dimensions.filter(|_| is_second),
        normalize: extra(embed, "normalize").filter(|_| is_second),
        embedding_config: length.map(|output_embedding_length| ConfigJson { output_embedding_length }),
    }))
}

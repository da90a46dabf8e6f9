//! Cohere's shape, at Cohere and on Bedrock.

use serde::Serialize;

use super::{Embed, Losses, Target, Unreadable, extra, note_unknown, print, wrong};
use crate::json::Json;

/// What vectors are for when nobody says: what is stored to be found.
const USUAL_TYPE: &str = "search_document";

#[derive(Serialize, Default)]
struct EmbedJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<&'a [String]>,
    /// Data URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<&'a [String]>,
    input_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding_types: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimension: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a Json>,
}

pub(super) fn write(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Result<Vec<u8>, Unreadable> {
    note_unknown(embed, "Cohere", &["embedding_types", "max_tokens", "truncate", "priority"], losses);
    let shared = shared(embed, target, "image", losses)?;
    Ok(print(&EmbedJson {
        model: Some(target.model),
        embedding_types: Some(["float"]),
        max_tokens: extra(embed, "max_tokens"),
        priority: extra(embed, "priority"),
        ..shared
    }))
}

/// Bedrock has the model in its path, and answers with floats unless told otherwise.
pub(super) fn write_for_bedrock(embed: &Embed, target: Target<'_>, losses: &mut Losses) -> Result<Vec<u8>, Unreadable> {
    let is_early = is_early(target.model);
    let known = ["embedding_types", "truncate", "max_tokens"];
    let known = if is_early { &known[..2] } else { &known[..] };
    note_unknown(embed, "this model of Cohere's", known, losses);
    // The fourth version has no such type here.
    let image_type = if is_early { "image" } else { USUAL_TYPE };
    let shared = shared(embed, target, image_type, losses)?;
    let max_tokens = extra(embed, "max_tokens").filter(|_| !is_early);
    Ok(print(&EmbedJson { max_tokens, ..shared }))
}

fn shared<'a>(
    embed: &'a Embed,
    target: Target<'_>,
    image_type: &'static str,
    losses: &mut Losses,
) -> Result<EmbedJson<'a>, Unreadable> {
    let is_early = is_early(target.model);
    if embed.dimensions.is_some() && is_early {
        losses.note("dimensions", "is not known to this model of Cohere's");
    }
    let types = extra(embed, "embedding_types").map(|types| serde_json::from_str::<Vec<String>>(types.as_str()));
    if types.is_some_and(|types| types.is_ok_and(|types| types != ["float"])) {
        losses.note("embedding_types", "is set to float, which is what the reply has a place for");
    }
    let inputs = embed.inputs.as_slice();
    let has_images = inputs.first().is_some_and(|input| is_image(input));
    if let Some(at) = inputs.iter().position(|input| is_image(input) != has_images) {
        return Err(wrong(
            &format!("input[{at}]"),
            "is an image among texts or a text among images, and Cohere takes one kind a request",
        ));
    }
    Ok(EmbedJson {
        texts: (!has_images).then_some(inputs),
        images: has_images.then_some(inputs),
        input_type: embed.input_type.as_deref().unwrap_or(if has_images { image_type } else { USUAL_TYPE }),
        output_dimension: embed.dimensions.filter(|_| !is_early),
        truncate: extra(embed, "truncate"),
        ..EmbedJson::default()
    })
}

/// Whether `model` is of a version that has one length of vectors only.
fn is_early(model: &str) -> bool {
    model.contains("-v2") || model.contains("-v3")
}

fn is_image(input: &str) -> bool {
    input.starts_with("data:image/")
}

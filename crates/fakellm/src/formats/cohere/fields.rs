//! The fields that Cohere knows.

use serde_json::Value;

use crate::ask::Asked;
use crate::fault::Fault;
use crate::formats::shared::Checked;
use crate::refusal::Refusal;
use crate::shape::{Kind, Misfit, Shape, bracketed};
use crate::target::Operation;

const CHAT: Shape = Shape(&[
    ("citation_options", Kind::Any),
    ("documents", Kind::Any),
    ("frequency_penalty", Kind::Number),
    ("k", Kind::Number),
    ("logprobs", Kind::Flag),
    ("max_tokens", Kind::Number),
    ("messages", Kind::List(&MESSAGE)),
    ("model", Kind::Text),
    ("p", Kind::Number),
    ("presence_penalty", Kind::Number),
    ("priority", Kind::Number),
    ("response_format", Kind::Of(&RESPONSE_FORMAT)),
    ("safety_mode", Kind::Text),
    ("seed", Kind::Number),
    ("stop_sequences", Kind::Texts),
    ("stream", Kind::Flag),
    ("strict_tools", Kind::Flag),
    ("temperature", Kind::Number),
    ("thinking", Kind::Of(&THINKING)),
    ("tool_choice", Kind::Text),
    ("tools", Kind::List(&TOOL)),
]);
const EMBED: Shape = Shape(&[
    ("embedding_types", Kind::Texts),
    ("images", Kind::Texts),
    ("input_type", Kind::Text),
    ("inputs", Kind::Any),
    ("max_tokens", Kind::Number),
    ("model", Kind::Text),
    ("output_dimension", Kind::Number),
    ("priority", Kind::Number),
    ("texts", Kind::Texts),
    ("truncate", Kind::Text),
]);
const RERANK: Shape = Shape(&[
    ("documents", Kind::Texts),
    ("max_tokens_per_doc", Kind::Number),
    ("model", Kind::Text),
    ("priority", Kind::Number),
    ("query", Kind::Text),
    ("top_n", Kind::Number),
]);
const RESPONSE_FORMAT: Shape = Shape(&[("type", Kind::Text), ("json_schema", Kind::Any), ("schema", Kind::Any)]);
const THINKING: Shape = Shape(&[("type", Kind::Text), ("token_budget", Kind::Number)]);
const TOOL: Shape = Shape(&[("type", Kind::Text), ("function", Kind::Of(&FUNCTION))]);
const FUNCTION: Shape = Shape(&[("description", Kind::Text), ("name", Kind::Text), ("parameters", Kind::Any)]);
const MESSAGE: Shape = Shape(&[
    ("role", Kind::Text),
    ("content", Kind::Tagged(CONTENTS)),
    ("citations", Kind::Any),
    ("tool_call_id", Kind::Text),
    ("tool_calls", Kind::List(&CALL)),
    ("tool_plan", Kind::Text),
]);
const CONTENTS: &[(&str, &Shape)] = &[
    ("text", &Shape(&[("type", Kind::Text), ("text", Kind::Text)])),
    ("thinking", &Shape(&[("type", Kind::Text), ("thinking", Kind::Text)])),
    ("image_url", &Shape(&[("type", Kind::Text), ("image_url", Kind::Of(&IMAGE_URL))])),
    ("document", &Shape(&[("type", Kind::Text), ("document", Kind::Any)])),
];
const IMAGE_URL: Shape = Shape(&[("url", Kind::Text), ("detail", Kind::Text)]);
const CALL: Shape = Shape(&[("id", Kind::Text), ("type", Kind::Text), ("function", Kind::Of(&CALLED))]);
const CALLED: Shape = Shape(&[("name", Kind::Text), ("arguments", Kind::Text)]);

/// Refuses what there is not.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let shape = match asked.target.operation {
        Operation::Embeddings => &EMBED,
        Operation::Rerank => &RERANK,
        _ => &CHAT,
    };
    let format = asked.target.format;
    let message = match shape.misfit(document, |known, name| known == name) {
        None => return Ok(()),
        Some(Misfit::Unknown { at, field }) => {
            let place = if at.is_empty() { String::new() } else { format!("{}.", bracketed(&at)) };
            let message = format!("unknown field: parameter '{place}{field}' is not a valid field");
            return Err(Refusal::of(format, Fault::Unknown { message: &message }));
        }
        Some(Misfit::Kind { at, kind }) => {
            format!("invalid type: parameter '{}' is not of type {kind}", bracketed(&at))
        }
        Some(Misfit::Tag { at, tag }) => {
            format!("invalid type: '{tag}' at '{}' is not a type of content", bracketed(&at))
        }
    };
    Err(Refusal::invalid(format, &message))
}

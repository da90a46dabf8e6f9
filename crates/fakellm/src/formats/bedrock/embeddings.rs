//! Embeddings by `InvokeModel`: each maker has a form of its own.

use serde_json::{Value, json};

use crate::ask::{Ask, Asked};
use crate::formats::shared::{items, vectors};
use crate::refusal::Refusal;

const TITAN: &[&str] = &["dimensions", "embeddingTypes", "inputText", "normalize"];
const COHERE: &[&str] =
    &["embedding_types", "images", "input_type", "inputs", "max_tokens", "output_dimension", "texts", "truncate"];

/// Reads a request for embeddings.
pub(super) fn read(asked: &Asked<'_>, document: &Value) -> Result<Ask, Refusal> {
    let mut ask = Ask::of(&asked.target);
    let refuse = |message: &str| Err(Refusal::invalid(asked.target.format, message));
    let (known, wanted, dimensions) = match is_cohere(&ask.model) {
        true => (COHERE, "texts", "output_dimension"),
        false => (TITAN, "inputText", "dimensions"),
    };
    let names = document.as_object().into_iter().flat_map(|object| object.keys());
    if let Some(unknown) = names.filter(|_| asked.script.strict).find(|name| !known.contains(&name.as_str())) {
        return refuse(&format!(
            "Malformed input request: extraneous key [{unknown}] is not permitted, please reformat your input and try again."
        ));
    }
    if document[wanted].is_null() && document["images"].is_null() && document["inputs"].is_null() {
        return refuse(&format!(
            "Malformed input request: #: required key [{wanted}] not found, please reformat your input and try again."
        ));
    }
    if is_cohere(&ask.model) && document["input_type"].is_null() {
        return refuse(
            "Malformed input request: #: required key [input_type] not found, please reformat your input and try again.",
        );
    }
    if !is_cohere(&ask.model) && !document[wanted].is_string() {
        return refuse(
            "Malformed input request: #/inputText: expected type: String, please reformat your input and try again.",
        );
    }
    ask.weigh(&document[wanted]);
    ask.dimensions = document[dimensions].as_u64();
    ask.base64 = items(&document["embedding_types"]).next().is_some();
    Ok(ask)
}

/// The reply, and a header that says how many tokens it was.
pub(super) fn reply(ask: &Ask) -> Value {
    let vectors = vectors(ask);
    if !is_cohere(&ask.model) {
        let vector = vectors.first();
        return json!({"embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": ask.prompt});
    }
    // Where types are named, embeddings come by type.
    if ask.base64 {
        return json!({"id": "embed-fake", "response_type": "embeddings_by_type", "embeddings": {"float": vectors}});
    }
    json!({"id": "embed-fake", "response_type": "embeddings_floats", "embeddings": vectors})
}

fn is_cohere(model: &str) -> bool {
    model.contains("cohere.")
}

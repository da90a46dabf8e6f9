//! What several formats have in common.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::refusal::Refusal;
use crate::replies::Reply;

/// The length of an embedding when the request does not say.
const DIMENSIONS: u64 = 8;
/// The longest embedding.
const DIMENSIONS_MAX: u64 = 4096;

/// What the judge signs thoughts with. Thoughts of others are signed otherwise.
pub(crate) const SIGNATURE: &str = "RmFrZUxMTSBzaWducyBpdHMgdGhvdWdodHMu";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The vector of an input; the same for the same place in the list.
pub(crate) fn vector(ask: &Ask, input: u64) -> Vec<f32> {
    let length = ask.dimensions.unwrap_or(DIMENSIONS).min(DIMENSIONS_MAX);
    (0..length).map(|at| ((input + at) % 8) as f32 / 8.0).collect()
}

/// The vectors of all inputs.
pub(crate) fn vectors(ask: &Ask) -> Vec<Vec<f32>> {
    (0..ask.inputs).map(|input| vector(ask, input)).collect()
}

/// Every document, the first one best, in Cohere's shape.
pub(crate) fn ranks(ask: &Ask) -> Value {
    let score = |index: u64| 1.0 / (index + 1) as f64;
    let results: Vec<_> =
        (0..ask.documents).map(|index| json!({"index": index, "relevance_score": score(index)})).collect();
    json!({"id": "rerank-fake", "model": ask.model, "results": results, "meta": {"billed_units": {"search_units": 1}}})
}

/// The tools' names, where each is found at `pointer` in its object.
pub(crate) fn tool_names(tools: &Value, pointer: &str) -> Vec<String> {
    let tools = tools.as_array().into_iter().flatten();
    tools.filter_map(|tool| tool.pointer(pointer)?.as_str()).map(str::to_owned).collect()
}

/// Texts, or objects that hold text, one after the other.
pub(crate) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The text of pieces.
pub(crate) fn text(pieces: &[std::borrow::Cow<'_, str>]) -> String {
    pieces.concat()
}

/// A document as a body.
pub(crate) fn json_body(body: &Value) -> (Vec<u8>, &'static str) {
    (body.to_string().into_bytes(), "application/json")
}

/// Adds usage to a document, unless the script leaves it out.
pub(crate) fn with_usage(reply: &Reply<'_>, mut body: Value, name: &str, usage: Value) -> Value {
    if reply.stage.script.usage {
        body[name] = usage;
    }
    body
}

/// What a check found, or nothing.
pub(crate) type Checked = Result<(), Refusal>;

/// Standard base64 with padding: the form in which OpenAI's client asks for vectors.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sextet = bits >> (18 - 6 * at) & 63;
            text.push(if at <= three.len() { char::from(BASE64[sextet as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_as_the_standard_has_it() {
        let rows = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in rows {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}

//! Whole replies of everything that is not a completion.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::replies::Reply;
use crate::stage::Stage;
use crate::target::Operation;

/// The length of an embedding when the request does not say.
const DIMENSIONS: u64 = 8;
/// The longest embedding.
const DIMENSIONS_MAX: u64 = 4096;
/// The models there are when the script names none.
const MODEL: &str = "fake-model";
/// The beginning of an MP3, which is all that a test can tell apart from text.
const SPEECH: &[u8] = b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x64\x00\x00\x00\x00";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>, operation: Operation, path: &str, created: u64) -> (Vec<u8>, &'static str) {
    let (stage, ask) = (reply.stage, reply.ask);
    let body = match operation {
        Operation::Chat | Operation::Completions => return (reply.whole().into_bytes(), "application/json"),
        Operation::Speech => return (SPEECH.to_vec(), "audio/mpeg"),
        Operation::Embeddings => embeddings(stage, ask),
        Operation::Moderations => moderations(ask),
        Operation::Rerank => ranks(ask),
        Operation::Images => images(ask, created),
        Operation::Transcription => json!({"text": stage.script.text}),
        Operation::Models => models(stage, path, created),
        Operation::Unknown => Value::Null,
    };
    (body.to_string().into_bytes(), "application/json")
}

/// One vector for each input; the same for the same place in the list.
fn embeddings(stage: &Stage, ask: &Ask) -> Value {
    let length = ask.dimensions.unwrap_or(DIMENSIONS).min(DIMENSIONS_MAX);
    let vector = |input: u64| (0..length).map(move |at| ((input + at) % 8) as f32 / 8.0);
    let embedding = |input| match ask.base64 {
        true => json!(base64(&vector(input).flat_map(f32::to_le_bytes).collect::<Vec<_>>())),
        false => json!(vector(input).collect::<Vec<_>>()),
    };
    let data: Vec<_> = (0..ask.inputs)
        .map(|input| json!({"object": "embedding", "index": input, "embedding": embedding(input)}))
        .collect();
    let mut body = json!({"object": "list", "data": data, "model": ask.model});
    if stage.script.usage {
        body["usage"] = json!({"prompt_tokens": ask.prompt, "total_tokens": ask.prompt});
    }
    body
}

fn moderations(ask: &Ask) -> Value {
    let result = json!({"flagged": false, "categories": {"violence": false}, "category_scores": {"violence": 0.01}});
    let results: Vec<_> = (0..ask.inputs).map(|_| &result).collect();
    json!({"id": "modr-fake", "model": ask.model, "results": results})
}

/// Every document, the first one best, in Cohere's shape.
fn ranks(ask: &Ask) -> Value {
    let score = |index: u64| 1.0 / (index + 1) as f64;
    let results: Vec<_> =
        (0..ask.documents).map(|index| json!({"index": index, "relevance_score": score(index)})).collect();
    json!({"id": "rerank-fake", "model": ask.model, "results": results, "meta": {"billed_units": {"search_units": 1}}})
}

fn images(ask: &Ask, created: u64) -> Value {
    let data: Vec<_> = (0..ask.n).map(|at| json!({"url": format!("https://images.invalid/{at}.png")})).collect();
    json!({"created": created, "data": data})
}

/// All models, or the one that the path names.
fn models(stage: &Stage, path: &str, created: u64) -> Value {
    let model = |id: &str| json!({"id": id, "object": "model", "created": created, "owned_by": "fakellm"});
    if let Some((_, id)) = path.split_once("/models/") {
        return model(id);
    }
    let named = stage.script.models.iter().map(String::as_str);
    let data: Vec<_> = if stage.script.models.is_empty() { vec![model(MODEL)] } else { named.map(model).collect() };
    json!({"object": "list", "data": data})
}

/// Standard base64 with padding: the form in which OpenAI's client asks for vectors.
fn base64(bytes: &[u8]) -> String {
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

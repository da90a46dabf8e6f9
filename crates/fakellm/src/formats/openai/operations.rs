//! Whole replies of everything that is not a completion.

use serde_json::{Value, json};

use super::reply::Written;
use crate::ask::Ask;
use crate::formats::shared::{base64, ranks, vector};
use crate::replies::Reply;
use crate::stage::Stage;
use crate::target::Operation;

/// The beginning of an MP3, which is all that a test can tell apart from text.
const SPEECH: &[u8] = b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x64\x00\x00\x00\x00";

/// A whole body and its content type.
pub(crate) fn whole(reply: &Reply<'_>, path: &str) -> (Vec<u8>, &'static str) {
    let (stage, ask, created) = (reply.stage, reply.ask, reply.created);
    let body = match reply.operation {
        Operation::Chat | Operation::Completions => {
            return (Written::new(reply).whole().into_bytes(), "application/json");
        }
        Operation::Speech => return (SPEECH.to_vec(), "audio/mpeg"),
        Operation::Embeddings => embeddings(stage, ask),
        Operation::Moderations => moderations(ask),
        Operation::Rerank => ranks(ask),
        Operation::Images => images(ask, created),
        Operation::Transcription => json!({"text": stage.script.text}),
        Operation::Models => models(stage, path, created),
        Operation::CountTokens | Operation::Unknown => Value::Null,
    };
    (body.to_string().into_bytes(), "application/json")
}

/// One vector for each input; the same for the same place in the list.
fn embeddings(stage: &Stage, ask: &Ask) -> Value {
    let embedding = |input| match ask.base64 {
        true => json!(base64(&vector(ask, input).into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>())),
        false => json!(vector(ask, input)),
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
    let data: Vec<_> = stage.models().into_iter().map(model).collect();
    json!({"object": "list", "data": data})
}

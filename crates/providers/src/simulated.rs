//! Replies made in this process: `simulated/…` models and `mock_response`.

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use weighbridge_domain::deployment::MockReply;
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::request::Operation;
use weighbridge_domain::time::Timestamp;

use crate::encode::Outgoing;
use crate::transport::UpstreamResponse;

/// A plausible reply to `outgoing`, in the shape of its operation.
pub fn respond(outgoing: &Outgoing<'_>, now: Timestamp) -> UpstreamResponse {
    reply(outgoing, &format!("This is a simulated reply from {}.", outgoing.model), now)
}

/// A canned reply to `outgoing`, or a canned failure.
pub fn mock(reply_or_failure: &MockReply, outgoing: &Outgoing<'_>, now: Timestamp) -> UpstreamResponse {
    match reply_or_failure {
        MockReply::Text(text) => reply(outgoing, text, now),
        MockReply::Failure(kind) => failure(*kind),
    }
}

fn reply(outgoing: &Outgoing<'_>, text: &str, now: Timestamp) -> UpstreamResponse {
    let usage = usage(outgoing, text);
    match outgoing.operation {
        operation if operation.may_stream() && outgoing.stream => events(chunks(outgoing, text, &usage, now)),
        Operation::CountTokens => whole(&json!({ "input_tokens": usage["prompt_tokens"] })),
        // Said in the client's words on their way back.
        Operation::Chat | Operation::Messages | Operation::Responses => {
            let choice =
                json!({ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" });
            whole(&completion(outgoing, "chat.completion", &json!([choice]), Some(&usage), now))
        }
        Operation::Completions => {
            let choice = json!({ "index": 0, "text": text, "logprobs": null, "finish_reason": "stop" });
            whole(&completion(outgoing, "text_completion", &json!([choice]), Some(&usage), now))
        }
        Operation::Embeddings => whole(&embeddings(outgoing, &usage)),
        Operation::Moderations => whole(&json!({
            "id": id(outgoing), "model": outgoing.model,
            "results": [{ "flagged": false, "categories": {}, "category_scores": {} }],
        })),
        Operation::Rerank => whole(&rerank(outgoing)),
        Operation::ImageGenerations | Operation::ImageEdits | Operation::ImageVariations => {
            whole(&json!({ "created": now.as_secs(), "data": [{ "b64_json": ONE_PIXEL }] }))
        }
        Operation::Speech => body(StatusCode::OK, "audio/wav", vec![Bytes::from_static(SILENCE)]),
        Operation::Transcriptions | Operation::Translations => whole(&json!({ "text": text })),
    }
}

/// A transparent PNG of one pixel.
const ONE_PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// A WAV file without a sample.
const SILENCE: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";

/// A chunk a word, then the reason to finish, then usage, as `OpenAI` has it.
fn chunks(outgoing: &Outgoing<'_>, text: &str, usage: &Value, now: Timestamp) -> Vec<Bytes> {
    let is_chat = outgoing.operation.is_chat();
    let object = if is_chat { "chat.completion.chunk" } else { "text_completion" };
    let choice = |content: &str, finish: Option<&str>| {
        if is_chat {
            let delta = if finish.is_some() { json!({}) } else { json!({ "content": content }) };
            json!([{ "index": 0, "delta": delta, "finish_reason": finish }])
        } else {
            json!([{ "index": 0, "text": content, "logprobs": null, "finish_reason": finish }])
        }
    };
    let event = |value: &Value| Bytes::from(format!("data: {value}\n\n"));
    let mut all: Vec<Bytes> = text
        .split_inclusive(' ')
        .map(|word| event(&completion(outgoing, object, &choice(word, None), None, now)))
        .collect();
    all.push(event(&completion(outgoing, object, &choice("", Some("stop")), None, now)));
    all.push(event(&completion(outgoing, object, &json!([]), Some(usage), now)));
    all.push(Bytes::from_static(b"data: [DONE]\n\n"));
    all
}

fn completion(outgoing: &Outgoing<'_>, object: &str, choices: &Value, usage: Option<&Value>, now: Timestamp) -> Value {
    let mut completion = json!({
        "id": id(outgoing), "object": object, "created": now.as_secs(), "model": outgoing.model, "choices": choices,
    });
    if let (Some(usage), Some(members)) = (usage, completion.as_object_mut()) {
        members.insert("usage".to_owned(), usage.clone());
    }
    completion
}

fn embeddings(outgoing: &Outgoing<'_>, usage: &Value) -> Value {
    let inputs = match field(outgoing, "input") {
        Some(Value::Array(inputs)) if !inputs.iter().all(Value::is_number) => inputs.len(),
        _ => 1,
    };
    let is_base64 = field(outgoing, "encoding_format").is_some_and(|format| format == "base64");
    // Four times 0.5 as floats, little endian.
    let embedding = if is_base64 { json!("AAAAPwAAAD8AAAA/AAAAPw==") } else { json!([0.5, 0.5, 0.5, 0.5]) };
    let data: Vec<Value> =
        (0..inputs).map(|index| json!({ "object": "embedding", "index": index, "embedding": embedding })).collect();
    let prompt = &usage["prompt_tokens"];
    json!({
        "object": "list", "model": outgoing.model, "data": data,
        "usage": { "prompt_tokens": prompt, "total_tokens": prompt },
    })
}

fn rerank(outgoing: &Outgoing<'_>) -> Value {
    let documents = field(outgoing, "documents").and_then(|documents| documents.as_array().map(Vec::len)).unwrap_or(1);
    let results: Vec<Value> =
        (0..documents).map(|index| json!({ "index": index, "relevance_score": 1.0 / (index + 1) as f64 })).collect();
    json!({ "id": id(outgoing), "results": results })
}

/// The client's field `key`, parsed.
fn field(outgoing: &Outgoing<'_>, key: &str) -> Option<Value> {
    outgoing.payload.json()?.get(key).ok().flatten()
}

/// Four characters a token, which is about right for English.
fn usage(outgoing: &Outgoing<'_>, text: &str) -> Value {
    let prompt = ["system", "instructions", "messages", "prompt", "input"]
        .into_iter()
        .filter_map(|key| outgoing.payload.json()?.raw(key))
        .map(str::len)
        .sum::<usize>()
        .div_ceil(4);
    let completion = text.len().div_ceil(4);
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}

fn id(outgoing: &Outgoing<'_>) -> String {
    format!("chatcmpl-{}", outgoing.request_id)
}

fn failure(kind: FailureKind) -> UpstreamResponse {
    let code = match kind {
        FailureKind::ContextWindow => "context_length_exceeded",
        FailureKind::ContentPolicy => "content_policy_violation",
        other => other.label(),
    };
    let error = json!({ "error": { "message": format!("mock failure: {}", kind.label()), "type": code, "param": null, "code": code } });
    let status = StatusCode::from_u16(kind.default_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    body(status, "application/json", vec![error.to_string().into()])
}

fn whole(value: &Value) -> UpstreamResponse {
    body(StatusCode::OK, "application/json", vec![value.to_string().into()])
}

fn events(events: Vec<Bytes>) -> UpstreamResponse {
    body(StatusCode::OK, "text/event-stream", events)
}

fn body(status: StatusCode, content_type: &'static str, parts: Vec<Bytes>) -> UpstreamResponse {
    let mut response: UpstreamResponse = Response::new(Box::pin(stream::iter(parts.into_iter().map(Ok))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

//! Replies as providers send them.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::LAST_CHUNK;
use crate::upstream::Reply;

/// What a hosted provider's heads hold beside the body's type and length.
const HEADERS: &str = "date: Wed, 25 Nov 2026 12:00:00 GMT\r\nx-request-id: req_0123456789abcdef0123456789abcdef\r\n\
    openai-processing-ms: 312\r\nopenai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\n\
    x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-reset-requests: 6ms\r\nserver: cloudflare\r\n";

/// A whole chat completion.
pub(super) fn chat() -> Reply {
    whole(&json!({
        "id": "chatcmpl-0123456789abcdefghijklmnopqrs", "object": "chat.completion", "created": 1_795_000_000,
        "model": "m-2026-11-01", "service_tier": "default", "system_fingerprint": "fp_0123456789",
        "choices": [{
            "index": 0, "logprobs": null, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "It carries twelve tons, which is two too many.", "refusal": null },
        }],
        "usage": {
            "prompt_tokens": 60, "completion_tokens": 12, "total_tokens": 72,
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0 },
        },
    }))
}

/// Anthropic's message.
pub(super) fn message() -> Reply {
    whole(&json!({
        "id": "msg_0123456789abcdefghijklmn", "type": "message", "role": "assistant", "model": "claude-m",
        "content": [{ "type": "text", "text": "It carries twelve tons, which is two too many." }],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 60, "output_tokens": 12, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0 },
    }))
}

/// A vector of 1536 numbers.
pub(super) fn embedding() -> Reply {
    let vector: Vec<f64> = (0..1536).map(|at| f64::from(at * 7919 % 10_007 - 5000) / 91_813.0).collect();
    whole(&json!({
        "object": "list", "model": "embedder",
        "data": [{ "object": "embedding", "index": 0, "embedding": vector }],
        "usage": { "prompt_tokens": 50, "total_tokens": 50 },
    }))
}

/// A stream of `count` chunks of text, one at a time.
pub(super) fn paced(count: u32) -> Reply {
    Reply::Paced(pieces(count))
}

/// The same, one `every` so often.
pub(super) fn ticking(count: u32, every: Duration) -> Reply {
    Reply::Ticking(pieces(count), every)
}

/// The same, all at once.
pub(super) fn burst(count: u32) -> Reply {
    Reply::Whole(pieces(count).concat())
}

fn whole(body: &Value) -> Reply {
    let body = body.to_string();
    let length = body.len();
    Reply::Whole(
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{HEADERS}content-length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )
}

/// The head goes with the first chunk, and what ends the stream with the last.
fn pieces(count: u32) -> Vec<Vec<u8>> {
    let event = |choices: Value, usage: Value| {
        let event = json!({
            "id": "chatcmpl-0123456789abcdefghijklmnopqrs", "object": "chat.completion.chunk", "created": 1_795_000_000,
            "model": "m-2026-11-01", "service_tier": "default", "system_fingerprint": "fp_0123456789",
            "choices": choices, "usage": usage,
        });
        framed(&format!("data: {event}\n\n"))
    };
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
    let mut pieces: Vec<String> =
        (0..count).map(|_| event(choice(json!({ "content": " twelve" }), Value::Null), Value::Null)).collect();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{HEADERS}transfer-encoding: chunked\r\n\r\n");
    if let Some(first) = pieces.first_mut() {
        first.insert_str(0, &head);
    }
    if let Some(last) = pieces.last_mut() {
        last.push_str(&event(choice(json!({}), "stop".into()), Value::Null));
        last.push_str(&event(json!([]), json!({ "prompt_tokens": 60, "completion_tokens": 100, "total_tokens": 160 })));
        last.push_str(&framed("data: [DONE]\n\n"));
    }
    let mut pieces: Vec<Vec<u8>> = pieces.into_iter().map(String::into_bytes).collect();
    if let Some(last) = pieces.last_mut() {
        last.extend_from_slice(LAST_CHUNK);
    }
    pieces
}

/// One chunk of a body that comes in chunks.
fn framed(text: &str) -> String {
    let mut framed = String::new();
    // Writing to a string cannot fail.
    write!(framed, "{:x}\r\n{text}\r\n", text.len()).ok();
    framed
}

//! The cases whose cost is held against the baseline.

use serde_json::json;

use super::configs::{ROOMY, groups, object, virtual_keys};
use super::{Case, bodies, replies};

/// Names of the cases, and what they are.
pub(crate) const GUARDED: &[(&str, &str)] = &[
    ("chat-300b", "a chat of 300 B"),
    ("chat-10kb", "a chat of 10 KB"),
    ("chat-100kb", "a chat of 100 KB"),
    ("chat-logged", "a chat of 300 B, with the request log on"),
    ("stream-paced", "a chunk of a stream of 100 that come one by one"),
    ("stream-burst", "a chunk of a stream of 100 that come at once"),
    ("config-object", "a chat of 300 B by a config object of 5 levels"),
    ("at-limit", "a chat of 300 B when all deployments are at their limits"),
    ("embeddings", "embeddings, 1536 numbers"),
    ("translated", "a chat of 300 B in OpenAI's format to a deployment that speaks Anthropic's"),
];

/// Chunks of a stream.
const CHUNKS: u32 = 100;
/// The group that is asked.
const GROUP: &str = "group-0";

pub(super) fn case(name: &str) -> Option<Case> {
    let four = || groups(1, 4, "openai/m", ROOMY);
    let chat = |bytes| Case::new(four(), bodies::chat(GROUP, bytes), replies::chat());
    let stream = |reply| Case { parts: CHUNKS, ..Case::new(four(), stream_request(), reply) };
    Some(match name {
        "chat-300b" => chat(300),
        "chat-10kb" => chat(10_000),
        "chat-100kb" => chat(100_000),
        "chat-logged" => Case { log: "info", ..chat(300) },
        "stream-paced" => stream(replies::paced(CHUNKS)),
        "stream-burst" => stream(replies::burst(CHUNKS)),
        "config-object" => by_object(5),
        "at-limit" => Case { config: groups(1, 4, "openai/m", "rpm: 1, tpm: 1000000000"), status: 429, ..chat(300) },
        "embeddings" => {
            Case::new(groups(1, 4, "openai/embedder", ROOMY), bodies::embeddings(GROUP), replies::embedding())
        }
        "translated" => {
            Case::new(groups(1, 4, "anthropic/claude-m", ROOMY), bodies::chat(GROUP, 300), replies::message())
        }
        _ => return None,
    })
}

/// A chat whose answer is to be a stream.
pub(super) fn stream_request() -> Vec<u8> {
    let asks = json!({ "stream": true, "stream_options": { "include_usage": true } });
    bodies::chat_with(GROUP, 300, "", &asks)
}

/// A chat by a config object of so many levels.
pub(super) fn by_object(levels: usize) -> Case {
    let headers = format!("x-portkey-config: {}\r\nx-portkey-metadata: {{\"tier\":\"gold\"}}\r\n", object(levels));
    Case::new(virtual_keys(), bodies::chat_with("m", 300, &headers, &json!({})), replies::chat())
}

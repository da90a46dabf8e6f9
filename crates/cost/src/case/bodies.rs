//! Requests as clients send them.

use serde_json::{Value, json};

/// The router's own key, and what it is called in requests.
const KEY: &str = "Authorization: Bearer sk-router\r\n";

/// A `POST` of `body`, with the headers that an SDK sends and `more` of them.
pub(super) fn post(path: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: router.example:8000\r\nAccept: application/json\r\nContent-Type: application/json\r\n\
         User-Agent: OpenAI/Python 1.99.0\r\nX-Stainless-Lang: python\r\nX-Stainless-Package-Version: 1.99.0\r\n\
         X-Stainless-Runtime: CPython\r\n{KEY}{more}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A chat with `model` whose body has about `bytes`, as `POST /v1/chat/completions`.
pub(super) fn chat(model: &str, bytes: usize) -> Vec<u8> {
    chat_with(model, bytes, "", &json!({ "temperature": 0.7 }))
}

/// The same with further headers, and with the fields of `more` in its body.
pub(super) fn chat_with(model: &str, bytes: usize, headers: &str, more: &Value) -> Vec<u8> {
    post("/v1/chat/completions", headers, &chat_body(model, bytes, more))
}

fn chat_body(model: &str, bytes: usize, more: &Value) -> String {
    let mut body = json!({ "model": model, "messages": [{ "role": "system", "content": "You are helpful." }] });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    let mut left = bytes.saturating_sub(body.to_string().len());
    let mut messages: Vec<Value> = Vec::new();
    // Turns of some hundred bytes, as people and models write them.
    while left > 50 {
        let role = if messages.len().is_multiple_of(2) { "user" } else { "assistant" };
        let content = text(left.min(600).saturating_sub(40), messages.len());
        let message = json!({ "role": role, "content": content });
        left = left.saturating_sub(message.to_string().len() + 1);
        messages.push(message);
    }
    if let Some(turns) = body["messages"].as_array_mut() {
        turns.append(&mut messages);
    }
    body.to_string()
}

/// Embeddings of a sentence.
pub(super) fn embeddings(model: &str) -> Vec<u8> {
    let body = json!({ "model": model, "input": text(200, 0), "encoding_format": "float" });
    post("/v1/embeddings", "", &body.to_string())
}

/// About `bytes` of words, with what must be escaped here and there.
fn text(bytes: usize, seed: usize) -> String {
    const WORDS: [&str; 12] = [
        "the",
        "scale",
        "weighs",
        "a",
        "\"loaded\"",
        "lorry,",
        "and",
        "says\n",
        "what",
        "it",
        "carries.",
        "Übergewicht",
    ];
    let mut text = String::new();
    for word in WORDS.iter().cycle().skip(seed) {
        if text.len() + word.len() + 5 > bytes {
            break;
        }
        text.push_str(word);
        text.push(' ');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::chat_body;

    #[test]
    fn bodies_are_as_long_as_they_should_be() {
        for bytes in [300, 10_000, 100_000, 1_000_000] {
            let length = chat_body("g", bytes, &json!({ "temperature": 0.7 })).len();
            assert!(length.abs_diff(bytes) < 60, "{length} for {bytes}");
        }
    }
}

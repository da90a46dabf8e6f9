//! The bodies of requests.

use serde_json::{Value, json};

use super::{Kind, SMALL};

/// What people write, with what JSON escapes among it.
const TEXT: &str = "The scale said \"forty tonnes\", and the driver did not believe it.\nHe had loaded the sand himself, \
                    he said, and counted every shovel; but the scale had counted too, and it had nothing to gain. ";
/// No message is longer; a long conversation is many of them.
const MESSAGE: usize = 2_000;

/// A request of `kind` for a model.
pub(super) fn of(kind: Kind, model: &str) -> String {
    match kind {
        Kind::Chat(size) => chat(model, size).to_string(),
        Kind::Tight | Kind::Tree => chat(model, SMALL).to_string(),
        Kind::Embeddings => json!({ "model": model, "input": text(100) }).to_string(),
        Kind::Paced | Kind::Burst | Kind::Slow => {
            let mut body = chat(model, SMALL);
            body["stream"] = true.into();
            body["stream_options"] = json!({ "include_usage": true });
            body.to_string()
        }
    }
}

/// A conversation of about `size` bytes.
fn chat(model: &str, size: usize) -> Value {
    let mut messages = vec![json!({ "role": "system", "content": "You are a weighing clerk. Be brief." })];
    // What surrounds the messages, and each of them.
    let mut left = size.saturating_sub(160);
    while left > 0 {
        let length = left.min(MESSAGE);
        let role = if messages.len() % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({ "role": role, "content": text(length) }));
        left = left.saturating_sub(length + 45);
    }
    json!({ "model": model, "messages": messages, "temperature": 0.7, "max_tokens": 100 })
}

fn text(length: usize) -> String {
    TEXT.chars().cycle().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::{Kind, of};

    #[test]
    fn bodies_are_about_as_long_as_they_should_be() {
        for size in [300, 10_000, 100_000] {
            let length = of(Kind::Chat(size), "gpt-4o-mini").len();
            assert!(length.abs_diff(size) <= size / 10, "{length} instead of {size}");
        }
    }
}

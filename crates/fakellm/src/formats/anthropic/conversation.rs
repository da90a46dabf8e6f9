//! What a conversation with Claude must be like.

use serde_json::Value;

use super::form::is_name;
use crate::ask::Asked;
use crate::formats::shared::{Checked, SIGNATURE, items};
use crate::refusal::Refusal;

/// Refuses conversations that the API refuses.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let messages: Vec<_> = items(&document["messages"]).collect();
    let found = roles(&messages)
        .or_else(|| messages.iter().enumerate().find_map(|(at, message)| content(at, message, messages.len())))
        .or_else(|| calls(&messages))
        .or_else(|| thoughts(document, &messages, asked.script.strict));
    match found {
        None => Ok(()),
        Some(message) => Err(Refusal::invalid(asked.target.format, &message)),
    }
}

fn roles(messages: &[&Value]) -> Option<String> {
    if messages.is_empty() {
        return Some("messages: at least one message is required".into());
    }
    for (at, message) in messages.iter().enumerate() {
        match message["role"].as_str() {
            Some("user" | "assistant") => {}
            Some("system") => {
                return Some(
                    "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, \
                     not \"system\" as an input message role."
                        .into(),
                );
            }
            _ => return Some(format!("messages.{at}.role: Input should be 'user' or 'assistant'")),
        }
    }
    (messages[0]["role"] != "user").then(|| "messages: first message must use the \"user\" role".into())
}

/// The content of one message of `count`.
fn content(at: usize, message: &Value, count: usize) -> Option<String> {
    let is_last = at + 1 == count;
    let is_assistant = message["role"] == "assistant";
    let content = &message["content"];
    if !content.is_string() && !content.is_array() {
        return Some(format!("messages.{at}.content: Field required"));
    }
    let is_empty = content.as_str() == Some("") || content.as_array().is_some_and(Vec::is_empty);
    if is_empty && !(is_last && is_assistant) {
        let rule = "all messages must have non-empty content except for the optional final assistant message";
        return Some(format!("messages.{at}: {rule}"));
    }
    let blocks = items(content);
    for (place, block) in blocks.enumerate() {
        let path = format!("messages.{at}.content.{place}");
        if let Some(found) = self::block(&path, block, is_assistant) {
            return Some(found);
        }
    }
    let last = content.as_str().or_else(|| content.as_array()?.last()?["text"].as_str()).unwrap_or_default();
    if is_last && is_assistant && last.ends_with(char::is_whitespace) {
        return Some("messages: final assistant content cannot end with trailing whitespace".into());
    }
    None
}

fn block(path: &str, block: &Value, is_assistant: bool) -> Option<String> {
    let text = |name: &str| block[name].as_str().unwrap_or_default();
    let kind = text("type");
    match kind {
        "text" if text("text").is_empty() => Some("messages: text content blocks must be non-empty".into()),
        "text" if text("text").trim().is_empty() => {
            Some("messages: text content blocks must contain non-whitespace text".into())
        }
        "tool_use" if !is_name(text("id")) => Some(pattern(&format!("{path}.tool_use.id"))),
        "tool_use" if !block["input"].is_object() => {
            Some(format!("{path}.tool_use.input: Input should be a valid dictionary"))
        }
        "tool_use" if !is_assistant => Some(format!("{path}: `tool_use` blocks can only be in `assistant` messages")),
        "tool_result" if !is_name(text("tool_use_id")) => Some(pattern(&format!("{path}.tool_result.tool_use_id"))),
        "tool_result" if is_assistant => Some(format!("{path}: `tool_result` blocks can only be in `user` messages")),
        "tool_result" => items(&block["content"])
            .any(|inner| inner["text"].as_str() == Some(""))
            .then(|| "messages: text content blocks must be non-empty".into()),
        "thinking" if block["signature"].is_null() => Some(format!("{path}.thinking.signature: Field required")),
        "image" => image(path, &block["source"]),
        _ => None,
    }
}

fn image(path: &str, source: &Value) -> Option<String> {
    let known = ["image/jpeg", "image/png", "image/gif", "image/webp"];
    let kind = source["type"].as_str().unwrap_or_default();
    match kind {
        "base64" if !known.iter().any(|known| source["media_type"] == *known) => Some(format!(
            "{path}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
        )),
        "base64" if source["data"].as_str().is_none_or(|data| data.is_empty() || data.contains([':', ','])) => {
            Some(format!("{path}.image.source.base64: invalid base64 data"))
        }
        "base64" | "file" => None,
        "url"
            if source["url"].as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://")) =>
        {
            None
        }
        "url" => Some(format!("{path}.image.source.url.url: Only HTTPS URLs are supported")),
        _ => Some(format!("{path}.image.source: Input tag '{kind}' found using 'type' does not match")),
    }
}

fn pattern(path: &str) -> String {
    format!("{path}: String should match pattern '^[a-zA-Z0-9_-]+$'")
}

/// Calls are answered at once, and answers are to calls. Messages of one role in a row are one turn.
fn calls(messages: &[&Value]) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (from, turn) in turns(messages) {
        let blocks: Vec<_> = turn.iter().enumerate().flat_map(|(at, message)| blocks(from + at, message)).collect();
        let mut others = false;
        for (at, place, block) in &blocks {
            if block["type"] != "tool_result" {
                others = true;
                continue;
            }
            let id = block["tool_use_id"].as_str().unwrap_or_default();
            let Some(found) = open.iter().position(|call| *call == id) else {
                return Some(format!(
                    "messages.{at}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                     `tool_result` block must have a corresponding `tool_use` block in the previous message."
                ));
            };
            // What is said before the results stands between them and their calls.
            if others {
                return Some(unanswered(from, &open));
            }
            open.remove(found);
        }
        if !open.is_empty() {
            return Some(unanswered(from, &open));
        }
        let calls = blocks.iter().filter(|(_, _, block)| block["type"] == "tool_use");
        open = calls.filter_map(|(_, _, block)| block["id"].as_str()).collect();
        for id in &open {
            if seen.contains(id) {
                return Some("messages: `tool_use` ids must be unique".into());
            }
            seen.push(id);
        }
    }
    if open.is_empty() { None } else { Some(unanswered(messages.len(), &open)) }
}

/// The blocks of a message, with its place and theirs. Content that is text is one of them.
fn blocks(at: usize, message: &Value) -> impl Iterator<Item = (usize, usize, &Value)> {
    let content = &message["content"];
    let text = content.is_string().then_some(content);
    items(content).chain(text).enumerate().map(move |(place, block)| (at, place, block))
}

fn unanswered(at: usize, open: &[&str]) -> String {
    format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` \
         block must have a corresponding `tool_result` block in the next message.",
        at.saturating_sub(1),
        open.join(", ")
    )
}

/// Messages of one role in a row, and the place of the first.
fn turns<'a>(messages: &'a [&'a Value]) -> impl Iterator<Item = (usize, &'a [&'a Value])> {
    let mut from = 0;
    messages.chunk_by(|a, b| a["role"] == b["role"]).map(move |turn| {
        let at = from;
        from += turn.len();
        (at, turn)
    })
}

/// Where thoughts are asked for, the turn that called tools begins with one; and they are signed.
fn thoughts(document: &Value, messages: &[&Value], strict: bool) -> Option<String> {
    for (at, message) in messages.iter().enumerate().filter(|_| strict) {
        let thought = |block: &Value| block["type"] == "thinking" && block["signature"] != SIGNATURE;
        if let Some(place) = items(&message["content"]).position(thought) {
            return Some(format!("messages.{at}.content.{place}: Invalid `signature` in `thinking` block"));
        }
    }
    if document["thinking"]["type"] != "enabled" {
        return None;
    }
    let at = messages.iter().rposition(|message| message["role"] == "assistant")?;
    let first = &messages[at]["content"][0]["type"];
    let calls = items(&messages[at]["content"]).any(|block| block["type"] == "tool_use");
    let thinks = matches!(first.as_str(), Some("thinking" | "redacted_thinking"));
    (calls && !thinks).then(|| {
        let found = first.as_str().unwrap_or_default();
        format!(
            "messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When \
             `thinking` is enabled, a final `assistant` message must start with a thinking block."
        )
    })
}

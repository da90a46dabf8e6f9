//! What a conversation by Converse must be like.

use serde_json::Value;

use crate::ask::Asked;
use crate::formats::shared::{Checked, items};
use crate::refusal::Refusal;

/// The longest id and name of a tool.
const NAME_MAX: usize = 64;
/// A union has one member.
const BLOCKS: &[&str] = &[
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];

/// Refuses conversations that the API refuses.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let messages: Vec<_> = items(&document["messages"]).collect();
    let found = roles(&messages)
        .or_else(|| messages.iter().enumerate().find_map(|(at, message)| content(at, message)))
        .or_else(|| system(document))
        .or_else(|| bounds(document))
        .or_else(|| tools(document, &messages))
        .or_else(|| calls(&messages));
    match found {
        None => Ok(()),
        Some(message) => Err(Refusal::invalid(asked.target.format, &message)),
    }
}

fn roles(messages: &[&Value]) -> Option<String> {
    let Some(first) = messages.first() else {
        return Some("A conversation must start with a user message. Try again with a conversation that starts with a user message.".into());
    };
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if !matches!(role, "user" | "assistant") {
            return Some(format!(
                "1 validation error detected: Value '{role}' at 'messages.{}.member.role' failed to satisfy constraint: \
                 Member must satisfy enum value set: [user, assistant]",
                at + 1
            ));
        }
    }
    if first["role"] != "user" {
        return Some("A conversation must start with a user message. Try again with a conversation that starts with a user message.".into());
    }
    let repeated = messages.windows(2).any(|pair| pair[0]["role"] == pair[1]["role"]);
    repeated.then(|| {
        "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between \
         user and assistant roles and try again."
            .into()
    })
}

fn content(at: usize, message: &Value) -> Option<String> {
    if items(&message["content"]).next().is_none() {
        return Some(format!(
            "The content field in the Message object at messages.{at} is empty. Add a ContentBlock object to the content \
             field and try again."
        ));
    }
    items(&message["content"]).enumerate().find_map(|(place, block)| self::block(at, place, block))
}

fn block(at: usize, place: usize, block: &Value) -> Option<String> {
    let path = format!("messages.{at}.content.{place}");
    let members = BLOCKS.iter().filter(|name| !block[**name].is_null()).count();
    if members != 1 {
        return Some(format!(
            "The ContentBlock object at {path} must set one of the following keys: text, image, toolUse, toolResult, document, video, cachePoint, reasoningContent."
        ));
    }
    if block["text"].as_str().is_some_and(|text| text.trim().is_empty()) {
        return Some(format!(
            "The text field in the ContentBlock object at {path} is blank. Add text to the text field, and try again."
        ));
    }
    for (kind, name) in [("toolUse", "toolUseId"), ("toolResult", "toolUseId"), ("toolUse", "name")] {
        let value = &block[kind][name];
        if !block[kind].is_null() && !value.as_str().is_some_and(|value| is_name(value, name == "toolUseId")) {
            let pattern = if name == "name" { "[a-zA-Z0-9_-]+" } else { "[a-zA-Z0-9_.:-]+" };
            return Some(format!(
                "1 validation error detected: Value {value} at '{path}.{kind}.{name}' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: {pattern}, and have length less than or equal to {NAME_MAX}"
            ));
        }
    }
    if !block["toolUse"].is_null() && !block["toolUse"]["input"].is_object() {
        return Some(format!(
            "The format of the value at {path}.toolUse.input is invalid. Provide a json object for the field and try again."
        ));
    }
    let result = &block["toolResult"];
    if !result.is_null() && !result["content"].is_array() {
        return Some(format!("{path}.toolResult.content: Member must not be null"));
    }
    let image = &block["image"];
    if !image.is_null() && !matches!(image["format"].as_str(), Some("png" | "jpeg" | "gif" | "webp")) {
        return Some(format!(
            "Value {} at '{path}.image.format' failed to satisfy constraint: Member must satisfy enum value set: [jpeg, gif, png, webp]",
            image["format"]
        ));
    }
    document_name(&path, &block["document"])
}

fn document_name(path: &str, document: &Value) -> Option<String> {
    if document.is_null() {
        return None;
    }
    let name = document["name"].as_str().unwrap_or_default();
    let known = |letter: char| letter.is_alphanumeric() || " -()[]".contains(letter);
    (name.is_empty() || !name.chars().all(known) || name.contains("  ")).then(|| {
        format!(
            "The file name at {path}.document.name contains invalid characters: only alphanumeric characters, whitespace \
             characters, hyphens, parentheses, and square brackets, and no consecutive whitespace."
        )
    })
}

fn system(document: &Value) -> Option<String> {
    let blank = |block: &Value| block["text"].as_str().is_some_and(|text| text.trim().is_empty());
    let place = items(&document["system"]).position(blank)?;
    Some(format!("The text field in the SystemContentBlock object at system.{place} is blank."))
}

fn bounds(document: &Value) -> Option<String> {
    let config = &document["inferenceConfig"];
    for name in ["temperature", "topP"] {
        if config[name].as_f64().is_some_and(|value| !(0.0..=1.0).contains(&value)) {
            return Some(format!(
                "1 validation error detected: Value '{}' at 'inferenceConfig.{name}' failed to satisfy constraint: Member must have value less than or equal to 1",
                config[name]
            ));
        }
    }
    if config["maxTokens"].as_i64().is_some_and(|most| most < 1) {
        return Some("1 validation error detected: 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1".into());
    }
    None
}

fn tools(document: &Value, messages: &[&Value]) -> Option<String> {
    let config = &document["toolConfig"];
    let used = messages
        .iter()
        .flat_map(|message| items(&message["content"]))
        .any(|block| !block["toolUse"].is_null() || !block["toolResult"].is_null());
    if config.is_null() {
        return used
            .then(|| "The toolConfig field must be defined when using toolUse and toolResult content blocks.".into());
    }
    if items(&config["tools"]).next().is_none() {
        return Some("1 validation error detected: Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1".into());
    }
    for (at, tool) in items(&config["tools"]).enumerate() {
        let spec = &tool["toolSpec"];
        if spec.is_null() {
            continue;
        }
        if !spec["name"].as_str().is_some_and(|name| is_name(name, false)) {
            return Some(format!(
                "1 validation error detected: Value {} at 'toolConfig.tools.{at}.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+",
                spec["name"]
            ));
        }
        if spec["description"] == "" {
            return Some(format!(
                "1 validation error detected: Value '' at 'toolConfig.tools.{at}.member.toolSpec.description' failed to satisfy constraint: Member must have length greater than or equal to 1"
            ));
        }
        let schema = &spec["inputSchema"]["json"];
        if schema["type"] != "object" {
            return Some(format!(
                "The value at toolConfig.tools.{at}.toolSpec.inputSchema.json.type must be one of the following: object."
            ));
        }
    }
    None
}

/// Each turn answers the calls of the turn before it, no more and no less.
fn calls(messages: &[&Value]) -> Option<String> {
    fn ids<'a>(message: &'a Value, kind: &'a str) -> Vec<&'a str> {
        items(&message["content"]).filter_map(|block| block[kind]["toolUseId"].as_str()).collect()
    }
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let results = ids(message, "toolResult");
        if results.len() > open.len() || results.iter().any(|id| !open.contains(id)) {
            return Some(format!(
                "The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of previous turn."
            ));
        }
        let unanswered: Vec<_> = open.iter().filter(|id| !results.contains(id)).copied().collect();
        if !unanswered.is_empty() {
            return Some(missing(at, &unanswered));
        }
        open = ids(message, "toolUse");
        let repeated = (1..open.len()).any(|at| open[..at].contains(&open[at]));
        if repeated {
            return Some(format!("The toolUse blocks at messages.{at}.content contain duplicate Ids"));
        }
    }
    if open.is_empty() { None } else { Some(missing(messages.len(), &open)) }
}

fn missing(at: usize, ids: &[&str]) -> String {
    format!("Expected toolResult blocks at messages.{at}.content for the following Ids: {}", ids.join(", "))
}

fn is_name(text: &str, id: bool) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (id && b".:".contains(&byte));
    !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(known)
}

//! What a request to Anthropic must say, and within which bounds.

use serde_json::Value;

use crate::ask::Asked;
use crate::format::Format;
use crate::formats::shared::{Checked, items};
use crate::refusal::Refusal;
use crate::target::Operation;

/// The smallest budget for thoughts.
const BUDGET_MIN: u64 = 1024;
/// The most marks for the cache.
const CACHE_MARKS_MAX: usize = 4;
/// What Vertex AI takes for `anthropic_version`; newer clients of Anthropic's send the date.
const VERTEX_VERSIONS: [&str; 2] = ["vertex-2023-10-16", "2026-10-21"];

/// Refuses what the API always refuses, but for the conversation.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    match refused(asked, document) {
        None => Ok(()),
        Some(message) => Err(Refusal::invalid(asked.target.format, &message)),
    }
}

fn refused(asked: &Asked<'_>, document: &Value) -> Option<String> {
    version(asked, document)
        .or_else(|| missing(asked, document))
        .or_else(|| bounds(document))
        .or_else(|| thinking(document))
        .or_else(|| tools(document))
        .or_else(|| cache_marks(document))
}

fn version(asked: &Asked<'_>, document: &Value) -> Option<String> {
    match asked.target.format {
        Format::VertexAnthropic if document["anthropic_version"].is_null() => {
            Some("anthropic_version: Field required".into())
        }
        Format::VertexAnthropic if !VERTEX_VERSIONS.iter().any(|known| document["anthropic_version"] == *known) => {
            Some(format!("anthropic_version: Input should be '{}'", VERTEX_VERSIONS[0]))
        }
        Format::Anthropic if !asked.headers.contains_key("anthropic-version") => {
            Some("anthropic-version: header is required".into())
        }
        _ => None,
    }
}

fn missing(asked: &Asked<'_>, document: &Value) -> Option<String> {
    let mut fields = vec!["messages"];
    if asked.target.format == Format::Anthropic {
        fields.push("model");
    }
    if asked.target.operation == Operation::Chat {
        fields.push("max_tokens");
    }
    let missing = fields.into_iter().find(|field| document[field].is_null())?;
    Some(format!("{missing}: Field required"))
}

fn bounds(document: &Value) -> Option<String> {
    if !document["max_tokens"].is_null() && document["max_tokens"].as_u64().is_none_or(|most| most < 1) {
        return Some("max_tokens: Input should be greater than or equal to 1".into());
    }
    for name in ["temperature", "top_p"] {
        match document[name].as_f64() {
            Some(number) if number > 1.0 => return Some(format!("{name}: Input should be less than or equal to 1")),
            Some(number) if number < 0.0 => return Some(format!("{name}: Input should be greater than or equal to 0")),
            _ => {}
        }
    }
    let blank = |text: &Value| text.as_str().is_some_and(|text| text.trim().is_empty());
    if items(&document["stop_sequences"]).any(blank) {
        return Some("stop_sequences: each stop sequence must contain non-whitespace".into());
    }
    let system = &document["system"];
    if items(system).any(|block| block["text"].as_str() == Some("")) {
        return Some("system: text content blocks must be non-empty".into());
    }
    None
}

fn thinking(document: &Value) -> Option<String> {
    let thinking = &document["thinking"];
    let mode = thinking["type"].as_str()?;
    if mode == "disabled" {
        return None;
    }
    if mode == "enabled" {
        let Some(budget) = thinking["budget_tokens"].as_u64() else {
            return Some("thinking.enabled.budget_tokens: Field required".into());
        };
        if budget < BUDGET_MIN {
            return Some(format!(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to {BUDGET_MIN}"
            ));
        }
        if document["max_tokens"].as_u64().is_some_and(|most| budget >= most) {
            return Some("`max_tokens` must be greater than `thinking.budget_tokens`.".into());
        }
    }
    if document["temperature"].as_f64().is_some_and(|temperature| temperature < 1.0) {
        return Some("`temperature` may only be set to 1 when thinking is enabled.".into());
    }
    if document["top_p"].as_f64().is_some_and(|top_p| top_p < 0.95) {
        return Some("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.".into());
    }
    if !document["top_k"].is_null() {
        return Some("`top_k` must be unset when thinking is enabled.".into());
    }
    if matches!(document["tool_choice"]["type"].as_str(), Some("any" | "tool")) {
        return Some("Thinking may not be enabled when tool_choice forces tool use.".into());
    }
    None
}

fn tools(document: &Value) -> Option<String> {
    let choice = &document["tool_choice"];
    let tools: Vec<_> = items(&document["tools"]).collect();
    if !choice.is_null() && tools.is_empty() {
        return Some("tool_choice: tool_choice may only be specified while providing tools".into());
    }
    if choice["type"] == "tool" && !tools.iter().any(|tool| tool["name"] == choice["name"]) {
        return Some(format!("tool_choice: Tool '{}' not found in provided tools", choice["name"].as_str()?));
    }
    for (at, tool) in tools.iter().enumerate() {
        if !matches!(tool["type"].as_str(), None | Some("custom")) {
            continue;
        }
        let name = tool["name"].as_str().unwrap_or_default();
        if !is_name(name) || name.len() > 128 {
            return Some(format!("tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"));
        }
        if tools[..at].iter().any(|other| other["name"] == *name) {
            return Some("tools: Tool names must be unique.".into());
        }
        if !tool["input_schema"].is_object() {
            return Some(format!("tools.{at}.custom.input_schema: Field required"));
        }
        if tool["input_schema"]["type"] != "object" {
            return Some(format!("tools.{at}.custom.input_schema.type: Input should be 'object'"));
        }
    }
    None
}

fn cache_marks(document: &Value) -> Option<String> {
    fn marks(value: &Value) -> usize {
        match value {
            Value::Object(object) => {
                let own = usize::from(object.get("cache_control").is_some_and(Value::is_object));
                own + object.values().map(marks).sum::<usize>()
            }
            Value::Array(list) => list.iter().map(marks).sum(),
            _ => 0,
        }
    }
    let found =
        marks(&document["messages"]) + marks(&document["system"]) + items(&document["tools"]).map(marks).sum::<usize>();
    (found > CACHE_MARKS_MAX)
        .then(|| format!("A maximum of {CACHE_MARKS_MAX} blocks with cache_control may be provided. Found {found}."))
}

/// `^[a-zA-Z0-9_-]+$`
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

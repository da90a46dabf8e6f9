//! What a request in Cohere's words asks for, and what must be in it.

use serde_json::{Value, json};

use super::fields;
use crate::ask::{Ask, Asked, ToolChoice};
use crate::formats::shared::{items, tool_names};
use crate::refusal::Refusal;
use crate::target::Operation;

/// The most texts of one request for embeddings.
const TEXTS_MAX: usize = 96;

/// Reads a request, and refuses what the API does.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    let document = asked.document()?;
    if asked.script.strict {
        fields::check(asked, &document)?;
    }
    if let Some(message) = wrong(asked.target.operation, &document) {
        return Err(Refusal::invalid(asked.target.format, &format!("invalid request: {message}")));
    }
    let mut ask = Ask::of(&asked.target);
    document["model"].as_str().unwrap_or_default().clone_into(&mut ask.model);
    match asked.target.operation {
        Operation::Embeddings => {
            ask.weigh(&document["texts"]);
            items(&document["inputs"]).for_each(|input| ask.weigh(&json!([input])));
            ask.inputs += items(&document["images"]).count() as u64;
            ask.dimensions = document["output_dimension"].as_u64();
            ask.base64 = items(&document["embedding_types"]).any(|kind| kind == "base64");
        }
        Operation::Rerank => {
            ask.weigh(&json!([document["query"]]));
            ask.weigh(&document["documents"]);
            let documents = items(&document["documents"]).count() as u64;
            ask.documents = document["top_n"].as_u64().unwrap_or(documents).min(documents);
        }
        _ => chat(&document, &mut ask),
    }
    Ok(ask)
}

fn chat(document: &Value, ask: &mut Ask) {
    ask.stream = document["stream"] == true;
    ask.weigh(&document["messages"]);
    ask.bound(document["max_tokens"].as_u64());
    ask.tools = tool_names(&document["tools"], "/function/name");
    if document["tool_choice"] == "NONE" {
        ask.tool_choice = ToolChoice::None;
    }
    let format = &document["response_format"];
    if format["type"] == "json_object" {
        let schema = format.get("json_schema").or_else(|| format.get("schema"));
        ask.schema = Some(schema.cloned().unwrap_or(Value::Bool(true)));
    }
}

fn wrong(operation: Operation, document: &Value) -> Option<String> {
    let required: &[&str] = match operation {
        Operation::Embeddings => &["model", "input_type"],
        Operation::Rerank => &["model", "query", "documents"],
        _ => &["model", "messages"],
    };
    if let Some(missing) = required.iter().find(|name| document[**name].is_null()) {
        return Some(format!("{missing} is required"));
    }
    let texts = items(&document["texts"]).count();
    if operation == Operation::Embeddings && texts > TEXTS_MAX {
        return Some(format!("total number of texts must be at most {TEXTS_MAX} - received {texts}"));
    }
    if operation != Operation::Chat {
        return None;
    }
    bounds(document).or_else(|| messages(document))
}

fn bounds(document: &Value) -> Option<String> {
    let ranges =
        [("p", 0.01, 0.99), ("k", 0.0, 500.0), ("frequency_penalty", 0.0, 1.0), ("presence_penalty", 0.0, 1.0)];
    for (name, least, most) in ranges {
        if document[name].as_f64().is_some_and(|value| !(least..=most).contains(&value)) {
            return Some(format!("{name} must be between {least} and {most} inclusive"));
        }
    }
    let choice = &document["tool_choice"];
    if !choice.is_null() && choice != "REQUIRED" && choice != "NONE" {
        return Some("tool_choice must be one of REQUIRED, NONE".into());
    }
    if choice == "REQUIRED" && items(&document["tools"]).next().is_none() {
        return Some("tool_choice cannot be specified without tools".into());
    }
    None
}

/// Results follow the calls that they are of.
fn messages(document: &Value) -> Option<String> {
    if items(&document["messages"]).next().is_none() {
        return Some("must specify at least one message".into());
    }
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in items(&document["messages"]).enumerate() {
        match message["role"].as_str().unwrap_or_default() {
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                if !open.contains(&id) {
                    return Some(format!(
                        "invalid tool message at messages[{at}]: tool call id not found in previous tool calls"
                    ));
                }
            }
            role @ ("user" | "assistant" | "system") => {
                open = items(&message["tool_calls"]).filter_map(|call| call["id"].as_str()).collect();
                let empty = message["content"].is_null() || message["content"] == "" || message["content"] == json!([]);
                let calls = role == "assistant" && !open.is_empty();
                if empty && !calls {
                    return Some(format!("message at index {at} must have non-empty content or tool calls"));
                }
            }
            role => {
                return Some(format!(
                    "invalid role in messages[{at}]: '{role}' must be one of user, assistant, system, tool"
                ));
            }
        }
    }
    None
}

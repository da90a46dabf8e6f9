//! What Ollama cannot read.

use serde_json::Value;

use crate::ask::Asked;
use crate::formats::shared::{Checked, items};
use crate::refusal::Refusal;

/// Refuses what does not fit the server's types.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let found = if document["model"].as_str().is_none_or(str::is_empty) {
        Some("model is required".to_owned())
    } else {
        items(&document["messages"]).find_map(message).or_else(|| options(&document["options"]))
    };
    match found {
        None => Ok(()),
        Some(message) => Err(Refusal::invalid(asked.target.format, &message)),
    }
}

fn message(message: &Value) -> Option<String> {
    let field = |value: &Value, name: &str, kind: &str| {
        let found = match value {
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            Value::Null => "null",
        };
        format!("json: cannot unmarshal {found} into Go struct field ChatRequest.messages.{name} of type {kind}")
    };
    if !message["content"].is_null() && !message["content"].is_string() {
        return Some(field(&message["content"], "content", "string"));
    }
    for call in items(&message["tool_calls"]) {
        let arguments = &call["function"]["arguments"];
        if !arguments.is_null() && !arguments.is_object() {
            return Some(field(arguments, "tool_calls.function.arguments", "api.ToolCallFunctionArguments"));
        }
    }
    for image in items(&message["images"]) {
        let Some(data) = image.as_str() else { return Some(field(image, "images", "api.ImageData")) };
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        if let Some(at) = data.bytes().position(|byte| !known(byte)) {
            return Some(format!("illegal base64 data at input byte {at}"));
        }
        if data.len() % 4 != 0 {
            return Some(format!("illegal base64 data at input byte {}", data.len() - data.len() % 4));
        }
    }
    None
}

fn options(options: &Value) -> Option<String> {
    let integers = ["num_predict", "num_ctx", "top_k", "seed"];
    let floats = ["temperature", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty"];
    let wrong = |names: &[&str], kind: &str| {
        let name = names.iter().find(|name| !options[**name].is_null() && !options[**name].is_number())?;
        Some(format!("option \"{name}\" must be of type {kind}"))
    };
    let stop = !options["stop"].is_null() && !options["stop"].is_array();
    wrong(&integers, "integer")
        .or_else(|| wrong(&floats, "float32"))
        .or_else(|| stop.then(|| "option \"stop\" must be of type array".to_owned()))
}

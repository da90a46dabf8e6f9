//! What the input of a response must be like.

use serde_json::Value;

use crate::ask::Asked;
use crate::fault::Fault;
use crate::formats::shared::{Checked, items};
use crate::refusal::Refusal;

/// The longest id of a call.
const CALL_ID_MAX: usize = 64;

/// What is wrong: words, the parameter and the code.
type Wrong = (String, String, Option<&'static str>);

/// Refuses inputs that the API refuses.
pub(super) fn check(asked: &Asked<'_>, document: &Value) -> Checked {
    let input: Vec<_> = items(&document["input"]).collect();
    // Calls may be in what was stored earlier.
    let stored = !document["previous_response_id"].is_null() || !document["conversation"].is_null();
    let found = input.iter().enumerate().find_map(|(at, item)| self::item(at, item));
    match found.or_else(|| if stored { None } else { calls(&input) }) {
        None => Ok(()),
        Some((message, param, code)) => {
            let fault = Fault::Invalid { message: &message, param: Some(&param), code };
            Err(Refusal::of(asked.target.format, fault))
        }
    }
}

fn item(at: usize, item: &Value) -> Option<Wrong> {
    let path = format!("input[{at}]");
    let kind = item["type"].as_str().unwrap_or("message");
    if let Some(beginning) = match kind {
        "message" if item["role"] == "assistant" => Some("msg"),
        "function_call" => Some("fc"),
        "reasoning" => Some("rs"),
        _ => None,
    } && let Some(id) = item["id"].as_str().filter(|id| !id.starts_with(beginning))
    {
        let message = format!("Invalid '{path}.id': '{id}'. Expected an ID that begins with '{beginning}'.");
        return Some((message, format!("{path}.id"), Some("invalid_value")));
    }
    match kind {
        "message" => message(&path, item),
        "function_call" => {
            let required = ["call_id", "name", "arguments"];
            required.into_iter().find(|name| !item[*name].is_string()).map(|name| missing(&format!("{path}.{name}")))
        }
        "function_call_output" if !item["call_id"].is_string() => Some(missing(&format!("{path}.call_id"))),
        "function_call_output" if item["output"].is_null() => Some(missing(&format!("{path}.output"))),
        "reasoning" if !item["summary"].is_array() => Some(missing(&format!("{path}.summary"))),
        _ => {
            let id = item["call_id"].as_str().filter(|id| id.len() > CALL_ID_MAX)?;
            let param = format!("{path}.call_id");
            let length = id.len();
            let message = format!(
                "Invalid '{param}': string too long. Expected a string with maximum length {CALL_ID_MAX}, but got a string with length {length} instead."
            );
            Some((message, param, Some("string_above_max_length")))
        }
    }
}

fn message(path: &str, message: &Value) -> Option<Wrong> {
    let supported = match message["role"].as_str().unwrap_or_default() {
        "assistant" => &["output_text", "refusal"][..],
        "user" | "system" | "developer" => &["input_text", "input_image", "input_file", "input_audio"][..],
        role => {
            let words = "Supported values are: 'assistant', 'system', 'developer', and 'user'.";
            let param = format!("{path}.role");
            return Some((format!("Invalid value: '{role}'. {words}"), param, Some("invalid_value")));
        }
    };
    if message["content"].is_null() {
        return Some(missing(&format!("{path}.content")));
    }
    let (place, part) = items(&message["content"])
        .enumerate()
        .find(|(_, part)| !part["type"].as_str().is_some_and(|kind| supported.contains(&kind)))?;
    let kind = part["type"].as_str().unwrap_or_default();
    let words = format!("Invalid value: '{kind}'. Supported values are: '{}'.", supported.join("', '"));
    Some((words, format!("{path}.content[{place}].type"), Some("invalid_value")))
}

/// Calls have their outputs somewhere behind them, and outputs are of calls.
fn calls(input: &[&Value]) -> Option<Wrong> {
    let mut open: Vec<&str> = Vec::new();
    for item in input {
        let Some(id) = item["call_id"].as_str() else { continue };
        match item["type"].as_str() {
            Some("function_call") => open.push(id),
            Some("function_call_output") => {
                let Some(place) = open.iter().position(|call| *call == id) else {
                    return Some((
                        format!("No tool call found for function call output with call_id {id}."),
                        "input".into(),
                        None,
                    ));
                };
                open.remove(place);
            }
            _ => {}
        }
    }
    open.first().map(|id| (format!("No tool output found for function call {id}."), "input".into(), None))
}

fn missing(param: &str) -> Wrong {
    (format!("Missing required parameter: '{param}'."), param.to_owned(), Some("missing_required_parameter"))
}

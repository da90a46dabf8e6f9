//! The forms that an OpenAI-compatible provider takes.

use serde_json::Value;

use super::fields::check_fields;
use crate::ask::{Ask, Asked};
use crate::fault::Fault;
use crate::refusal::Refusal;
use crate::target::Operation;

/// The longest id of a tool call.
const CALL_ID_MAX: usize = 40;

/// Refuses what an OpenAI-compatible provider does not know. `ask` is what it asks for.
pub(crate) fn check(asked: &Asked<'_>, ask: &Ask) -> Result<(), Refusal> {
    let azure = asked.target.model.is_some();
    if azure && !asked.uri.query().unwrap_or_default().contains("api-version=") {
        return Err(invalid("Missing required query parameter: api-version", Some("api-version"), None));
    }
    check_fields(asked.target.operation, asked.body)?;
    match asked.target.operation {
        Operation::Chat | Operation::Completions | Operation::Embeddings if ask.model.is_empty() => {
            Err(missing("model"))
        }
        Operation::Chat if ask.inputs == 0 => Err(missing("messages")),
        Operation::Embeddings | Operation::Moderations if ask.inputs == 0 => Err(missing("input")),
        Operation::Chat => check_calls(&asked.document()?["messages"]),
        _ => Ok(()),
    }
}

/// Refuses calls without results, results without calls, and ids that are too long.
fn check_calls(messages: &Value) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.as_array().into_iter().flatten().enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let param = format!("messages.[{at}].role");
            let Some(place) = open.iter().position(|call| *call == id) else {
                let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message \
                               with 'tool_calls'.";
                return Err(invalid(message, Some(&param), None));
            };
            open.remove(place);
            continue;
        }
        check_answered(&open, at)?;
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open = calls.filter_map(|call| call["id"].as_str()).collect();
        if let Some(long) = open.iter().find(|id| id.len() > CALL_ID_MAX) {
            let param = format!("messages[{at}].tool_calls[0].id");
            let length = long.len();
            let message = format!(
                "Invalid '{param}': string too long. Expected a string with maximum length {CALL_ID_MAX}, but got a \
                 string with length {length} instead."
            );
            return Err(invalid(&message, Some(&param), Some("string_above_max_length")));
        }
    }
    check_answered(&open, messages.as_array().map_or(0, Vec::len))
}

fn check_answered(open: &[&str], at: usize) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
         The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(invalid(&message, Some(&format!("messages.[{at}].role")), None))
}

pub(super) fn invalid(message: &str, param: Option<&str>, code: Option<&str>) -> Refusal {
    super::refusal(Fault::Invalid { message, param, code })
}

fn missing(field: &str) -> Refusal {
    let message = format!("Missing required parameter: '{field}'.");
    invalid(&message, Some(field), Some("missing_required_parameter"))
}

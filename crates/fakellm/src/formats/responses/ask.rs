//! What a request for a response asks for.

use serde_json::{Value, json};

use super::{fields, input};
use crate::ask::{Ask, Asked, ToolChoice};
use crate::formats::shared::{items, tool_names};
use crate::refusal::Refusal;

/// Reads a request, and refuses what the API does.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    let document = asked.document()?;
    fields::check(asked, &document)?;
    input::check(asked, &document)?;
    let mut ask = Ask::of(&asked.target);
    document["model"].as_str().unwrap_or_default().clone_into(&mut ask.model);
    ask.stream = document["stream"] == true;
    match &document["input"] {
        text @ Value::String(_) => ask.weigh(text),
        list => items(list).for_each(|item| weigh(&mut ask, item)),
    }
    if !document["instructions"].is_null() {
        ask.weigh(&json!([{"content": document["instructions"]}]));
    }
    ask.bound(document["max_output_tokens"].as_u64());
    ask.tools = tool_names(&document["tools"], "/name");
    ask.tool_choice = match (document["tool_choice"].as_str(), document["parallel_tool_calls"].as_bool()) {
        (Some("none"), _) => ToolChoice::None,
        (_, Some(false)) => ToolChoice::One,
        _ => ToolChoice::Any,
    };
    let format = &document["text"]["format"];
    ask.schema = match format["type"].as_str() {
        Some("json_schema") => Some(format["schema"].clone()),
        Some("json_object") => Some(Value::Bool(true)),
        _ => None,
    };
    Ok(ask)
}

/// Results of tools are text too.
fn weigh(ask: &mut Ask, item: &Value) {
    match &item["output"] {
        Value::Null => ask.weigh(&json!([item])),
        output => ask.weigh(&json!([{"content": output}])),
    }
}

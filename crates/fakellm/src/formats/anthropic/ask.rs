//! What a request in Anthropic's words asks for.

use serde_json::{Value, json};

use super::{conversation, fields, form};
use crate::ask::{Ask, Asked, ToolChoice};
use crate::formats::shared::tool_names;
use crate::refusal::Refusal;

/// Reads a request, and refuses what the API does.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    let document = asked.document()?;
    if asked.script.strict {
        fields::check(asked, &document)?;
    }
    form::check(asked, &document)?;
    conversation::check(asked, &document)?;
    Ok(ask(asked, &document))
}

fn ask(asked: &Asked<'_>, document: &Value) -> Ask {
    let mut ask = Ask::of(&asked.target);
    ask.weigh(&document["messages"]);
    if !document["system"].is_null() {
        ask.weigh(&json!({"content": document["system"]}));
    }
    ask.bound(document["max_tokens"].as_u64());
    if let Some(model) = document["model"].as_str() {
        model.clone_into(&mut ask.model);
        ask.stream = document["stream"] == true;
    }
    ask.tools = tool_names(&document["tools"], "/name");
    let choice = &document["tool_choice"];
    ask.tool_choice = match choice["type"].as_str() {
        Some("none") => ToolChoice::None,
        _ if choice["disable_parallel_tool_use"] == true => ToolChoice::One,
        _ => ToolChoice::Any,
    };
    ask.schema =
        document.pointer("/output_config/format/schema").or_else(|| document.pointer("/output_format/schema")).cloned();
    ask
}

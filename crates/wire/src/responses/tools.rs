//! Tools, and which of them to call, as they are read.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::parts::unreadable;
use crate::chat::{Chat, Tool, ToolChoice};
use crate::format::Unreadable;
use crate::json::Json;

#[derive(Deserialize)]
struct ToolJson {
    r#type: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Json>,
    #[serde(default)]
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct ChoiceJson {
    r#type: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    tools: Vec<AllowedJson>,
}

#[derive(Deserialize)]
struct AllowedJson {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

/// Adds the functions among `tools` to `chat`. What only `OpenAI` runs is lost.
pub(super) fn read_tools(tools: &[&RawValue], chat: &mut Chat) -> Result<(), Unreadable> {
    for (at, raw) in tools.iter().enumerate() {
        let path = format!("tools[{at}]");
        let tool: ToolJson =
            serde_json::from_str(raw.get()).map_err(|error| unreadable(&path, format!("is not a tool: {error}")))?;
        if tool.r#type != "function" {
            chat.losses.note(path, format!("is of type {}, which only OpenAI has", tool.r#type));
            continue;
        }
        let name = tool.name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| unreadable(format!("{path}.name"), "is missing"))?;
        let parameters = tool.parameters.filter(|schema| schema.as_str() != "null");
        chat.tools.push(Tool { name, description: tool.description, parameters, strict: tool.strict, cache: None });
    }
    Ok(())
}

/// Reads which tool to call. The tools are read already: `allowed_tools` leaves only those it names.
pub(super) fn read_tool_choice(raw: &RawValue, chat: &mut Chat) -> Result<(), Unreadable> {
    let wrong = || unreadable("tool_choice", "expected none, auto, required or an object that names a tool");
    if raw.get().starts_with('"') {
        let word: String = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
        chat.tool_choice = Some(mode(&word).ok_or_else(wrong)?);
        return Ok(());
    }
    let choice: ChoiceJson = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    match choice.r#type.as_str() {
        "function" => chat.tool_choice = Some(ToolChoice::Named(choice.name.ok_or_else(wrong)?)),
        "allowed_tools" => {
            let is_allowed = |tool: &Tool| {
                let mut allowed = choice.tools.iter();
                allowed.any(|it| it.r#type.as_deref() != Some("custom") && it.name.as_deref() == Some(&tool.name))
            };
            chat.tools.retain(is_allowed);
            chat.tool_choice = Some(choice.mode.as_deref().and_then(mode).unwrap_or(ToolChoice::Auto));
        }
        kind => chat.losses.note("tool_choice", format!("is of type {kind}, which only OpenAI has")),
    }
    Ok(())
}

fn mode(word: &str) -> Option<ToolChoice> {
    Some(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        _ => return None,
    })
}

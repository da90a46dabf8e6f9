//! Tools, and the choice of them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::part::CacheJson;
use super::thinking::Thinking;
use crate::chat::{Chat, Content, Tool, ToolChoice};
use crate::json::Json;
use crate::losses::Losses;

/// One of `tools`.
#[derive(Debug, Serialize)]
pub(super) struct ToolJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheJson>,
}

/// `tool_choice`.
#[derive(Debug, Serialize)]
pub(super) struct ToolChoiceJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

/// The tools; those of the history when the client names none any more, since the API wants to know what was called.
pub(super) fn tools(chat: &Chat) -> Vec<ToolJson<'_>> {
    if !chat.tools.is_empty() {
        return chat.tools.iter().map(ToolJson::of).collect();
    }
    let mut tools: Vec<ToolJson<'_>> = Vec::new();
    for name in called(chat) {
        if tools.iter().all(|tool| tool.name != name) {
            tools.push(ToolJson { name, description: None, input_schema: input_schema(None), cache_control: None });
        }
    }
    tools
}

fn called(chat: &Chat) -> impl Iterator<Item = &str> {
    chat.messages.iter().flat_map(|message| &message.blocks).filter_map(|block| match &block.content {
        Content::ToolCall(call) => Some(call.name.as_str()),
        _ => None,
    })
}

impl<'a> ToolJson<'a> {
    fn of(tool: &'a Tool) -> Self {
        Self {
            name: &tool.name,
            description: tool.description.as_deref().filter(|text| !text.is_empty()),
            input_schema: input_schema(tool.parameters.as_ref()),
            cache_control: tool.cache.map(CacheJson::of),
        }
    }
}

/// The schema of the arguments, which has to say that it is one of an object.
fn input_schema(parameters: Option<&Json>) -> Json {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<&'a RawValue>,
    }
    let bare = || Json::parse(r#"{"type":"object","properties":{}}"#).unwrap_or_else(Json::empty_object);
    let Some(schema) = parameters.filter(|json| json.is_object()) else { return bare() };
    let has_type = serde_json::from_str::<Typed<'_>>(schema.as_str()).is_ok_and(|typed| typed.kind.is_some());
    if has_type {
        return schema.clone();
    }
    let members = schema.as_str()[1..].trim_start();
    if members == "}" { bare() } else { Json::parse(&format!(r#"{{"type":"object",{members}"#)).unwrap_or_else(bare) }
}

/// Which of them may be called.
pub(super) fn tool_choice<'a>(chat: &'a Chat, thinking: &Thinking, losses: &mut Losses) -> Option<ToolChoiceJson<'a>> {
    let plain = |kind| ToolChoiceJson { kind, name: None, disable_parallel_tool_use: false };
    if chat.tools.is_empty() {
        return called(chat).next().map(|_| plain("none"));
    }
    let is_single = chat.parallel_tool_calls == Some(false);
    let choice = match chat.tool_choice.as_ref() {
        None if !is_single => return None,
        Some(ToolChoice::None) => return Some(plain("none")),
        Some(ToolChoice::Required | ToolChoice::Named(_)) if thinking.is_on() => {
            losses.note("tool_choice", "is left to the model: Anthropic forces no call on a model that thinks");
            plain("auto")
        }
        None | Some(ToolChoice::Auto) => plain("auto"),
        Some(ToolChoice::Required) => plain("any"),
        Some(ToolChoice::Named(name)) => ToolChoiceJson { name: Some(name), ..plain("tool") },
    };
    Some(ToolChoiceJson { disable_parallel_tool_use: is_single, ..choice })
}

//! The tools of a request, and which of them to call.

use serde::Serialize;

use super::family::Family;
use super::fields::Mood;
use super::messages::CachePoint;
use super::{REPLY_TOOL, UNKNOWN, UNKNOWN_TO_MODEL};
use crate::chat::{Chat, Content, Tool, ToolChoice};
use crate::json::Json;
use crate::losses::Losses;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    tools: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Choice<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Entry<'a> {
    ToolSpec {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Schema,
    },
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
struct Schema {
    json: Json,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Choice<'a> {
    Any {},
    Tool { name: &'a str },
}

/// The tools of `chat`; none when there are none to speak of.
pub(super) fn tools<'a>(chat: &'a Chat, family: Family, mood: Mood, losses: &mut Losses) -> Option<ToolConfig<'a>> {
    let called = called(chat);
    if chat.tools.is_empty() {
        // Without them, calls in the history are refused.
        let tools: Vec<Entry<'a>> = called.into_iter().map(|name| spec(name, None, None)).collect();
        return (!tools.is_empty()).then_some(ToolConfig { tools, tool_choice: None });
    }
    if chat.tool_choice == Some(ToolChoice::None) {
        if called.is_empty() {
            return None;
        }
        losses.note("tool_choice", "is set to auto, since Bedrock wants the tools once one of them was called");
    }
    let mut tools = Vec::with_capacity(chat.tools.len());
    for tool in &chat.tools {
        tools.push(of(tool));
        // Nova takes marks elsewhere, but not here.
        let mark = CachePoint::of(tool.cache, family).filter(|_| family.is_claude());
        tools.extend(mark.map(Entry::CachePoint));
    }
    Some(ToolConfig { tools, tool_choice: choice(chat, family, mood, losses) })
}

/// A single tool whose arguments are the reply, by `schema`, and which has to be called.
pub(super) fn reply_tool<'a>(description: Option<&'a str>, schema: &Json) -> ToolConfig<'a> {
    let description = description.or(Some("Gives the reply."));
    let tools = vec![spec(REPLY_TOOL, description, Some(schema.clone()))];
    ToolConfig { tools, tool_choice: Some(Choice::Tool { name: REPLY_TOOL }) }
}

/// What disables calls at once, where that is asked for: a field among those of the model.
pub(super) fn one_at_a_time(chat: &Chat, config: &ToolConfig<'_>, family: Family, losses: &mut Losses) -> Option<Json> {
    if chat.parallel_tool_calls != Some(false) || chat.tools.is_empty() {
        return None;
    }
    if !family.calls_one_at_a_time() {
        losses.note("parallel_tool_calls", UNKNOWN_TO_MODEL);
        return None;
    }
    // The choice must not be said twice.
    let r#type = config.tool_choice.is_none().then_some("auto");
    Some(Json::of(&OneAtATime { r#type, disable_parallel_tool_use: true }))
}

#[derive(Serialize)]
struct OneAtATime {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    disable_parallel_tool_use: bool,
}

fn of(tool: &Tool) -> Entry<'_> {
    let description = tool.description.as_deref().filter(|text| !text.is_empty());
    spec(&tool.name, description, tool.parameters.clone())
}

fn spec<'a>(name: &'a str, description: Option<&'a str>, schema: Option<Json>) -> Entry<'a> {
    let schema = schema.filter(|schema| schema.is_object() && schema.as_str() != "{}");
    let json =
        schema.or_else(|| Json::parse(r#"{"type":"object","properties":{}}"#)).unwrap_or_else(Json::empty_object);
    Entry::ToolSpec { name, description, input_schema: Schema { json } }
}

fn choice<'a>(chat: &'a Chat, family: Family, mood: Mood, losses: &mut Losses) -> Option<Choice<'a>> {
    let choice = match chat.tool_choice.as_ref()? {
        ToolChoice::Auto | ToolChoice::None => return None,
        ToolChoice::Required => Choice::Any {},
        ToolChoice::Named(name) if chat.tools.iter().any(|tool| tool.name == *name) => Choice::Tool { name },
        ToolChoice::Named(_) => {
            losses.note("tool_choice", UNKNOWN);
            return None;
        }
    };
    if family.is_forced() && mood == Mood::Usual {
        return Some(choice);
    }
    losses.note("tool_choice", "is left to the model, which cannot be made to call a tool, or not while it thinks");
    None
}

/// The names of the tools that were called, each once. A result whose call is gone is of an unnamed one.
fn called(chat: &Chat) -> Vec<&str> {
    let mut names = Vec::new();
    for block in chat.messages.iter().flat_map(|message| &message.blocks) {
        let name = match &block.content {
            Content::ToolCall(call) => call.name.as_str(),
            Content::ToolResult(result) => chat.tool_of(&result.call_id).unwrap_or("tool"),
            _ => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

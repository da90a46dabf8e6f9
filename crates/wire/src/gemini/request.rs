//! A conversation in Gemini's words.

use bytes::Bytes;
use serde::Serialize;

use super::config::{Fields, generation_config};
use super::contents::{Turn, said};
use super::extra::sort;
use super::model::Model;
use crate::chat::{Chat, Tool, ToolChoice};
use crate::format::{Target, Written};
use crate::json::Json;
use crate::losses::Losses;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    contents: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    generation_config: Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_settings: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_armor_config: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a Json>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<FunctionDeclaration<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionDeclaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Json>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: FunctionCallingConfig<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCallingConfig<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

/// `chat` as a body of `generateContent` and `streamGenerateContent`, at AI Studio and Vertex AI.
pub fn write_request(chat: &Chat, target: Target<'_>) -> Written {
    let mut losses = chat.losses.clone();
    let extra = sort(chat, &mut losses);
    let top = |name: &str| extra.top.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let said = said(chat, Model::of(target.model), &mut losses);
    let request = Request {
        contents: said.turns,
        system_instruction: said.instructions,
        tools: tools(chat),
        tool_config: tool_config(chat, &mut losses),
        generation_config: generation_config(chat, extra.config.clone(), target, &mut losses),
        safety_settings: top("safetySettings"),
        cached_content: top("cachedContent"),
        labels: top("labels"),
        model_armor_config: top("modelArmorConfig"),
        service_tier: top("serviceTier"),
    };
    // Nothing in it can fail to be written.
    let body = serde_json::to_vec(&request).unwrap_or_default();
    Written { body: Bytes::from(body), losses }
}

fn tools(chat: &Chat) -> Vec<Tools<'_>> {
    if chat.tools.is_empty() {
        return Vec::new();
    }
    vec![Tools { function_declarations: chat.tools.iter().map(declaration).collect() }]
}

fn declaration(tool: &Tool) -> FunctionDeclaration<'_> {
    FunctionDeclaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: tool.parameters.as_ref(),
    }
}

/// A choice without tools is refused, and nothing to choose.
fn tool_config<'a>(chat: &'a Chat, losses: &mut Losses) -> Option<ToolConfig<'a>> {
    if chat.tools.is_empty() {
        return None;
    }
    if chat.parallel_tool_calls == Some(false) {
        losses.note("parallel_tool_calls", "is not known to Gemini, which may call several at once");
    }
    let (mode, allowed_function_names) = match chat.tool_choice.as_ref()? {
        ToolChoice::Auto => ("AUTO", None),
        ToolChoice::None => ("NONE", None),
        ToolChoice::Required => ("ANY", None),
        ToolChoice::Named(name) => ("ANY", Some([name.as_str()])),
    };
    Some(ToolConfig { function_calling_config: FunctionCallingConfig { mode, allowed_function_names } })
}

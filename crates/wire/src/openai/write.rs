//! Requests as providers with `OpenAI`'s format want them.

use bytes::Bytes;
use serde::Serialize;

use super::calls::CallJson;
use super::parts;
use crate::chat::{
    Block, Chat, Content, Message, Reasoning, ReplyFormat, Role, Source, Tool, ToolChoice, ToolResult, text_of,
};
use crate::format::{Target, Written};
use crate::json::Json;
use crate::losses::Losses;

/// Fields of the format that a [`Chat`] has no place for.
const FIELDS: &[&str] = &[
    "audio",
    "logit_bias",
    "metadata",
    "modalities",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "verbosity",
    "web_search_options",
];

#[derive(Serialize)]
struct RequestJson<'a> {
    model: &'a str,
    messages: Vec<MessageJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<FormatJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

#[derive(Serialize)]
struct MessageJson<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    content: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallJson<'a>>,
}

#[derive(Serialize)]
struct ToolJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionJson<'a>,
}

#[derive(Serialize)]
struct FunctionJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct FormatJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<SchemaJson<'a>>,
}

#[derive(Serialize)]
struct SchemaJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// Writes `chat` for `target`.
pub fn write_request(chat: &Chat, target: Target<'_>) -> Written {
    let mut losses = chat.losses.clone();
    let reasons = is_reasoning(target.model);
    if chat.top_k.is_some() {
        losses.note("top_k", "is not known to OpenAI");
    }
    let json = RequestJson {
        model: target.model,
        messages: chat.messages.iter().enumerate().flat_map(|(at, message)| turns(message, at, &mut losses)).collect(),
        tools: chat.tools.iter().map(tool).collect(),
        tool_choice: chat.tool_choice.as_ref().filter(|_| !chat.tools.is_empty()).map(tool_choice),
        parallel_tool_calls: chat.parallel_tool_calls.filter(|_| !chat.tools.is_empty()),
        response_format: reply_format(&chat.reply_format),
        reasoning_effort: effort(chat, reasons, &mut losses),
        // The older name is the one that every server knows; models that think refuse it.
        max_tokens: chat.max_tokens.filter(|_| !reasons),
        max_completion_tokens: chat.max_tokens.filter(|_| reasons),
        temperature: chat.temperature,
        top_p: chat.top_p,
        frequency_penalty: chat.frequency_penalty,
        presence_penalty: chat.presence_penalty,
        seed: chat.seed,
        stop: &chat.stop,
        n: chat.n,
        logprobs: chat.logprobs.map(|_| true),
        top_logprobs: chat.logprobs.filter(|count| *count > 0),
        user: chat.user.as_deref(),
        stream: chat.stream.then_some(true),
    };
    let body = serde_json::to_vec(&json).unwrap_or_default();
    Written { body: with_extra(body, chat, &mut losses), losses }
}

/// `body` with the further fields that the format has.
fn with_extra(mut body: Vec<u8>, chat: &Chat, losses: &mut Losses) -> Bytes {
    for (key, value) in &chat.extra {
        if !FIELDS.contains(&key.as_str()) {
            losses.note(key.clone(), "is not known to OpenAI");
        } else if body.pop() == Some(b'}') {
            body.extend_from_slice(format!(",\"{key}\":{}}}", value.as_str()).as_bytes());
        }
    }
    body.into()
}

/// Whether a model thinks by `OpenAI`'s rules: it takes an effort, and its bound on tokens under the newer name only.
fn is_reasoning(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    ["o1", "o3", "o4", "gpt-5", "gpt-6", "codex"].iter().any(|family| name.starts_with(family))
}

fn effort<'a>(chat: &'a Chat, reasons: bool, losses: &mut Losses) -> Option<&'a str> {
    match chat.reasoning.as_ref()? {
        Reasoning::Effort(word) => Some(word),
        // A client that spoke of thinking meant a model that can; for another it changes nothing.
        Reasoning::Budget(budget) if reasons => Some(Chat::effort_of(*budget)),
        Reasoning::Budget(_) => {
            losses.note("reasoning_effort", "is not known to this model");
            None
        }
        Reasoning::Off | Reasoning::Adaptive => None,
    }
}

/// The messages that one turn becomes: what tools returned stands first, each in a message of its own.
fn turns<'a>(message: &'a Message, at: usize, losses: &mut Losses) -> Vec<MessageJson<'a>> {
    let name = message.name.as_deref();
    let plain = |role: &'static str, content: Option<Json>| MessageJson {
        role,
        name,
        content,
        tool_call_id: None,
        tool_calls: Vec::new(),
    };
    match message.role {
        Role::System => vec![plain("system", Some(parts::write(&message.blocks.iter().collect::<Vec<_>>())))],
        Role::Developer => vec![plain("developer", Some(parts::write(&message.blocks.iter().collect::<Vec<_>>())))],
        Role::User => said_by_user(message, at, losses),
        Role::Assistant => {
            let blocks: Vec<&Block> = message.blocks.iter().filter(|block| is_content(&block.content)).collect();
            let tool_calls: Vec<CallJson<'_>> = message
                .blocks
                .iter()
                .filter_map(|block| match &block.content {
                    Content::ToolCall(call) => Some(CallJson::of(call)),
                    _ => None,
                })
                .collect();
            let content = (!blocks.is_empty() || tool_calls.is_empty()).then(|| parts::write(&blocks));
            vec![MessageJson { tool_calls, ..plain("assistant", content) }]
        }
    }
}

fn is_content(content: &Content) -> bool {
    matches!(content, Content::Text(_) | Content::Refusal(_))
}

fn said_by_user<'a>(message: &'a Message, at: usize, losses: &mut Losses) -> Vec<MessageJson<'a>> {
    let mut turns = Vec::new();
    let mut shown: Vec<Block> = Vec::new();
    for block in &message.blocks {
        if let Content::ToolResult(result) = &block.content {
            turns.push(returned(result));
            let pictures = result.blocks.iter().filter(|block| !matches!(block.content, Content::Text(_)));
            shown.extend(pictures.cloned());
        }
    }
    // Messages of tools hold text only: what else they returned the user shows.
    if !shown.is_empty() {
        shown.insert(0, Block::text("Returned by the tool:"));
    }
    for (place, block) in message.blocks.iter().enumerate() {
        match &block.content {
            Content::ToolResult(_) => {}
            Content::Document { source: Source::Url(_), .. } => {
                losses.note(
                    format!("messages[{at}].content[{place}]"),
                    "is a document by its URL, which OpenAI does not fetch",
                );
            }
            _ => shown.push(block.clone()),
        }
    }
    if !shown.is_empty() || turns.is_empty() {
        let content = Some(parts::write(&shown.iter().collect::<Vec<_>>()));
        let name = message.name.as_deref();
        turns.push(MessageJson { role: "user", name, content, tool_call_id: None, tool_calls: Vec::new() });
    }
    turns
}

fn returned(result: &ToolResult) -> MessageJson<'_> {
    MessageJson {
        role: "tool",
        name: None,
        content: Some(Json::of(&text_of(&result.blocks))),
        tool_call_id: Some(&result.call_id),
        tool_calls: Vec::new(),
    }
}

fn tool(tool: &Tool) -> ToolJson<'_> {
    ToolJson {
        kind: "function",
        function: FunctionJson {
            name: &tool.name,
            description: tool.description.as_deref(),
            parameters: tool.parameters.as_ref(),
            strict: tool.strict,
        },
    }
}

fn tool_choice(choice: &ToolChoice) -> Json {
    #[derive(Serialize)]
    struct ChoiceJson<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        function: NameJson<'a>,
    }
    #[derive(Serialize)]
    struct NameJson<'a> {
        name: &'a str,
    }
    match choice {
        ToolChoice::Auto => Json::of(&"auto"),
        ToolChoice::None => Json::of(&"none"),
        ToolChoice::Required => Json::of(&"required"),
        ToolChoice::Named(name) => Json::of(&ChoiceJson { kind: "function", function: NameJson { name } }),
    }
}

fn reply_format(format: &ReplyFormat) -> Option<FormatJson<'_>> {
    match format {
        ReplyFormat::Text => None,
        ReplyFormat::JsonObject => Some(FormatJson { kind: "json_object", json_schema: None }),
        ReplyFormat::JsonSchema { name, description, schema, strict } => {
            let json_schema = SchemaJson { name, description: description.as_deref(), schema, strict: *strict };
            Some(FormatJson { kind: "json_schema", json_schema: Some(json_schema) })
        }
    }
}

//! Requests as clients write them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::json::JsonObject;

use super::content::FunctionJson as CalledJson;
use super::content::{self, CacheJson, CallJson, ThoughtJson, wrong};
use crate::chat::{
    Block, Chat, Content, Message, NativeTool, Reasoning, ReplyFormat, Role, Tool, ToolChoice, ToolResult,
};
use crate::format::Unreadable;
use crate::json::Json;

/// Reads a request.
///
/// # Errors
/// When it is no object, or a field holds what it cannot.
pub fn read_request(body: &[u8]) -> Result<Chat, Unreadable> {
    let object = JsonObject::parse(Bytes::copy_from_slice(body))
        .map_err(|error| Unreadable { path: "the body".to_owned(), problem: error.to_string() })?;
    let mut chat = Chat::default();
    for key in object.keys() {
        if let Some(raw) = object.raw(key) {
            set(&mut chat, key, raw)?;
        }
    }
    Ok(chat)
}

/// Puts the field `key` with the JSON text `raw` into `chat`, in place of what it has there. Null leaves it.
///
/// # Errors
/// When the field cannot hold that.
pub fn set(chat: &mut Chat, key: &str, raw: &str) -> Result<(), Unreadable> {
    if raw == "null" {
        return Ok(());
    }
    match key {
        "model" => chat.model = value(key, raw, "a text")?,
        "messages" => chat.messages = messages(raw)?,
        "tools" => chat.tools = tools(chat, raw)?,
        "functions" => chat.tools = functions(raw)?,
        "tool_choice" | "function_call" => chat.tool_choice = tool_choice(key, raw)?,
        "parallel_tool_calls" => chat.parallel_tool_calls = Some(value(key, raw, "true or false")?),
        "response_format" => chat.reply_format = reply_format(raw)?,
        "reasoning_effort" => chat.reasoning = Some(effort(value(key, raw, "a text")?)),
        "reasoning" => chat.reasoning = reasoning(raw)?.or(chat.reasoning.take()),
        "max_completion_tokens" => chat.max_tokens = Some(value(key, raw, "a count")?),
        // The newer name wins, whichever stands first.
        "max_tokens" => chat.max_tokens = Some(chat.max_tokens.unwrap_or(value(key, raw, "a count")?)),
        "temperature" => chat.temperature = Some(value(key, raw, "a number")?),
        "top_p" => chat.top_p = Some(value(key, raw, "a number")?),
        "top_k" => chat.top_k = Some(value(key, raw, "a count")?),
        "frequency_penalty" => chat.frequency_penalty = Some(value(key, raw, "a number")?),
        "presence_penalty" => chat.presence_penalty = Some(value(key, raw, "a number")?),
        "seed" => chat.seed = Some(value(key, raw, "a whole number")?),
        "stop" => chat.stop = stop(raw)?,
        "n" => chat.n = Some(value(key, raw, "a count")?),
        "logprobs" if raw == "false" => chat.logprobs = None,
        "logprobs" if raw == "true" => chat.logprobs = chat.logprobs.or(Some(0)),
        "logprobs" => return Err(wrong(key, "true or false")),
        "top_logprobs" => chat.logprobs = Some(value(key, raw, "a count")?),
        "user" => chat.user = Some(value(key, raw, "a text")?),
        "stream" => chat.stream = value(key, raw, "true or false")?,
        _ => {
            let Some(json) = Json::parse(raw) else { return Err(wrong(key, "JSON")) };
            chat.extra.retain(|(name, _)| name != key);
            chat.extra.push((key.to_owned(), json));
        }
    }
    Ok(())
}

/// Whether `chat` has something where the field `key` would go.
pub fn is_set(chat: &Chat, key: &str) -> bool {
    match key {
        "model" => !chat.model.is_empty(),
        "messages" => !chat.messages.is_empty(),
        "tools" | "functions" => !chat.tools.is_empty() || !chat.native_tools.is_empty(),
        "tool_choice" | "function_call" => chat.tool_choice.is_some(),
        "parallel_tool_calls" => chat.parallel_tool_calls.is_some(),
        "response_format" => chat.reply_format != ReplyFormat::Text,
        "reasoning_effort" | "reasoning" | "thinking" => chat.reasoning.is_some(),
        "max_completion_tokens" | "max_tokens" => chat.max_tokens.is_some(),
        "temperature" => chat.temperature.is_some(),
        "top_p" => chat.top_p.is_some(),
        "top_k" => chat.top_k.is_some(),
        "frequency_penalty" => chat.frequency_penalty.is_some(),
        "presence_penalty" => chat.presence_penalty.is_some(),
        "seed" => chat.seed.is_some(),
        "stop" => !chat.stop.is_empty(),
        "n" => chat.n.is_some(),
        "logprobs" | "top_logprobs" => chat.logprobs.is_some(),
        "user" => chat.user.is_some(),
        _ => chat.extra.iter().any(|(name, _)| name == key),
    }
}

/// Takes out of `chat` what the field `key` would put there.
pub fn unset(chat: &mut Chat, key: &str) {
    match key {
        "tools" | "functions" => {
            chat.tools.clear();
            chat.native_tools.clear();
        }
        "tool_choice" | "function_call" => chat.tool_choice = None,
        "parallel_tool_calls" => chat.parallel_tool_calls = None,
        "response_format" => chat.reply_format = ReplyFormat::Text,
        "reasoning_effort" | "reasoning" | "thinking" => chat.reasoning = None,
        "max_completion_tokens" | "max_tokens" => chat.max_tokens = None,
        "temperature" => chat.temperature = None,
        "top_p" => chat.top_p = None,
        "top_k" => chat.top_k = None,
        "frequency_penalty" => chat.frequency_penalty = None,
        "presence_penalty" => chat.presence_penalty = None,
        "seed" => chat.seed = None,
        "stop" => chat.stop.clear(),
        "n" => chat.n = None,
        "logprobs" | "top_logprobs" => chat.logprobs = None,
        "user" => chat.user = None,
        _ => chat.extra.retain(|(name, _)| name != key),
    }
}

fn value<'a, T: Deserialize<'a>>(path: &str, raw: &'a str, expected: &str) -> Result<T, Unreadable> {
    serde_json::from_str(raw).map_err(|_| wrong(path, expected))
}

fn stop(raw: &str) -> Result<Vec<String>, Unreadable> {
    if raw.starts_with('"') {
        return Ok(vec![value("stop", raw, "a text")?]);
    }
    value("stop", raw, "a text or a list of texts")
}

fn effort(word: String) -> Reasoning {
    if word == "none" { Reasoning::Off } else { Reasoning::Effort(word) }
}

/// `reasoning` as `OpenRouter` has it.
fn reasoning(raw: &str) -> Result<Option<Reasoning>, Unreadable> {
    #[derive(Deserialize)]
    struct ReasoningJson {
        effort: Option<String>,
        max_tokens: Option<u32>,
        enabled: Option<bool>,
    }
    let json: ReasoningJson = value("reasoning", raw, "an object with effort or max_tokens")?;
    Ok(match (json.effort, json.max_tokens, json.enabled) {
        (Some(word), _, _) => Some(effort(word)),
        (None, Some(budget), _) => Some(Reasoning::Budget(budget)),
        (None, None, Some(false)) => Some(Reasoning::Off),
        (None, None, Some(true)) => Some(Reasoning::Adaptive),
        (None, None, None) => None,
    })
}

#[derive(Deserialize)]
struct MessageJson<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking_blocks: Option<Vec<ThoughtJson<'a>>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallJson<'a>>>,
    #[serde(borrow, default)]
    function_call: Option<CalledJson<'a>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    cache_control: Option<CacheJson<'a>>,
}

fn messages(raw: &str) -> Result<Vec<Message>, Unreadable> {
    let all: Vec<&RawValue> = value("messages", raw, "a list")?;
    all.iter().enumerate().map(|(at, raw)| message(raw.get(), &format!("messages[{at}]"))).collect()
}

fn message(raw: &str, path: &str) -> Result<Message, Unreadable> {
    let json: MessageJson<'_> =
        serde_json::from_str(raw).map_err(|error| wrong(path, &format!("a message: {error}")))?;
    let blocks = match json.content {
        Some(raw) => content::read(raw.get(), &format!("{path}.content"))?,
        None => Vec::new(),
    };
    let cache = json.cache_control.as_ref().map(CacheJson::cache);
    let role = match &*json.role {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => return Ok(said_by_model(json, blocks)),
        // Results of the older functions are known by the function's name.
        "tool" | "function" => {
            let call_id = json.tool_call_id.or(json.name).map(Cow::into_owned).unwrap_or_default();
            let result = Content::ToolResult(ToolResult { call_id, blocks, is_error: false });
            return Ok(Message { role: Role::User, name: None, blocks: vec![Block { content: result, cache }] });
        }
        _ => return Err(wrong(&format!("{path}.role"), "system, developer, user, assistant or tool")),
    };
    let mut message = Message { role, name: json.name.map(Cow::into_owned), blocks };
    if let (Some(cache), Some(last)) = (cache, message.blocks.last_mut()) {
        last.cache = Some(cache);
    }
    Ok(message)
}

/// A turn of the model: thoughts, then content, then calls.
fn said_by_model(json: MessageJson<'_>, content: Vec<Block>) -> Message {
    let mut blocks: Vec<Block> = match (json.thinking_blocks, json.reasoning_content) {
        (Some(thoughts), _) => thoughts.into_iter().map(|thought| Block::new(thought.content())).collect(),
        (None, Some(text)) if !text.is_empty() => {
            vec![Block::new(Content::Thinking { text: text.into_owned(), signature: None })]
        }
        _ => Vec::new(),
    };
    blocks.extend(content);
    blocks.extend(json.refusal.map(|text| Block::new(Content::Refusal(text.into_owned()))));
    let calls = json.tool_calls.unwrap_or_default().into_iter();
    blocks.extend(calls.map(|call| Block::new(Content::ToolCall(call.call(String::new)))));
    if let Some(function) = json.function_call {
        let id = function.name.as_deref().unwrap_or_default().to_owned();
        let call = CallJson { function, ..CallJson::default() }.call(|| id);
        blocks.push(Block::new(Content::ToolCall(call)));
    }
    Message { role: Role::Assistant, name: json.name.map(Cow::into_owned), blocks }
}

#[derive(Deserialize)]
struct ToolJson<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<FunctionJson<'a>>,
    #[serde(borrow, default)]
    cache_control: Option<CacheJson<'a>>,
}

#[derive(Deserialize)]
struct FunctionJson<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(default)]
    parameters: Option<Json>,
    #[serde(default)]
    strict: Option<bool>,
}

impl FunctionJson<'_> {
    fn tool(self, cache: Option<crate::chat::Cache>) -> Tool {
        Tool {
            name: self.name.into_owned(),
            description: self.description.map(Cow::into_owned),
            parameters: self.parameters.filter(|json| json.as_str() != "null"),
            strict: self.strict,
            cache,
        }
    }
}

fn tools(chat: &mut Chat, raw: &str) -> Result<Vec<Tool>, Unreadable> {
    let all: Vec<&RawValue> = value("tools", raw, "a list of tools")?;
    let mut tools = Vec::with_capacity(all.len());
    chat.native_tools.clear();
    for (at, raw) in all.into_iter().enumerate() {
        let path = format!("tools[{at}]");
        let json: ToolJson<'_> =
            serde_json::from_str(raw.get()).map_err(|error| wrong(&path, &format!("a tool: {error}")))?;
        let cache = json.cache_control.as_ref().map(CacheJson::cache);
        match (json.kind.as_deref(), json.function) {
            (None | Some("function"), Some(function)) => tools.push(function.tool(cache)),
            (None | Some("function"), None) => return Err(wrong(&format!("{path}.function"), "a function")),
            (Some(kind), _) => {
                let json = Json::parse(raw.get()).unwrap_or_else(Json::empty_object);
                chat.native_tools.push(NativeTool { path, kind: kind.to_owned(), json });
            }
        }
    }
    Ok(tools)
}

fn functions(raw: &str) -> Result<Vec<Tool>, Unreadable> {
    let all: Vec<FunctionJson<'_>> =
        serde_json::from_str(raw).map_err(|_| wrong("functions", "a list of functions"))?;
    Ok(all.into_iter().map(|function| function.tool(None)).collect())
}

fn tool_choice(key: &str, raw: &str) -> Result<Option<ToolChoice>, Unreadable> {
    #[derive(Deserialize)]
    struct ChoiceJson<'a> {
        #[serde(borrow, default)]
        function: Option<NameJson<'a>>,
        #[serde(borrow, default)]
        name: Option<Cow<'a, str>>,
    }
    #[derive(Deserialize)]
    struct NameJson<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    Ok(Some(match raw {
        "\"auto\"" => ToolChoice::Auto,
        "\"none\"" => ToolChoice::None,
        "\"required\"" | "\"any\"" => ToolChoice::Required,
        _ => {
            let expected = "auto, none, required or a function by its name";
            let json: ChoiceJson<'_> = serde_json::from_str(raw).map_err(|_| wrong(key, expected))?;
            let name = json.function.map(|function| function.name).or(json.name).ok_or_else(|| wrong(key, expected))?;
            ToolChoice::Named(name.into_owned())
        }
    }))
}

fn reply_format(raw: &str) -> Result<ReplyFormat, Unreadable> {
    #[derive(Deserialize)]
    struct FormatJson<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow, default)]
        json_schema: Option<SchemaJson<'a>>,
    }
    #[derive(Deserialize)]
    struct SchemaJson<'a> {
        #[serde(borrow, default)]
        name: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        description: Option<Cow<'a, str>>,
        #[serde(default)]
        schema: Option<Json>,
        #[serde(default)]
        strict: Option<bool>,
    }
    let json: FormatJson<'_> =
        serde_json::from_str(raw).map_err(|_| wrong("response_format", "an object with a type"))?;
    match (&*json.kind, json.json_schema) {
        ("text", _) => Ok(ReplyFormat::Text),
        ("json_object", _) => Ok(ReplyFormat::JsonObject),
        ("json_schema", Some(schema)) => Ok(ReplyFormat::JsonSchema {
            name: schema.name.map_or_else(|| "reply".to_owned(), Cow::into_owned),
            description: schema.description.map(Cow::into_owned),
            schema: schema.schema.unwrap_or_else(Json::empty_object),
            strict: schema.strict,
        }),
        ("json_schema", None) => Err(wrong("response_format.json_schema", "an object with a schema")),
        _ => Err(wrong("response_format.type", "text, json_object or json_schema")),
    }
}

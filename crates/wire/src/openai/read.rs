//! Requests as clients write them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use weighbridge_domain::json::JsonObject;

use super::content::wrong;
use super::messages::messages;
use super::tools::{functions, tool_choice, tools};
use crate::chat::{Chat, Reasoning, ReplyFormat};
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

/// `raw` as a `T`, or that something else is `expected` at `path`.
pub(super) fn value<'a, T: Deserialize<'a>>(path: &str, raw: &'a str, expected: &str) -> Result<T, Unreadable> {
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

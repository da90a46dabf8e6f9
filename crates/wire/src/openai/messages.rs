//! Messages as clients write them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::calls::{CallJson, FunctionJson, ThoughtJson};
use super::content::{self, CacheJson, wrong};
use super::read::value;
use crate::chat::{Block, Content, Message, Role, ToolResult};
use crate::format::Unreadable;

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
    function_call: Option<FunctionJson<'a>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    cache_control: Option<CacheJson<'a>>,
}

/// Reads `messages`.
pub(super) fn messages(raw: &str) -> Result<Vec<Message>, Unreadable> {
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

//! The input of a request as turns.

use serde_json::value::RawValue;

use super::item::{ItemJson, text_of};
use super::parts::{read_parts, unreadable};
use crate::chat::{Block, Chat, Content, Message, Role, ToolResult};
use crate::format::Unreadable;

/// Adds the turns of `raw`, a text or a list of items, to `chat`.
pub(super) fn read_input(raw: &RawValue, chat: &mut Chat) -> Result<(), Unreadable> {
    if raw.get().starts_with('"') {
        chat.messages.push(Message::of(Role::User, Content::Text(text_of(raw))));
        return Ok(());
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| unreadable("input", "expected a text or a list of items"))?;
    for (at, raw) in items.into_iter().enumerate() {
        let path = format!("input[{at}]");
        let item = serde_json::from_str::<ItemJson<'_>>(raw.get())
            .map_err(|error| unreadable(&path, format!("is not an item: {error}")))?;
        read_item(&item, path, chat)?;
    }
    Ok(())
}

fn read_item(item: &ItemJson<'_>, path: String, chat: &mut Chat) -> Result<(), Unreadable> {
    match kind(item, &path)? {
        "message" => read_message(item, &path, chat)?,
        "function_call" => {
            for (name, value) in [("call_id", &item.call_id), ("name", &item.name)] {
                if value.as_deref().unwrap_or_default().is_empty() {
                    return Err(unreadable(format!("{path}.{name}"), "is missing"));
                }
            }
            add(chat, Role::Assistant, vec![Block::new(Content::ToolCall(item.call()))]);
        }
        "function_call_output" => {
            let result = read_result(item, &path, chat)?;
            add_result(chat, Block::new(Content::ToolResult(result)));
        }
        "reasoning" => add(chat, Role::Assistant, item.thought().map(Block::new).into_iter().collect()),
        "item_reference" => {
            let id = item.id.as_deref().unwrap_or_default();
            let problem = format!(
                "refers to the item {id:?} of an earlier response, and this router keeps no responses: send the item itself"
            );
            return Err(unreadable(path, problem));
        }
        kind => chat.losses.note(path, format!("is a {kind}, which no other format has")),
    }
    Ok(())
}

/// Its type, which may be left out of messages and references.
fn kind<'i>(item: &'i ItemJson<'_>, path: &str) -> Result<&'i str, Unreadable> {
    match (&item.r#type, &item.role, &item.id) {
        (Some(kind), _, _) => Ok(kind),
        (None, Some(_), _) => Ok("message"),
        (None, None, Some(_)) => Ok("item_reference"),
        (None, None, None) => Err(unreadable(format!("{path}.type"), "is missing")),
    }
}

fn read_message(item: &ItemJson<'_>, path: &str, chat: &mut Chat) -> Result<(), Unreadable> {
    let role = match item.role.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        _ => return Err(unreadable(format!("{path}.role"), "expected user, assistant, system or developer")),
    };
    let path = format!("{path}.content");
    let content = item.content.ok_or_else(|| unreadable(&path, "expected a text or a list of parts"))?;
    let blocks = read_parts(content, &path, &mut chat.losses)?;
    if role == Role::Assistant {
        add(chat, role, blocks);
    } else if !blocks.is_empty() {
        chat.messages.push(Message { role, name: None, blocks });
    }
    Ok(())
}

fn read_result(item: &ItemJson<'_>, path: &str, chat: &mut Chat) -> Result<ToolResult, Unreadable> {
    let call_id = item.call_id.clone().filter(|id| !id.is_empty());
    let call_id = call_id.ok_or_else(|| unreadable(format!("{path}.call_id"), "is missing"))?;
    let path = format!("{path}.output");
    let output = item.output.ok_or_else(|| unreadable(&path, "expected a text or a list of parts"))?;
    let blocks = read_parts(output, &path, &mut chat.losses)?;
    Ok(ToolResult { call_id, blocks, is_error: false })
}

/// Adds `blocks` to the last turn when it is `role`'s, as a new turn otherwise.
fn add(chat: &mut Chat, role: Role, blocks: Vec<Block>) {
    match chat.messages.last_mut() {
        _ if blocks.is_empty() => {}
        Some(last) if last.role == role => last.blocks.extend(blocks),
        _ => chat.messages.push(Message { role, name: None, blocks }),
    }
}

/// Adds what a tool returned to the results before it.
fn add_result(chat: &mut Chat, block: Block) {
    let is_result = |block: &Block| matches!(block.content, Content::ToolResult(_));
    match chat.messages.last_mut() {
        Some(last) if last.role == Role::User && last.blocks.iter().all(is_result) => last.blocks.push(block),
        _ => chat.messages.push(Message { role: Role::User, name: None, blocks: vec![block] }),
    }
}

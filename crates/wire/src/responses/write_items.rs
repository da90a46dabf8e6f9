//! Turns as the items of an input.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::object::{ContentOut, ItemOut, PartOut};
use crate::chat::{Content, Message, Role, Source, ToolCall, ToolResult};
use crate::losses::Losses;

/// The longest id of a call that the API takes.
const LONGEST_CALL_ID: usize = 64;

/// How what OpenAI encrypts begins. Thoughts of other providers are not sent: it refuses what it cannot decrypt.
const OWN_PROOF: &str = "gAAAA";

/// Adds the items that `message` is, which is the turn at `at`.
pub(super) fn write_turn<'a>(message: &'a Message, at: usize, items: &mut Vec<ItemOut<'a>>, losses: &mut Losses) {
    let first = items.len();
    let mut parts = Vec::new();
    for (nth, block) in message.blocks.iter().enumerate() {
        let path = || format!("messages[{at}].content[{nth}]");
        match (&block.content, message.role) {
            (Content::ToolCall(call), Role::Assistant) => {
                flush(message.role, &mut parts, items);
                items.push(call_item(call));
            }
            (Content::ToolResult(result), Role::User) => {
                flush(message.role, &mut parts, items);
                if result.is_error {
                    losses.note(format!("{}.is_error", path()), "is not known to the responses API");
                }
                items.push(result_item(result, &path(), losses));
            }
            (Content::Thinking { .. } | Content::RedactedThinking { .. }, Role::Assistant) => {
                if let Some(item) = thought_item(&block.content) {
                    flush(message.role, &mut parts, items);
                    items.push(item);
                }
            }
            (content, role) => match part(content, role) {
                Ok(part) => parts.push(part),
                Err(why) => losses.note(path(), why),
            },
        }
    }
    flush(message.role, &mut parts, items);
    // A thought that nothing follows is refused.
    while items.len() > first && items.last().is_some_and(|item| item.r#type == "reasoning") {
        items.pop();
    }
}

/// Adds `parts` as a message, if there are any.
fn flush<'a>(role: Role, parts: &mut Vec<PartOut<'a>>, items: &mut Vec<ItemOut<'a>>) {
    if parts.is_empty() {
        return;
    }
    let role = match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let content = Some(content(std::mem::take(parts)));
    items.push(ItemOut { r#type: "message", role: Some(role), content, ..ItemOut::default() });
}

/// A single text is written as such: what compatible servers take without an id, too.
fn content(parts: Vec<PartOut<'_>>) -> ContentOut<'_> {
    match parts.as_slice() {
        [PartOut { r#type: "input_text" | "output_text", text: Some(text), .. }] => ContentOut::Text(text),
        _ => ContentOut::Parts(parts),
    }
}

fn call_item(call: &ToolCall) -> ItemOut<'_> {
    ItemOut {
        r#type: "function_call",
        call_id: Some(call_id(&call.id)),
        name: Some(&call.name),
        arguments: Some(if call.arguments.is_empty() { "{}" } else { &call.arguments }),
        ..ItemOut::default()
    }
}

fn result_item<'a>(result: &'a ToolResult, path: &str, losses: &mut Losses) -> ItemOut<'a> {
    let mut parts = Vec::new();
    for (nth, block) in result.blocks.iter().enumerate() {
        match part(&block.content, Role::User) {
            Ok(part) => parts.push(part),
            Err(why) => losses.note(format!("{path}.content[{nth}]"), why),
        }
    }
    let output = if parts.is_empty() { ContentOut::Text("") } else { content(parts) };
    ItemOut {
        r#type: "function_call_output",
        call_id: Some(call_id(&result.call_id)),
        output: Some(output),
        ..ItemOut::default()
    }
}

/// The thought, if it is `OpenAI`'s. It goes without the id it had, which is not known any more and may be left out.
fn thought_item(content: &Content) -> Option<ItemOut<'_>> {
    let (summary, proof) = match content {
        Content::Thinking { text, signature } => (vec![PartOut::summary(text)], signature.as_deref()?),
        Content::RedactedThinking { data } => (Vec::new(), data.as_str()),
        _ => return None,
    };
    proof.starts_with(OWN_PROOF).then(|| ItemOut {
        r#type: "reasoning",
        summary: Some(summary),
        encrypted_content: Some(proof),
        ..ItemOut::default()
    })
}

/// The part of a message that `content` is, or why it cannot be one.
fn part(content: &Content, role: Role) -> Result<PartOut<'_>, &'static str> {
    let is_reply = role == Role::Assistant;
    Ok(match content {
        Content::Text(text) if is_reply => {
            PartOut { r#type: "output_text", text: Some(text), annotations: Some([]), ..PartOut::default() }
        }
        Content::Text(text) => PartOut { r#type: "input_text", text: Some(text), ..PartOut::default() },
        Content::Refusal(text) if is_reply => PartOut { r#type: "refusal", refusal: Some(text), ..PartOut::default() },
        Content::Refusal(text) => PartOut { r#type: "input_text", text: Some(text), ..PartOut::default() },
        Content::Image { .. } | Content::Document { .. } if is_reply => {
            return Err("is shown by the model, which the responses API cannot say of it");
        }
        Content::Image { source, detail } => image(source, detail.as_deref())?,
        Content::Document { source, name } => document(source, name.as_deref()),
        Content::Audio { .. } => return Err("is sound, which the responses API does not take"),
        Content::Thinking { .. } | Content::RedactedThinking { .. } | Content::ToolCall(_) | Content::ToolResult(_) => {
            return Err("stands in a turn that cannot hold it");
        }
    })
}

fn image<'a>(source: &'a Source, detail: Option<&'a str>) -> Result<PartOut<'a>, &'static str> {
    let part = PartOut { r#type: "input_image", detail: Some(detail.unwrap_or("auto")), ..PartOut::default() };
    Ok(match source {
        Source::Url(url) => PartOut { image_url: Some(url.into()), ..part },
        Source::Base64 { media_type, data } => PartOut { image_url: Some(data_url(media_type, data).into()), ..part },
        Source::File(id) => PartOut { file_id: Some(id), ..part },
        Source::Text(_) => return Err("is a picture in words"),
    })
}

fn document<'a>(source: &'a Source, name: Option<&'a str>) -> PartOut<'a> {
    let part = PartOut { r#type: "input_file", ..PartOut::default() };
    match source {
        // A name may only stand beside data, and must.
        Source::Base64 { media_type, data } => PartOut {
            file_data: Some(data_url(media_type, data)),
            filename: Some(name.unwrap_or("document.pdf")),
            ..part
        },
        Source::Url(url) => PartOut { file_url: Some(url), ..part },
        Source::File(id) => PartOut { file_id: Some(id), ..part },
        Source::Text(text) => PartOut { r#type: "input_text", text: Some(text), ..part },
    }
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// `id`, cut where it is too long for the API, in calls and results alike.
fn call_id(id: &str) -> Cow<'_, str> {
    if id.len() <= LONGEST_CALL_ID {
        return id.into();
    }
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let head: String = id.chars().filter(char::is_ascii).take(LONGEST_CALL_ID - 17).collect();
    format!("{head}_{:016x}", hasher.finish()).into()
}

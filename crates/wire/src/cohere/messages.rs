//! The turns of a conversation.

use std::borrow::Cow;

use serde::Serialize;

use super::UNKNOWN;
use crate::chat::{self, Chat, Content, Role, Source, ToolCall, ToolResult};
use crate::losses::Losses;

#[derive(Debug, Default, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Contents<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_plan: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Contents<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Debug, Serialize)]
struct ImageUrl<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The turns of `chat`.
pub(super) fn messages<'a>(chat: &'a Chat, losses: &mut Losses) -> Vec<Message<'a>> {
    let mut writer = Writer { messages: Vec::with_capacity(chat.messages.len()), losses };
    for (at, message) in chat.messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        match message.role {
            Role::System | Role::Developer => writer.turn(&path, "system", &message.blocks),
            Role::User => writer.user(&path, &message.blocks),
            Role::Assistant => writer.assistant(&path, &message.blocks),
        }
    }
    writer.messages
}

/// Instructions that stand before all others, in `words`.
pub(super) fn instructions<'a>(words: String) -> Message<'a> {
    Message { role: "system", content: Some(Contents::Text(words.into())), ..Message::default() }
}

struct Writer<'a, 'l> {
    messages: Vec<Message<'a>>,
    losses: &'l mut Losses,
}

impl<'a> Writer<'a, '_> {
    /// What tools returned, each in a turn of its own, and what the user says.
    fn user(&mut self, path: &str, blocks: &'a [chat::Block]) {
        for (at, block) in blocks.iter().enumerate() {
            if let Content::ToolResult(result) = &block.content {
                self.result(&format!("{path}.content[{at}]"), result);
            }
        }
        self.turn(path, "user", blocks);
    }

    fn result(&mut self, path: &str, result: &'a ToolResult) {
        let content = Some(self.contents(path, &result.blocks).unwrap_or(Contents::Text("".into())));
        // Only text is taken from tools.
        let content = content.map(|content| match content {
            Contents::Parts(parts) => Contents::Parts(self.texts(path, parts)),
            text @ Contents::Text(_) => text,
        });
        let tool_call_id = Some(result.call_id.as_str());
        self.messages.push(Message { role: "tool", content, tool_call_id, ..Message::default() });
    }

    fn texts(&mut self, path: &str, mut parts: Vec<Part<'a>>) -> Vec<Part<'a>> {
        let count = parts.len();
        parts.retain(|part| matches!(part, Part::Text { .. }));
        if parts.len() < count {
            self.losses.note(format!("{path}.content"), "has pictures, which Cohere does not take from a tool");
        }
        parts
    }

    fn turn(&mut self, path: &str, role: &'static str, blocks: &'a [chat::Block]) {
        if let Some(content) = self.contents(path, blocks) {
            self.messages.push(Message { role, content: Some(content), ..Message::default() });
        }
    }

    fn assistant(&mut self, path: &str, blocks: &'a [chat::Block]) {
        let calls = blocks.iter().filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(of(call)),
            _ => None,
        });
        let tool_calls: Vec<Call<'a>> = calls.collect();
        let thoughts = blocks.iter().filter_map(|block| match &block.content {
            Content::Thinking { text, .. } => Some(text.as_str()),
            _ => None,
        });
        let thoughts: String = thoughts.collect();
        let tool_plan = Some(thoughts).filter(|plan| !plan.is_empty() && !tool_calls.is_empty());
        let content = self.contents(path, blocks);
        if content.is_some() || !tool_calls.is_empty() {
            self.messages.push(Message { role: "assistant", content, tool_plan, tool_calls, tool_call_id: None });
        }
    }

    /// Text and pictures; a single text by itself.
    fn contents(&mut self, path: &str, blocks: &'a [chat::Block]) -> Option<Contents<'a>> {
        let parts = blocks.iter().enumerate();
        let mut parts: Vec<Part<'a>> =
            parts.filter_map(|(at, block)| self.part(&format!("{path}.content[{at}]"), &block.content)).collect();
        match parts.pop()? {
            Part::Text { text } if parts.is_empty() => Some(Contents::Text(text)),
            part => {
                parts.push(part);
                Some(Contents::Parts(parts))
            }
        }
    }

    fn part(&mut self, path: &str, content: &'a Content) -> Option<Part<'a>> {
        let lost = match content {
            Content::Text(text) | Content::Refusal(text) => {
                return (!text.is_empty()).then(|| Part::Text { text: text.as_str().into() });
            }
            Content::Image { source: Source::Url(url), detail } => {
                let image_url = ImageUrl { url: url.as_str().into(), detail: detail.as_deref() };
                return Some(Part::ImageUrl { image_url });
            }
            Content::Image { source: Source::Base64 { media_type, data }, detail } => {
                let url = format!("data:{media_type};base64,{data}").into();
                return Some(Part::ImageUrl { image_url: ImageUrl { url, detail: detail.as_deref() } });
            }
            Content::Document { source: Source::Text(text), .. } => {
                return Some(Part::Text { text: text.as_str().into() });
            }
            // These have places of their own.
            Content::ToolCall(_) | Content::ToolResult(_) => return None,
            // A thought that is done with is wanted by nobody.
            Content::Thinking { .. } | Content::RedactedThinking { .. } => return None,
            Content::Image { .. } => "is a file uploaded elsewhere",
            Content::Document { .. } => "is a document, of which Cohere takes text only",
            Content::Audio { .. } => UNKNOWN,
        };
        self.losses.note(path.to_owned(), lost);
        None
    }
}

fn of(call: &ToolCall) -> Call<'_> {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
    Call { id: &call.id, r#type: "function", function: Function { name: &call.name, arguments } }
}

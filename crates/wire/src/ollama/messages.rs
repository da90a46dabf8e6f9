//! The turns of a conversation: text, with pictures beside it.

use serde::Serialize;

use super::UNKNOWN;
use crate::chat::{self, Chat, Content, Role, Source, ToolCall, ToolResult};
use crate::json::Json;
use crate::losses::Losses;

#[derive(Debug, Default, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: Json,
}

/// The turns of `chat`.
pub(super) fn messages<'a>(chat: &'a Chat, losses: &mut Losses) -> Vec<Message<'a>> {
    let mut writer = Writer { chat, messages: Vec::with_capacity(chat.messages.len()), losses };
    for (at, message) in chat.messages.iter().enumerate() {
        writer.message(&format!("messages[{at}]"), message);
    }
    writer.messages
}

struct Writer<'a, 'l> {
    chat: &'a Chat,
    messages: Vec<Message<'a>>,
    losses: &'l mut Losses,
}

impl<'a> Writer<'a, '_> {
    fn message(&mut self, path: &str, message: &'a chat::Message) {
        let role = match message.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let mut turn = Message { role, ..Message::default() };
        for (at, block) in message.blocks.iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            if let Content::ToolResult(result) = &block.content {
                self.result(&path, result);
            } else {
                self.block(&path, block, &mut turn);
            }
        }
        if !turn.content.is_empty() || !turn.images.is_empty() || !turn.tool_calls.is_empty() {
            self.messages.push(turn);
        }
    }

    /// What a tool returned is a turn of its own.
    fn result(&mut self, path: &str, result: &'a ToolResult) {
        let tool_name = self.chat.tool_of(&result.call_id);
        let tool_call_id = Some(result.call_id.as_str()).filter(|id| !id.is_empty());
        let mut turn = Message { role: "tool", tool_name, tool_call_id, ..Message::default() };
        for (at, block) in result.blocks.iter().enumerate() {
            self.block(&format!("{path}.content[{at}]"), block, &mut turn);
        }
        self.messages.push(turn);
    }

    fn block(&mut self, path: &str, block: &'a chat::Block, turn: &mut Message<'a>) {
        let lost = match &block.content {
            Content::Text(text) | Content::Refusal(text) => return append(&mut turn.content, text),
            Content::Thinking { text, .. } => return append(&mut turn.thinking, text),
            Content::Image { source: Source::Base64 { data, .. }, .. } => return turn.images.push(data),
            Content::Document { source: Source::Text(text), .. } => return append(&mut turn.content, text),
            Content::ToolCall(call) => return turn.tool_calls.push(self.call(path, call)),
            Content::RedactedThinking { .. } => return,
            Content::Image { source: Source::Url(_), .. } => "is an address, and Ollama fetches nothing",
            Content::Image { .. } => "is a file uploaded elsewhere",
            Content::Document { .. } => "is a document, of which Ollama takes text only",
            Content::Audio { .. } | Content::ToolResult(_) => UNKNOWN,
        };
        self.losses.note(path.to_owned(), lost);
    }

    fn call(&mut self, path: &str, call: &'a ToolCall) -> Call<'a> {
        let arguments = call.arguments.trim();
        let object = Json::parse(arguments).filter(Json::is_object);
        if object.is_none() && !arguments.is_empty() {
            self.losses.note(format!("{path}.function.arguments"), "are no JSON object");
        }
        let arguments = object.unwrap_or_else(Json::empty_object);
        Call { id: &call.id, function: Function { name: &call.name, arguments } }
    }
}

/// Parts of a turn were apart, and stay so.
fn append(to: &mut String, text: &str) {
    if !to.is_empty() && !text.is_empty() {
        to.push('\n');
    }
    to.push_str(text);
}

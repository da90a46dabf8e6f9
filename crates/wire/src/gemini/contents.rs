//! Turns as `contents`, and instructions as `systemInstruction`.

use std::borrow::Cow;

use serde::Serialize;

use super::media::{Blob, FileData, Medium, medium};
use super::model::Model;
use crate::chat::{Block, Chat, Content, Message, Role, Source, ToolCall, ToolResult};
use crate::json::Json;
use crate::losses::Losses;

/// What stands for the signature of a call that Gemini did not make itself, as Google documents it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A turn, or the instructions.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<Part<'a>>,
}

/// A part of one: the field that is set says what it is.
#[derive(Debug, Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<Blob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    args: Json,
}

#[derive(Debug, Serialize)]
struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    response: Json,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'a>>,
}

/// What was said, and what came before all of it.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) instructions: Option<Turn<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
}

/// Writes turns, noting what is lost.
struct Scribe<'a, 'l> {
    chat: &'a Chat,
    model: Model<'a>,
    losses: &'l mut Losses,
}

/// The messages of `chat`. Those of one role in a row are one turn.
pub(super) fn said<'a>(chat: &'a Chat, model: Model<'a>, losses: &mut Losses) -> Said<'a> {
    let mut scribe = Scribe { chat, model, losses };
    let mut instructions = Vec::new();
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for (index, message) in chat.messages.iter().enumerate() {
        let role = match message.role {
            Role::System | Role::Developer => {
                instructions.extend(scribe.parts(index, message));
                continue;
            }
            Role::User => "user",
            Role::Assistant => "model",
        };
        let parts = scribe.parts(index, message);
        match turns.last_mut() {
            Some(last) if last.role == Some(role) => last.parts.extend(parts),
            _ if parts.is_empty() => {}
            _ => turns.push(Turn { role: Some(role), parts }),
        }
    }
    if model.is_third_or_later() {
        turns.iter_mut().for_each(sign);
    }
    if turns.is_empty() && !instructions.is_empty() {
        losses.note("messages", "holds instructions alone, which Gemini refuses: they are sent as the user's");
        return Said { instructions: None, turns: vec![Turn { role: Some("user"), parts: instructions }] };
    }
    let instructions = (!instructions.is_empty()).then_some(Turn { role: None, parts: instructions });
    Said { instructions, turns }
}

/// The first call of a turn must be signed. One that another model made, or whose signature was lost, is so in name only.
fn sign(turn: &mut Turn<'_>) {
    let first = turn.parts.iter_mut().find(|part| part.function_call.is_some());
    if let Some(part) = first {
        part.thought_signature.get_or_insert(NO_SIGNATURE);
    }
}

impl<'a> Scribe<'a, '_> {
    fn parts(&mut self, index: usize, message: &'a Message) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        for (place, block) in message.blocks.iter().enumerate() {
            let path = format!("messages[{index}].content[{place}]");
            match &block.content {
                Content::Text(text) | Content::Refusal(text) => parts.extend(Part::text(text)),
                Content::ToolCall(call) => parts.push(self.call(&path, call)),
                Content::ToolResult(result) => self.result(&path, result, &mut parts),
                // Gemini does not want its thoughts back, and would refuse another's signature.
                Content::Thinking { .. } | Content::RedactedThinking { .. } => {}
                Content::Image { .. } | Content::Document { .. } | Content::Audio { .. } => {
                    parts.extend(medium(&block.content, &path, self.losses).and_then(Part::of));
                }
            }
        }
        parts
    }

    fn call(&mut self, path: &str, call: &'a ToolCall) -> Part<'a> {
        let arguments = call.arguments.trim_ascii();
        let args = match Json::parse(arguments) {
            Some(args) if args.is_object() => args,
            _ if arguments.is_empty() => Json::empty_object(),
            _ => {
                self.losses.note(path.to_owned(), "has arguments that are no JSON object: Gemini gets their text");
                object("arguments", arguments)
            }
        };
        let function_call = FunctionCall { id: &call.id, name: &call.name, args };
        let thought_signature = call.signature.as_deref().filter(|signature| !signature.is_empty());
        Part { function_call: Some(function_call), thought_signature, ..Part::default() }
    }

    /// Newer models take media within the result; for others they follow it.
    fn result(&mut self, path: &str, result: &'a ToolResult, parts: &mut Vec<Part<'a>>) {
        let name = self.chat.tool_of(&result.call_id).unwrap_or_else(|| {
            self.losses.note(path.to_owned(), "is of no call among the messages: Gemini gets the id for a name");
            &result.call_id
        });
        let (mut within, mut after) = (Vec::new(), Vec::new());
        for block in &result.blocks {
            match medium(&block.content, path, self.losses) {
                Some(Medium::Inline(data)) if self.model.is_third_or_later() => {
                    within.extend(Part::of(Medium::Inline(data)))
                }
                Some(Medium::Text(_)) | None => {}
                Some(medium) => after.extend(Part::of(medium)),
            }
        }
        let response = response(result);
        let function_response = FunctionResponse { id: &result.call_id, name, response, parts: within };
        parts.push(Part { function_response: Some(function_response), ..Part::default() });
        parts.append(&mut after);
    }
}

/// A result as the object that Gemini wants.
fn response(result: &ToolResult) -> Json {
    let text: String = result.blocks.iter().filter_map(plain).collect();
    if result.is_error {
        return object("error", &text);
    }
    match Json::parse(&text) {
        Some(json) if json.is_object() => json,
        _ => object("result", &text),
    }
}

fn plain(block: &Block) -> Option<&str> {
    match &block.content {
        Content::Text(text) | Content::Document { source: Source::Text(text), .. } => Some(text),
        _ => None,
    }
}

fn object(name: &str, text: &str) -> Json {
    Json::of(&std::collections::BTreeMap::from([(name, text)]))
}

impl<'a> Part<'a> {
    /// Empty text is refused, and says nothing.
    fn text(text: &'a str) -> Option<Self> {
        (!text.is_empty()).then(|| Self { text: Some(text.into()), ..Self::default() })
    }

    fn of(medium: Medium<'a>) -> Option<Self> {
        match medium {
            Medium::Inline(blob) => Some(Self { inline_data: Some(blob), ..Self::default() }),
            Medium::File(file) => Some(Self { file_data: Some(file), ..Self::default() }),
            Medium::Text(text) => Self::text(text),
        }
    }
}

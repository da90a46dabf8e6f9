//! Instructions and turns as Anthropic wants them: instructions in front, turns in alternation, results first.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use super::model::Model;
use super::part::{CacheJson, Part, SourceJson, id};
use crate::chat::{Block, Chat, Content, Role, Source, ToolResult};
use crate::losses::Losses;

/// How the encrypted thoughts of `OpenAI` begin. Anthropic would refuse the request for them.
const FERNET: &str = "gAAAA";

/// `system` and `messages`.
#[derive(Debug, Default)]
pub(super) struct Turns<'a> {
    pub(super) system: Vec<Part<'a>>,
    pub(super) messages: Vec<Turn<'a>>,
}

/// One of `messages`.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Part<'a>>,
}

/// Where a block stands.
#[derive(Clone, Copy)]
struct Place {
    message: usize,
    block: usize,
}

const USER: &str = "user";
const ASSISTANT: &str = "assistant";

impl<'a> Turns<'a> {
    pub(super) fn of(chat: &'a Chat, model: Model, losses: &mut Losses) -> Self {
        let mut turns = Self::default();
        for (at, message) in chat.messages.iter().enumerate() {
            let mut parts = parts(&message.blocks, message.role, at, losses);
            match message.role {
                Role::User => turns.push(USER, parts),
                Role::Assistant => turns.push(ASSISTANT, parts),
                Role::System | Role::Developer => {
                    if !parts.is_empty() && turns.messages.iter().any(|turn| turn.role == USER) {
                        losses.note(
                            format!("messages[{at}]"),
                            "is moved to the front, where Anthropic takes instructions",
                        );
                    }
                    turns.system.append(&mut parts);
                }
            }
        }
        turns.begin(losses);
        turns.end(model, losses);
        turns
    }

    /// Whether the turn that is to be continued, back to where the user spoke last, has the thought that the API
    /// wants to see again when it is to think on.
    pub(super) fn keeps_thoughts(&self) -> bool {
        let mut begun = self.messages.iter().rev().take_while(|turn| turn.role == ASSISTANT || turn.is_result());
        let mut own = begun.by_ref().filter(|turn| turn.role == ASSISTANT).peekable();
        own.peek().is_none() || own.any(|turn| turn.content.first().is_some_and(Part::is_thought))
    }

    fn push(&mut self, role: &'static str, mut parts: Vec<Part<'a>>) {
        if parts.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(turn) if turn.role == role => turn.content.append(&mut parts),
            _ => self.messages.push(Turn { role, content: parts }),
        }
    }

    /// The first turn has to be the user's.
    fn begin(&mut self, losses: &mut Losses) {
        match self.messages.first() {
            None if !self.system.is_empty() => {
                losses.note("messages", "has instructions only, which are put as the user's: Anthropic wants a turn");
                let content = std::mem::take(&mut self.system);
                self.messages.push(Turn { role: USER, content });
            }
            Some(first) if first.role == ASSISTANT => {
                losses.note("messages", "begins with the assistant; Anthropic gets a user's turn of one dot before it");
                self.messages.insert(0, Turn { role: USER, content: vec![Part::text(".")] });
            }
            _ => {}
        }
        for turn in self.messages.iter_mut().filter(|turn| turn.role == USER) {
            turn.content.sort_by_key(|part| part.kind != "tool_result");
        }
    }

    /// A last turn of the assistant is the beginning of the reply, which must not end in a blank.
    fn end(&mut self, model: Model, losses: &mut Losses) {
        let Some(last) = self.messages.last_mut().filter(|turn| turn.role == ASSISTANT) else { return };
        if last.content.last().is_some_and(|part| part.kind == "tool_use") {
            return;
        }
        if !model.takes_prefill() {
            losses.note("messages", "ends with the assistant, which this model does not go on from: it is asked to");
            self.messages.push(Turn { role: USER, content: vec![Part::text("Continue.")] });
        } else if let Some(text) = last.content.last_mut().and_then(|part| part.text.as_mut()) {
            let end = text.trim_end().len();
            match text {
                Cow::Borrowed(text) => *text = &text[..end],
                Cow::Owned(text) => text.truncate(end),
            }
        }
    }
}

impl Turn<'_> {
    fn is_result(&self) -> bool {
        self.content.first().is_some_and(|part| part.kind == "tool_result")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages[{}].content[{}]", self.message, self.block)
    }
}

fn parts<'a>(blocks: &'a [Block], role: Role, message: usize, losses: &mut Losses) -> Vec<Part<'a>> {
    let blocks = blocks.iter().enumerate();
    blocks.filter_map(|(at, block)| part(block, role, Place { message, block: at }, losses)).collect()
}

/// `block` as it may stand in a turn of `role`; blank texts are refused, and change nothing.
fn part<'a>(block: &'a Block, role: Role, place: Place, losses: &mut Losses) -> Option<Part<'a>> {
    let mut lost = |why: &'static str| {
        losses.note(place.to_string(), why);
        None
    };
    let part = match (&block.content, role) {
        (Content::Text(text) | Content::Refusal(text), _) => {
            if text.trim().is_empty() {
                return None;
            }
            Part::text(text)
        }
        (Content::Image { source, .. }, Role::User) => match image(source) {
            Some(part) => part,
            None => return lost("is a picture given as text, which Anthropic does not take"),
        },
        (Content::Document { source, name }, Role::User) => match document(source, name.as_deref()) {
            Some(part) => part,
            None => return lost("is of a type that Anthropic does not take: PDF and plain text it does"),
        },
        (Content::ToolResult(result), Role::User) => tool_result(result, place, losses),
        (Content::ToolCall(call), Role::Assistant) => Part::tool_use(id(&call.id), call),
        (Content::Thinking { text, signature: Some(signature) }, Role::Assistant) if is_own(signature) => {
            return Some(Part::thinking(text, signature));
        }
        (Content::RedactedThinking { data }, Role::Assistant) if is_own(data) => {
            return Some(Part::redacted_thinking(data));
        }
        (Content::Thinking { .. } | Content::RedactedThinking { .. }, Role::Assistant) => {
            return lost("is a thought without Anthropic's signature");
        }
        (Content::Audio { .. }, _) => return lost("is sound, which Anthropic does not take"),
        _ => return lost("has no place in a turn of this role at Anthropic"),
    };
    Some(Part { cache_control: block.cache.map(CacheJson::of), ..part })
}

fn is_own(signature: &str) -> bool {
    !signature.is_empty() && !signature.starts_with(FERNET)
}

fn tool_result<'a>(result: &'a ToolResult, place: Place, losses: &mut Losses) -> Part<'a> {
    let content = result.blocks.iter().filter_map(|block| part(block, Role::User, place, losses)).collect();
    let tool_use_id = Some(id(&result.call_id));
    Part { kind: "tool_result", tool_use_id, content, is_error: result.is_error, ..Part::default() }
}

fn image(source: &Source) -> Option<Part<'_>> {
    let source = match source {
        Source::Base64 { media_type, data } => base64(media_type, data),
        Source::Url(_) | Source::File(_) => elsewhere(source),
        Source::Text(_) => return None,
    };
    Some(Part { kind: "image", source: Some(source), ..Part::default() })
}

fn document<'a>(source: &'a Source, title: Option<&'a str>) -> Option<Part<'a>> {
    let source = match source {
        Source::Base64 { media_type, data } if media_type == "application/pdf" => base64(media_type, data),
        Source::Base64 { media_type, data } if is_text(media_type) => plain(decoded(data)?),
        Source::Base64 { .. } => return None,
        Source::Text(text) => plain(text),
        Source::Url(_) | Source::File(_) => elsewhere(source),
    };
    Some(Part { kind: "document", source: Some(source), title, ..Part::default() })
}

fn base64<'a>(media_type: &'a str, data: &'a str) -> SourceJson<'a> {
    // Written this way often enough, and refused.
    let media_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
    SourceJson { kind: "base64", media_type: Some(media_type), data: Some(data.into()), ..SourceJson::default() }
}

fn elsewhere(source: &Source) -> SourceJson<'_> {
    match source {
        Source::File(id) => SourceJson { kind: "file", file_id: Some(id), ..SourceJson::default() },
        Source::Url(url) => SourceJson { kind: "url", url: Some(url), ..SourceJson::default() },
        Source::Base64 { .. } | Source::Text(_) => SourceJson::default(),
    }
}

fn plain<'a>(text: impl Into<Cow<'a, str>>) -> SourceJson<'a> {
    SourceJson { kind: "text", media_type: Some("text/plain"), data: Some(text.into()), ..SourceJson::default() }
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml")
}

fn decoded(data: &str) -> Option<String> {
    String::from_utf8(aws_smithy_types::base64::decode(data).ok()?).ok()
}

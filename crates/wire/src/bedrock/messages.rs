//! The turns of a conversation, as Converse wants them: user and assistant in alternation, a user's first.

use std::borrow::Cow;

use aws_smithy_types::base64;
use serde::Serialize;

use super::family::Family;
use super::media::{self, Media, Names};
use crate::chat::{self, Cache, Chat, Content, Role, ToolCall, ToolResult};
use crate::json::Json;
use crate::losses::Losses;

/// Says nothing where something has to be said.
const NOTHING: &str = ".";
const LONGEST_ID: usize = 64;

#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Block<'a> {
    Text(Cow<'a, str>),
    Image(Media<'a>),
    Document(Media<'a>),
    Audio(Media<'a>),
    ToolUse {
        tool_use_id: Cow<'a, str>,
        name: &'a str,
        input: Json,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Self>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
    },
    ReasoningContent(Thought<'a>),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Thought<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(String),
}

#[derive(Debug, Serialize)]
pub(super) struct CachePoint {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl CachePoint {
    /// The mark for `cache`, when `family` takes marks.
    pub(super) fn of(cache: Option<Cache>, family: Family) -> Option<Self> {
        let cache = cache.filter(|_| family.caches())?;
        let ttl = (cache == Cache::Hour && family.caches_for_an_hour()).then_some("1h");
        Some(Self { r#type: "default", ttl })
    }
}

/// What a conversation becomes.
pub(super) struct Turns<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Turn<'a>>,
}

/// The turns of `chat` for a model of `family`.
pub(super) fn turns<'a>(chat: &'a Chat, family: Family, losses: &mut Losses) -> Turns<'a> {
    let turns = Turns { system: Vec::new(), messages: Vec::new() };
    let mut writer = Writer { family, turns, names: Names::default(), losses };
    for (at, message) in chat.messages.iter().enumerate() {
        writer.message(&format!("messages[{at}]"), message);
    }
    writer.finish()
}

/// The id that stands for `id`: letters, digits, `_` and `-`, and at most 64 of them. Different ids stay different.
pub(super) fn tool_use_id(id: &str) -> Cow<'_, str> {
    let is_good = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    if !id.is_empty() && id.len() <= LONGEST_ID && id.chars().all(is_good) {
        return Cow::Borrowed(id);
    }
    let mut written: String = id.chars().map(|char| if is_good(char) { char } else { '_' }).collect();
    if written.is_empty() {
        written.push('_');
    }
    if written.len() > LONGEST_ID {
        // FNV-1a: any hash that stays the same would do.
        let hash = id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        written.truncate(LONGEST_ID - 17);
        written.push_str(&format!("_{hash:016x}"));
    }
    Cow::Owned(written)
}

struct Writer<'a, 'l> {
    family: Family,
    turns: Turns<'a>,
    names: Names,
    losses: &'l mut Losses,
}

impl<'a> Writer<'a, '_> {
    fn message(&mut self, path: &str, message: &'a chat::Message) {
        match message.role {
            Role::System | Role::Developer => {
                if !self.turns.messages.is_empty() {
                    self.losses.note(path.to_owned(), "was moved to the instructions that come first");
                }
                self.instructions(path, &message.blocks);
            }
            Role::User => self.blocks(path, "user", &message.blocks),
            Role::Assistant => self.blocks(path, "assistant", &message.blocks),
        }
    }

    fn instructions(&mut self, path: &str, blocks: &'a [chat::Block]) {
        for (at, block) in blocks.iter().enumerate() {
            match &block.content {
                Content::Text(text) if text.trim().is_empty() => {}
                Content::Text(text) => {
                    self.turns.system.push(Block::Text(text.into()));
                    self.turns.system.extend(CachePoint::of(block.cache, self.family).map(Block::CachePoint));
                }
                _ => {
                    self.losses.note(format!("{path}.content[{at}]"), "is no text, as Bedrock wants instructions to be")
                }
            }
        }
    }

    fn blocks(&mut self, path: &str, role: &'static str, blocks: &'a [chat::Block]) {
        for (at, block) in blocks.iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            let Some(written) = self.block(&path, role, block) else { continue };
            self.push(role, written);
            if let Some(mark) = CachePoint::of(block.cache, self.family) {
                self.push(role, Block::CachePoint(mark));
            }
        }
    }

    /// Adds to the last turn, when it is of the same role.
    fn push(&mut self, role: &'static str, block: Block<'a>) {
        match self.turns.messages.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.content.push(block),
            None => self.turns.messages.push(Turn { role, content: vec![block] }),
        }
    }

    fn block(&mut self, path: &str, role: &'static str, block: &'a chat::Block) -> Option<Block<'a>> {
        let is_media =
            matches!(&block.content, Content::Image { .. } | Content::Document { .. } | Content::Audio { .. });
        if is_media && role == "assistant" {
            self.losses.note(path.to_owned(), "stands in an assistant's turn, where Bedrock takes text only");
            return None;
        }
        match &block.content {
            // What is blank is refused.
            Content::Text(text) | Content::Refusal(text) => {
                (!text.trim().is_empty()).then(|| Block::Text(text.as_str().into()))
            }
            Content::Image { source, .. } => media::image(path, source, self.losses).map(Block::Image),
            Content::Document { source, name } => {
                let name = name.as_deref();
                media::document(path, source, name, &mut self.names, self.losses).map(Block::Document)
            }
            Content::Audio { data, format } => media::audio(path, data, format, self.losses).map(Block::Audio),
            Content::ToolCall(call) => Some(self.call(path, call)),
            Content::ToolResult(result) => Some(self.result(path, result)),
            Content::Thinking { text, signature } => self.thought(text, signature.as_deref()),
            Content::RedactedThinking { data } => {
                let data = || Block::ReasoningContent(Thought::RedactedContent(base64::encode(data)));
                self.family.is_claude().then(data)
            }
        }
    }

    /// Claude wants its thoughts back, with its signature; others refuse them.
    fn thought(&self, text: &'a str, signature: Option<&'a str>) -> Option<Block<'a>> {
        let signature = signature.filter(|signature| self.family.is_claude() && !signature.is_empty())?;
        Some(Block::ReasoningContent(Thought::ReasoningText { text, signature }))
    }

    fn call(&mut self, path: &str, call: &'a ToolCall) -> Block<'a> {
        let arguments = call.arguments.trim();
        let input = Json::parse(arguments).filter(Json::is_object);
        if input.is_none() && !arguments.is_empty() {
            self.losses.note(format!("{path}.function.arguments"), "are no JSON object");
        }
        let input = input.unwrap_or_else(Json::empty_object);
        Block::ToolUse { tool_use_id: tool_use_id(&call.id), name: &call.name, input }
    }

    fn result(&mut self, path: &str, result: &'a ToolResult) -> Block<'a> {
        let blocks = result.blocks.iter().enumerate();
        let mut content: Vec<Block<'a>> =
            blocks.filter_map(|(at, block)| self.result_block(&format!("{path}.content[{at}]"), block)).collect();
        if content.is_empty() {
            content.push(Block::Text(NOTHING.into()));
        }
        // Others do not know it.
        let is_told = result.is_error && (self.family.is_claude() || self.family.is_nova());
        let status = is_told.then_some("error");
        Block::ToolResult { tool_use_id: tool_use_id(&result.call_id), content, status }
    }

    fn result_block(&mut self, path: &str, block: &'a chat::Block) -> Option<Block<'a>> {
        match &block.content {
            Content::Text(_) | Content::Image { .. } | Content::Document { .. } => self.block(path, "user", block),
            _ => {
                self.losses.note(path.to_owned(), "is nothing that Bedrock takes from a tool");
                None
            }
        }
    }

    fn finish(mut self) -> Turns<'a> {
        if self.turns.messages.first().is_none_or(|turn| turn.role != "user") {
            let why = "begin with no turn of a user, as Bedrock wants: one that says \".\" was put first";
            self.losses.note("messages", why);
            self.turns.messages.insert(0, Turn { role: "user", content: vec![Block::Text(NOTHING.into())] });
        }
        for turn in self.turns.messages.iter_mut().filter(|turn| turn.role == "user") {
            results_first(&mut turn.content);
            let has = |is: fn(&Block<'_>) -> bool| turn.content.iter().any(is);
            // A document alone is refused.
            if has(|block| matches!(block, Block::Document(_))) && !has(|block| matches!(block, Block::Text(_))) {
                turn.content.push(Block::Text(NOTHING.into()));
            }
        }
        self.prefill();
        self.turns
    }

    /// The beginning of the reply, when it is given.
    fn prefill(&mut self) {
        let Some(Turn { role: "assistant", content }) = self.turns.messages.last_mut() else { return };
        if !self.family.takes_prefill() && !matches!(content.last(), Some(Block::ToolUse { .. })) {
            let why = "end with the assistant, which this model does not go on from: it is asked to";
            self.losses.note("messages", why);
            self.push("user", Block::Text("Continue.".into()));
        } else if let Some(Block::Text(text)) = content.last_mut() {
            // Claude refuses to go on behind a space.
            let trimmed = text.trim_end().len();
            text.to_mut().truncate(trimmed);
        }
    }
}

/// What tools returned has to follow their calls at once, before anything that the user says. Marks stay behind what they
/// mark.
fn results_first(content: &mut Vec<Block<'_>>) {
    let is_result = |block: &Block<'_>| matches!(block, Block::ToolResult { .. });
    if !content.iter().any(is_result) {
        return;
    }
    let mut others = Vec::new();
    let mut results = Vec::new();
    let mut is_behind_result = false;
    for block in content.drain(..) {
        is_behind_result = is_result(&block) || (is_behind_result && matches!(block, Block::CachePoint(_)));
        if is_behind_result { results.push(block) } else { others.push(block) }
    }
    results.append(&mut others);
    *content = results;
}

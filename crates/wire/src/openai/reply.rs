//! Whole replies.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::calls::{CallJson, ThoughtJson};
use super::{content, parts};
use crate::chat::{Block, Content, text_of};
use crate::failure::in_band;
use crate::format::Labels;
use crate::json::Json;
use crate::reply::{Choice, Finish, FinishReason, Reply};
use crate::usage::UsageJson;

#[derive(Deserialize)]
struct ReplyJson<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(borrow, default)]
    choices: Option<Vec<ChoiceJson<'a>>>,
    #[serde(default)]
    usage: Option<UsageJson>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ChoiceJson<'a> {
    #[serde(borrow, default)]
    message: Option<MessageJson<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    logprobs: Option<Json>,
}

#[derive(Deserialize)]
struct MessageJson<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "reasoning")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking_blocks: Option<Vec<ThoughtJson<'a>>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallJson<'a>>>,
}

/// Reads a reply of status 200.
///
/// # Errors
/// `BrokenReply` when it is not one; what the provider means when it holds an error in place of an answer.
pub fn read_reply(body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    let json: ReplyJson<'_> = serde_json::from_slice(body)
        .map_err(|_| Failure::new(FailureKind::BrokenReply, "the provider's reply is no chat completion"))?;
    if let (Some(error), None) = (json.error.filter(|error| error.get() != "null"), &json.choices) {
        let error = format!("{{\"error\":{}}}", error.get());
        return Err(in_band(&error, Bytes::from(error.clone())));
    }
    let choices = json.choices.unwrap_or_default();
    let mut calls = 0;
    Ok(Reply {
        id: json.id,
        model: json.model,
        choices: choices.into_iter().map(|choice| read_choice(choice, labels, &mut calls)).collect(),
        usage: json.usage.and_then(|usage| usage.usage()),
    })
}

fn read_choice(json: ChoiceJson<'_>, labels: &Labels, calls: &mut usize) -> Choice {
    let mut blocks = json.message.map_or_else(Vec::new, |message| read_blocks(message, labels, calls));
    blocks.retain(|block| !matches!(&block.content, Content::Text(text) if text.is_empty()));
    let has_calls = blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    let mut finish = finish(json.finish_reason.as_deref().unwrap_or("stop"));
    if has_calls && finish.reason == FinishReason::Stop {
        finish.reason = FinishReason::ToolCalls;
    }
    Choice { blocks, finish, logprobs: json.logprobs.filter(Json::is_object) }
}

fn read_blocks(message: MessageJson<'_>, labels: &Labels, calls: &mut usize) -> Vec<Block> {
    let mut blocks: Vec<Block> = match (message.thinking_blocks, message.reasoning_content) {
        (Some(thoughts), _) => thoughts.into_iter().map(|thought| Block::new(thought.content())).collect(),
        (None, Some(text)) if !text.is_empty() => {
            vec![Block::new(Content::Thinking { text: text.into_owned(), signature: None })]
        }
        _ => Vec::new(),
    };
    if let Some(raw) = message.content {
        blocks.extend(content::read(raw.get(), "content").unwrap_or_default());
    }
    let refusal = message.refusal.filter(|text| !text.is_empty());
    blocks.extend(refusal.map(|text| Block::new(Content::Refusal(text.into_owned()))));
    for call in message.tool_calls.unwrap_or_default() {
        let call = call.call(|| labels.call_id(*calls));
        *calls += 1;
        blocks.push(Block::new(Content::ToolCall(call)));
    }
    blocks
}

/// What a `finish_reason` means.
pub(super) fn finish(word: &str) -> Finish {
    Finish::of(match word {
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    })
}

/// The `finish_reason` for `reason`.
pub(super) const fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    }
}

#[derive(Serialize)]
struct ReplyOut<'a> {
    id: Cow<'a, str>,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<ChoiceOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageOut>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: usize,
    message: MessageOut<'a>,
    logprobs: Option<&'a Json>,
    finish_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thinking_blocks: Vec<ThoughtJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Json>,
}

/// `usage` as the format has it.
#[derive(Serialize)]
pub(super) struct UsageOut {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u64,
    prompt_tokens_details: PromptOut,
    completion_tokens_details: CompletionOut,
    /// Anthropic's and Bedrock's, as `LiteLLM` passes it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u32>,
}

#[derive(Serialize)]
struct PromptOut {
    cached_tokens: u32,
}

#[derive(Serialize)]
struct CompletionOut {
    reasoning_tokens: u32,
}

impl From<&Usage> for UsageOut {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.total_tokens(),
            prompt_tokens_details: PromptOut { cached_tokens: usage.cache_read_tokens },
            completion_tokens_details: CompletionOut { reasoning_tokens: usage.reasoning_tokens },
            cache_creation_input_tokens: (usage.cache_write_tokens > 0).then_some(usage.cache_write_tokens),
        }
    }
}

/// Writes `reply` as a chat completion.
pub fn write_reply(reply: &Reply, labels: &Labels) -> Bytes {
    let json = ReplyOut {
        id: id(reply.id.as_deref(), labels),
        object: "chat.completion",
        created: labels.created,
        model: reply.model.as_deref().unwrap_or(&labels.model),
        choices: reply.choices.iter().enumerate().map(|(index, choice)| write_choice(index, choice)).collect(),
        usage: reply.usage.as_ref().map(UsageOut::from),
    };
    serde_json::to_vec(&json).unwrap_or_default().into()
}

/// The id of a reply: the provider's where it has one.
pub(super) fn id<'a>(own: Option<&'a str>, labels: &Labels) -> Cow<'a, str> {
    own.map_or_else(|| format!("chatcmpl-{}", labels.request_id).into(), Cow::Borrowed)
}

fn write_choice(index: usize, choice: &Choice) -> ChoiceOut<'_> {
    let blocks = &choice.blocks;
    let gathered = |pick: fn(&Content) -> Option<&str>| {
        let texts: Vec<&str> = blocks.iter().filter_map(|block| pick(&block.content)).collect();
        (!texts.is_empty()).then(|| texts.concat())
    };
    let is_text = |block: &Block| matches!(block.content, Content::Text(_));
    let tool_calls: Vec<CallJson<'_>> = blocks
        .iter()
        .filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(CallJson::of(call)),
            _ => None,
        })
        .collect();
    let refusal = gathered(|content| if let Content::Refusal(text) = content { Some(text) } else { None });
    let has_content = blocks.iter().any(is_text) || (tool_calls.is_empty() && refusal.is_none());
    let is_picture = |block: &&Block| matches!(block.content, Content::Image { .. });
    ChoiceOut {
        index,
        message: MessageOut {
            role: "assistant",
            content: has_content.then(|| text_of(blocks)),
            refusal,
            reasoning_content: gathered(|content| match content {
                Content::Thinking { text, .. } => Some(text),
                _ => None,
            }),
            thinking_blocks: blocks.iter().filter_map(|block| signed(&block.content)).collect(),
            tool_calls,
            // As OpenRouter has them.
            images: blocks.iter().filter(is_picture).map(|block| parts::part_json(&block.content)).collect(),
        },
        logprobs: choice.logprobs.as_ref(),
        finish_reason: word(choice.finish.reason),
        native_finish_reason: choice.finish.native.as_deref(),
    }
}

/// A thought that its provider wants back as it was.
fn signed(content: &Content) -> Option<ThoughtJson<'_>> {
    match content {
        Content::Thinking { signature: None, .. } => None,
        content => ThoughtJson::of(content),
    }
}

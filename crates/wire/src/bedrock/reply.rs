//! Whole replies.

use std::borrow::Cow;

use aws_smithy_types::base64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::REPLY_TOOL;
use crate::chat::{Block, Content, ToolCall};
use crate::failure::in_band;
use crate::format::Labels;
use crate::json::Json;
use crate::reply::{Choice, Finish, FinishReason, Reply};
use crate::usage::Count;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplyJson<'a> {
    #[serde(borrow, default)]
    output: Option<OutputJson<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<UsageJson>,
    #[serde(borrow, default)]
    additional_model_response_fields: Option<ModelFieldsJson<'a>>,
    /// Of an error in place of a reply.
    #[serde(borrow, default, alias = "Message")]
    message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct OutputJson<'a> {
    #[serde(borrow, default)]
    message: Option<MessageJson<'a>>,
}

#[derive(Deserialize)]
struct MessageJson<'a> {
    #[serde(borrow, default)]
    content: Option<Vec<BlockJson<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockJson<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_use: Option<ToolUseJson<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<ReasoningJson<'a>>,
    #[serde(borrow, default)]
    citations_content: Option<MessageJson<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUseJson<'a> {
    #[serde(borrow, default)]
    tool_use_id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(default)]
    input: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningJson<'a> {
    #[serde(borrow, default)]
    reasoning_text: Option<ReasoningTextJson<'a>>,
    #[serde(borrow, default)]
    redacted_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ReasoningTextJson<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
}

/// What a model says besides, when it is asked for with `additionalModelResponseFieldPaths`.
#[derive(Deserialize)]
pub(super) struct ModelFieldsJson<'a> {
    #[serde(borrow, default)]
    stop_sequence: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageJson {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_write_input_tokens: Count,
}

impl UsageJson {
    /// Bedrock counts what comes from the cache or goes there apart.
    pub(super) fn usage(&self) -> Usage {
        let cached = self.cache_read_input_tokens.0.saturating_add(self.cache_write_input_tokens.0);
        Usage {
            prompt_tokens: self.input_tokens.0.saturating_add(cached),
            completion_tokens: self.output_tokens.0,
            cache_read_tokens: self.cache_read_input_tokens.0,
            cache_write_tokens: self.cache_write_input_tokens.0,
            reasoning_tokens: 0,
        }
    }
}

/// Reads a reply of status 200.
///
/// # Errors
/// `BrokenReply` when it is not one; what the provider means when it holds an error in place of an answer.
pub fn read_reply(body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    let broken = || Failure::new(FailureKind::BrokenReply, "the provider's reply is none of Converse");
    let json: ReplyJson<'_> = serde_json::from_slice(body).map_err(|_| broken())?;
    let Some(message) = json.output.and_then(|output| output.message) else {
        let error = json.message.map(|message| Json::of(&ErrorJson { message }));
        return Err(error.map_or_else(broken, |error| in_band(error.as_str(), Bytes::copy_from_slice(body))));
    };
    let mut blocks = Vec::new();
    let mut is_by_tool = false;
    for block in message.content.unwrap_or_default() {
        is_by_tool |= block.tool_use.as_ref().is_some_and(|call| call.name == REPLY_TOOL);
        read_block(block, labels, &mut blocks);
    }
    let has_calls = blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    let stop_sequence = json.additional_model_response_fields;
    let finish = finish(json.stop_reason.as_deref(), stop_sequence, has_calls, is_by_tool);
    let choices = vec![Choice { blocks, finish, logprobs: None }];
    Ok(Reply { id: None, model: None, choices, usage: json.usage.map(|usage| usage.usage()) })
}

/// Why a reply ended. A tool that only stands for the reply is none that is called.
pub(super) fn finish(
    word: Option<&str>,
    fields: Option<ModelFieldsJson<'_>>,
    has_calls: bool,
    is_by_tool: bool,
) -> Finish {
    let word = word.unwrap_or("end_turn");
    let reason = match word {
        "tool_use" if is_by_tool && !has_calls => FinishReason::Stop,
        "tool_use" => FinishReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
        _ if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    };
    let stop_sequence = fields.and_then(|fields| fields.stop_sequence).map(Cow::into_owned);
    Finish { reason, native: Some(word.to_owned()), stop_sequence }
}

/// Claude's redacted thoughts are text in Anthropic's format, and here the same text as bytes in base64.
pub(super) fn redacted(data: Cow<'_, str>) -> String {
    let inner = base64::decode(data.as_ref()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    inner.filter(|inner| inner.bytes().all(|byte| byte.is_ascii_graphic())).unwrap_or_else(|| data.into_owned())
}

fn read_block(json: BlockJson<'_>, labels: &Labels, blocks: &mut Vec<Block>) {
    if let Some(reasoning) = json.reasoning_content {
        if let Some(ReasoningTextJson { text, signature }) = reasoning.reasoning_text {
            let text = text.unwrap_or_default().into_owned();
            blocks.push(Block::new(Content::Thinking { text, signature: signature.map(Cow::into_owned) }));
        }
        let data = reasoning.redacted_content.map(redacted);
        blocks.extend(data.map(|data| Block::new(Content::RedactedThinking { data })));
    }
    blocks.extend(json.text.filter(|text| !text.is_empty()).map(Block::text));
    for block in json.citations_content.and_then(|cited| cited.content).unwrap_or_default() {
        blocks.extend(block.text.filter(|text| !text.is_empty()).map(Block::text));
    }
    if let Some(call) = json.tool_use {
        let arguments = call.input.map_or_else(|| "{}".to_owned(), |input| input.as_str().to_owned());
        if call.name == REPLY_TOOL {
            blocks.push(Block::text(arguments));
            return;
        }
        let calls = blocks.iter().filter(|block| matches!(block.content, Content::ToolCall(_))).count();
        let id = if call.tool_use_id.is_empty() { labels.call_id(calls) } else { call.tool_use_id.into_owned() };
        let call = ToolCall { id, name: call.name.into_owned(), arguments, signature: None };
        blocks.push(Block::new(Content::ToolCall(call)));
    }
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    message: Cow<'a, str>,
}

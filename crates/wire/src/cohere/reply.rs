//! Whole replies.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use crate::chat::{Block, Content, ToolCall};
use crate::failure::in_band;
use crate::format::Labels;
use crate::json::Json;
use crate::reply::{Choice, Finish, FinishReason, Reply};
use crate::usage::Count;

#[derive(Deserialize, Default)]
#[serde(default)]
struct ReplyJson<'a> {
    id: Option<String>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    usage: Option<UsageJson>,
    #[serde(borrow)]
    logprobs: Option<Vec<LogprobJson<'a>>>,
}

/// An answer is an object, and the words of an error are a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message<'a> {
    #[serde(borrow)]
    Error(Cow<'a, str>),
    Answer(MessageJson),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MessageJson {
    content: Option<Vec<PartJson>>,
    tool_plan: Option<String>,
    tool_calls: Option<Vec<CallJson>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PartJson {
    text: Option<String>,
    thinking: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CallJson {
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionJson>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct FunctionJson {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct UsageJson {
    tokens: Option<TokensJson>,
    billed_units: Option<TokensJson>,
    cached_tokens: Count,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct TokensJson {
    input_tokens: Count,
    output_tokens: Count,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct LogprobJson<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    logprobs: Option<Vec<f64>>,
}

impl UsageJson {
    /// What was used; where that is not said, what is billed, which leaves out Cohere's own instructions.
    pub(super) fn usage(&self) -> Option<Usage> {
        let tokens = self.tokens.or(self.billed_units)?;
        Some(Usage {
            prompt_tokens: tokens.input_tokens.0,
            completion_tokens: tokens.output_tokens.0,
            cache_read_tokens: self.cached_tokens.0.min(tokens.input_tokens.0),
            ..Usage::default()
        })
    }
}

/// Reads a reply of status 200.
///
/// # Errors
/// `BrokenReply` when it is not one; what the provider means when it holds an error in place of an answer.
pub fn read_reply(body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    let broken = || Failure::new(FailureKind::BrokenReply, "the provider's reply is none of Cohere's chat");
    let json: ReplyJson<'_> = serde_json::from_slice(body).map_err(|_| broken())?;
    let message = match json.message {
        Some(Message::Answer(message)) => message,
        Some(Message::Error(message)) => return Err(failure(&message, Bytes::copy_from_slice(body))),
        None => return Err(broken()),
    };
    let word = json.finish_reason.as_deref().unwrap_or("COMPLETE");
    if let Some(failure) = unfinished(word, None) {
        return Err(failure);
    }
    let blocks = blocks(message, labels);
    let has_calls = blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    let logprobs = json.logprobs.filter(|logprobs| !logprobs.is_empty()).map(|logprobs| openai_logprobs(&logprobs));
    let choices = vec![Choice { finish: finish(word, has_calls), blocks, logprobs }];
    Ok(Reply { id: json.id, model: None, choices, usage: json.usage.and_then(|usage| usage.usage()) })
}

/// Why a reply ended.
pub(super) fn finish(word: &str, has_calls: bool) -> Finish {
    let reason = match word {
        "MAX_TOKENS" => FinishReason::Length,
        "TOOL_CALL" => FinishReason::ToolCalls,
        "ERROR_TOXIC" => FinishReason::ContentFilter,
        _ if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    };
    Finish { reason, native: Some(word.to_owned()), stop_sequence: None }
}

/// The failure that `word` is, when a reply did not end but was given up.
pub(super) fn unfinished(word: &str, error: Option<&str>) -> Option<Failure> {
    let kind = match word {
        "ERROR" => FailureKind::ServerError,
        "TIMEOUT" => FailureKind::Timeout,
        _ => return None,
    };
    match error.filter(|error| !error.is_empty()) {
        Some(error) if kind == FailureKind::ServerError => Some(failure(error, Bytes::new())),
        _ => Some(Failure::new(kind, "the provider gave the reply up")),
    }
}

/// The failure that `message` tells of.
pub(super) fn failure(message: &str, body: Bytes) -> Failure {
    let error = Json::of(&ErrorJson { message });
    let body = if body.is_empty() { Bytes::from(error.as_str().to_owned()) } else { body };
    in_band(error.as_str(), body)
}

/// Cohere tells of pieces of text, of which each may be several tokens: their probability is that of all of them.
pub(super) fn openai_logprobs(items: &[LogprobJson<'_>]) -> Json {
    let content = items.iter().map(|item| {
        let token = item.text.as_deref().unwrap_or_default();
        let logprob = item.logprobs.iter().flatten().sum();
        TokenOut { token, logprob, bytes: token.as_bytes(), top_logprobs: [] }
    });
    Json::of(&LogprobsOut { content: content.collect() })
}

fn blocks(message: MessageJson, labels: &Labels) -> Vec<Block> {
    let mut blocks = Vec::new();
    let thinking = |text| Block::new(Content::Thinking { text, signature: None });
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    blocks.extend(full(message.tool_plan).map(thinking));
    for part in message.content.unwrap_or_default() {
        blocks.extend(full(part.thinking).map(thinking));
        blocks.extend(full(part.text).map(Block::text));
    }
    for (at, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let function = call.function.unwrap_or_default();
        let id = full(call.id).unwrap_or_else(|| labels.call_id(at));
        let arguments = full(function.arguments).unwrap_or_else(|| "{}".to_owned());
        let call = ToolCall { id, name: function.name.unwrap_or_default(), arguments, signature: None };
        blocks.push(Block::new(Content::ToolCall(call)));
    }
    blocks
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct LogprobsOut<'a> {
    content: Vec<TokenOut<'a>>,
}

#[derive(Serialize)]
struct TokenOut<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
    top_logprobs: [(); 0],
}

//! Whole replies, and lines of streams, which are of one shape.

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
pub(super) struct ReplyJson {
    pub(super) model: Option<String>,
    pub(super) message: Option<MessageJson>,
    pub(super) done: Option<bool>,
    pub(super) done_reason: Option<String>,
    pub(super) logprobs: Option<Json>,
    prompt_eval_count: Count,
    eval_count: Count,
    pub(super) error: Option<Json>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct MessageJson {
    pub(super) content: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) tool_calls: Option<Vec<CallJson>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CallJson {
    id: Option<String>,
    function: Option<FunctionJson>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FunctionJson {
    name: Option<String>,
    arguments: Option<Json>,
}

impl ReplyJson {
    /// What was used, when that is told.
    pub(super) fn usage(&self) -> Option<Usage> {
        let usage =
            Usage { prompt_tokens: self.prompt_eval_count.0, completion_tokens: self.eval_count.0, ..Usage::default() };
        (usage != Usage::default()).then_some(usage)
    }

    /// Log probabilities as `OpenAI` has them, in a field of their own.
    pub(super) fn openai_logprobs(&self) -> Option<Json> {
        let content = self.logprobs.as_ref().filter(|logprobs| !matches!(logprobs.as_str(), "null" | "[]"))?;
        Some(Json::of(&LogprobsOut { content }))
    }

    /// The failure that is told in place of a reply.
    pub(super) fn failure(&self) -> Option<Failure> {
        let error = self.error.as_ref().filter(|error| error.as_str() != "null")?;
        let error = Json::of(&ErrorOut { error });
        Some(in_band(error.as_str(), Bytes::from(error.as_str().to_owned())))
    }
}

impl CallJson {
    /// The call, the `at`th of a reply. Older servers give no ids.
    pub(super) fn call(self, at: usize, labels: &Labels) -> ToolCall {
        let function = self.function.unwrap_or_default();
        let arguments = function.arguments.filter(Json::is_object).unwrap_or_else(Json::empty_object);
        ToolCall {
            id: self.id.filter(|id| !id.is_empty()).unwrap_or_else(|| labels.call_id(at)),
            name: function.name.unwrap_or_default(),
            arguments: arguments.as_str().to_owned(),
            signature: None,
        }
    }
}

/// Reads a reply of status 200.
///
/// # Errors
/// `BrokenReply` when it is not one; what the provider means when it holds an error in place of an answer.
pub fn read_reply(body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    let broken = || Failure::new(FailureKind::BrokenReply, "the provider's reply is none of Ollama's chat");
    let json: ReplyJson = serde_json::from_slice(body).map_err(|_| broken())?;
    if let Some(failure) = json.failure() {
        return Err(failure);
    }
    let (usage, logprobs) = (json.usage(), json.openai_logprobs());
    let message = json.message.ok_or_else(broken)?;
    let mut blocks = Vec::new();
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    let thinking = full(message.thinking).map(|text| Content::Thinking { text, signature: None });
    blocks.extend(thinking.map(Block::new));
    blocks.extend(full(message.content).map(Block::text));
    let calls = message.tool_calls.unwrap_or_default().into_iter().enumerate();
    let has_calls = calls.len() > 0;
    blocks.extend(calls.map(|(at, call)| Block::new(Content::ToolCall(call.call(at, labels)))));
    let choices = vec![Choice { blocks, finish: finish(json.done_reason, has_calls), logprobs }];
    Ok(Reply { id: None, model: json.model, choices, usage })
}

/// Why a reply ended.
pub(super) fn finish(word: Option<String>, has_calls: bool) -> Finish {
    let reason = match word.as_deref() {
        Some("length") => FinishReason::Length,
        _ if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    };
    Finish { reason, native: word, stop_sequence: None }
}

#[derive(Serialize)]
struct LogprobsOut<'a> {
    content: &'a Json,
}

#[derive(Serialize)]
struct ErrorOut<'a> {
    error: &'a Json,
}

//! A provider's response, whole.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::item::ItemJson;
use super::object::logprobs_of;
use super::parts::PartJson;
use crate::chat::{Block, Content};
use crate::failure::in_band;
use crate::format::Labels;
use crate::reply::{Choice, Finish, FinishReason, Reply};
use crate::usage::UsageJson;

/// A response object.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ResponseJson<'a> {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) status: Option<String>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    incomplete_details: Option<IncompleteJson>,
    #[serde(borrow)]
    pub(super) output: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct IncompleteJson {
    #[serde(default)]
    reason: Option<String>,
}

/// What an item of an output says.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) blocks: Vec<Block>,
    /// Lists of log probabilities.
    pub(super) logprobs: Vec<&'a RawValue>,
}

/// What the model said, by a response of status 200.
///
/// # Errors
/// What the provider means when it holds an error; `BrokenReply` when it is no finished response.
pub fn read_reply(body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    let broken = |problem: &str| Failure::new(FailureKind::BrokenReply, problem);
    let response: ResponseJson<'_> =
        serde_json::from_slice(body).map_err(|_| broken("the provider's reply is not a response"))?;
    if response.error.is_some() || response.status.as_deref() == Some("failed") {
        return Err(response.failure(body));
    }
    if let Some(status @ ("queued" | "in_progress" | "cancelled")) = response.status.as_deref() {
        return Err(broken(&format!("the provider's response is {status}, not completed")));
    }
    let Some(output) = &response.output else { return Err(broken("the provider's response has no output")) };
    let mut said = Said::default();
    for raw in output {
        said.extend(raw);
    }
    let Said { mut blocks, logprobs } = said;
    name_calls(&mut blocks, labels);
    let has_calls = blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    let choice = Choice { blocks, finish: response.finish(has_calls), logprobs: logprobs_of(&logprobs) };
    let usage = response.usage();
    Ok(Reply { id: response.id, model: response.model, choices: vec![choice], usage })
}

impl ResponseJson<'_> {
    /// Why it failed, `body` being the JSON that said so.
    pub(super) fn failure(&self, body: &[u8]) -> Failure {
        match self.error {
            Some(error) => in_band(&format!("{{\"error\":{}}}", error.get()), Bytes::copy_from_slice(body)),
            None => Failure::new(FailureKind::ServerError, "the provider failed to make a response"),
        }
    }

    pub(super) fn finish(&self, has_calls: bool) -> Finish {
        let done = if has_calls { FinishReason::ToolCalls } else { FinishReason::Stop };
        let word = self.incomplete_details.as_ref().and_then(|details| details.reason.as_deref());
        let (reason, native) = match (self.status.as_deref(), word) {
            (Some("incomplete"), None) => (FinishReason::Length, "incomplete"),
            (_, Some(word @ "max_output_tokens")) => (FinishReason::Length, word),
            (_, Some(word @ "content_filter")) => (FinishReason::ContentFilter, word),
            (_, Some(word)) => (done, word),
            (status, None) => (done, status.unwrap_or("completed")),
        };
        Finish { reason, native: Some(native.to_owned()), stop_sequence: None }
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        serde_json::from_str::<UsageJson>(self.usage?.get()).ok()?.usage()
    }
}

impl<'a> Said<'a> {
    /// Adds what the item `raw` says. Tools that the provider runs itself are none of the client's.
    pub(super) fn extend(&mut self, raw: &'a RawValue) {
        let Ok(item) = serde_json::from_str::<ItemJson<'a>>(raw.get()) else { return };
        match item.r#type.as_deref() {
            Some("message") => self.extend_message(&item),
            Some("function_call") => self.blocks.push(Block::new(Content::ToolCall(item.call()))),
            Some("reasoning") => self.blocks.extend(item.thought().map(Block::new)),
            _ => {}
        }
    }

    fn extend_message(&mut self, item: &ItemJson<'a>) {
        let Some(content) = item.content else { return };
        for part in serde_json::from_str::<Vec<PartJson<'a>>>(content.get()).unwrap_or_default() {
            self.logprobs.extend(part.logprobs);
            let content = match part.r#type.as_str() {
                "output_text" => part.text.map(Content::Text),
                "refusal" => part.refusal.map(Content::Refusal),
                _ => None,
            };
            self.blocks.extend(content.map(Block::new));
        }
    }
}

/// Gives calls without an id one.
fn name_calls(blocks: &mut [Block], labels: &Labels) {
    let calls = blocks.iter_mut().filter_map(|block| match &mut block.content {
        Content::ToolCall(call) => Some(call),
        _ => None,
    });
    for (at, call) in calls.enumerate() {
        if call.id.is_empty() {
            call.id = labels.call_id(at);
        }
    }
}

//! Replies of `generateContent`.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use super::logprobs::LogprobsResult;
use crate::chat::{Block, Content, Source, ToolCall};
use crate::failure::in_band;
use crate::format::Labels;
use crate::json::Json;
use crate::reply::{Choice, Finish, FinishReason, Reply};

/// A whole reply, and each frame of a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a> {
    pub(super) candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<PromptFeedback>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
    pub(super) model_version: Option<String>,
    pub(super) response_id: Option<String>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    pub(super) index: Option<u32>,
    content: Option<Turn>,
    finish_reason: Option<String>,
    logprobs_result: Option<LogprobsResult>,
}

#[derive(Debug, Deserialize)]
struct Turn {
    parts: Option<Vec<Part>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
    inline_data: Option<Blob>,
}

#[derive(Debug, Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: Option<String>,
    args: Option<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    mime_type: Option<String>,
    data: Option<String>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct UsageMetadata {
    prompt_token_count: Option<u32>,
    cached_content_token_count: Option<u32>,
    candidates_token_count: Option<u32>,
    thoughts_token_count: Option<u32>,
    tool_use_prompt_token_count: Option<u32>,
}

/// The reply that the body of a status 200 is.
pub fn read_reply(body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    let response = Response::read(body)?;
    let mut calls = 0;
    let mut choices: Vec<Choice> = Vec::new();
    let mut candidates = response.candidates.unwrap_or_default();
    candidates.sort_by_key(|candidate| candidate.index);
    for candidate in candidates {
        choices.push(choice(candidate, labels, &mut calls));
    }
    if choices.is_empty() {
        let reason = response.prompt_feedback.and_then(|feedback| feedback.block_reason);
        let Some(reason) = reason else {
            return Err(Failure::new(FailureKind::BrokenReply, "the provider sent a reply without a candidate"));
        };
        choices.push(Choice { blocks: Vec::new(), finish: blocked(reason), logprobs: None });
    }
    let usage = response.usage_metadata.and_then(usage);
    Ok(Reply { id: response.response_id, model: response.model_version, choices, usage })
}

impl<'a> Response<'a> {
    /// What `body` is, where it is no error.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Failure> {
        let whole = body.trim_ascii();
        // Errors may come in a list of one. Tried first: a list also reads as a struct.
        let parsed = if whole.starts_with(b"[") { last_of_list(whole) } else { serde_json::from_slice(whole).ok() };
        let response: Self = parsed
            .ok_or_else(|| Failure::new(FailureKind::BrokenReply, "the provider sent what is no reply of Gemini"))?;
        match response.error {
            None => Ok(response),
            Some(_) => Err(in_band(&String::from_utf8_lossy(whole), Bytes::copy_from_slice(whole))),
        }
    }

    /// Why the prompt was refused.
    pub(super) fn block_reason(&self) -> Option<&str> {
        self.prompt_feedback.as_ref()?.block_reason.as_deref()
    }

    /// What was used so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage_metadata.and_then(usage)
    }
}

fn last_of_list(list: &[u8]) -> Option<Response<'_>> {
    serde_json::from_slice::<Vec<&RawValue>>(list).ok()?.last().and_then(|last| serde_json::from_str(last.get()).ok())
}

fn choice(candidate: Candidate, labels: &Labels, calls: &mut usize) -> Choice {
    let logprobs = candidate.logprobs();
    let finish = candidate.finish();
    let blocks: Vec<Block> = candidate.blocks(labels, calls).into_iter().map(Block::new).collect();
    let has_calls = blocks.iter().any(|block| matches!(block.content, Content::ToolCall(_)));
    let finish = finish.unwrap_or_else(|| Finish::of(FinishReason::Stop));
    Choice { blocks, finish: with_calls(finish, has_calls), logprobs }
}

impl Candidate {
    /// What it says. Calls without an id get one by their place in the whole reply.
    pub(super) fn blocks(self, labels: &Labels, calls: &mut usize) -> Vec<Content> {
        let parts = self.content.and_then(|turn| turn.parts).unwrap_or_default();
        parts.into_iter().filter_map(|part| part.content(labels, calls)).collect()
    }

    /// Why it ended, if it did.
    pub(super) fn finish(&self) -> Option<Finish> {
        let native = self.finish_reason.as_deref().filter(|native| *native != "FINISH_REASON_UNSPECIFIED")?;
        Some(Finish { native: Some(native.to_owned()), ..Finish::of(reason(native)) })
    }

    /// Its log probabilities in `OpenAI`'s form.
    pub(super) fn logprobs(&self) -> Option<Json> {
        self.logprobs_result.as_ref()?.to_openai()
    }
}

impl Part {
    fn content(self, labels: &Labels, calls: &mut usize) -> Option<Content> {
        if let Some(call) = self.function_call {
            let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| labels.call_id(*calls));
            *calls += 1;
            let arguments = call.args.map_or("{}".to_owned(), |args| compact(args.as_str()));
            let name = call.name.unwrap_or_default();
            return Some(Content::ToolCall(ToolCall { id, name, arguments, signature: self.thought_signature }));
        }
        if let Some(Blob { mime_type: Some(media_type), data: Some(data) }) = self.inline_data {
            if !media_type.starts_with("image/") || self.thought == Some(true) {
                return None;
            }
            return Some(Content::Image { source: Source::Base64 { media_type, data }, detail: None });
        }
        let text = self.text.filter(|text| !text.is_empty())?;
        // A signature beside text is dropped: it is of no use but in a call, and would break the conversation elsewhere.
        Some(if self.thought == Some(true) { Content::Thinking { text, signature: None } } else { Content::Text(text) })
    }
}

/// The end of a refused prompt.
pub(super) fn blocked(reason: String) -> Finish {
    Finish { native: Some(reason), ..Finish::of(FinishReason::ContentFilter) }
}

/// `finish`, where Gemini says that it was done and means that calls are to be answered.
pub(super) fn with_calls(finish: Finish, has_calls: bool) -> Finish {
    match finish.reason {
        FinishReason::Stop if has_calls => Finish { reason: FinishReason::ToolCalls, ..finish },
        _ => finish,
    }
}

fn reason(native: &str) -> FinishReason {
    match native {
        "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

/// Odd counts must not fail a good reply.
fn usage(metadata: &RawValue) -> Option<Usage> {
    let counts: UsageMetadata = serde_json::from_str(metadata.get()).ok()?;
    let reasoning = counts.thoughts_token_count.unwrap_or(0);
    let tools = counts.tool_use_prompt_token_count.unwrap_or(0);
    let usage = Usage {
        prompt_tokens: counts.prompt_token_count.unwrap_or(0).saturating_add(tools),
        completion_tokens: counts.candidates_token_count.unwrap_or(0).saturating_add(reasoning),
        cache_read_tokens: counts.cached_content_token_count.unwrap_or(0),
        cache_write_tokens: 0,
        reasoning_tokens: reasoning,
    };
    (usage.total_tokens() > 0).then_some(usage)
}

/// `json` without the spaces and lines between its values: AI Studio indents whole replies.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut is_string, mut is_escaped) = (false, false);
    for letter in json.chars() {
        if is_string || !letter.is_ascii_whitespace() {
            out.push(letter);
        }
        is_string = is_string != (letter == '"' && !is_escaped);
        is_escaped = is_string && letter == '\\' && !is_escaped;
    }
    out
}

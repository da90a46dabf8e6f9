//! Whole replies, read and written.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use weighbridge_domain::failure::{Failure, FailureKind};

use super::error;
use super::part::{self, Part};
use super::usage::{UsageJson, UsageOut, finish, word};
use crate::chat::{Block, Content, ToolCall};
use crate::format::Labels;
use crate::reply::{Choice, Finish, FinishReason, Reply};

/// Reads a reply of status 200.
///
/// # Errors
/// What the provider means when it holds an error, and `BrokenReply` when it cannot be read.
pub fn read_reply(body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    let broken = |problem: &str| Failure::new(FailureKind::BrokenReply, problem);
    let reply: ReplyJson<'_> =
        serde_json::from_slice(body).map_err(|_| broken("the provider's reply is not a message"))?;
    if reply.error.is_some() {
        return Err(error::failure(body));
    }
    let Some(parts) = reply.content else { return Err(broken("the provider's reply has no content")) };
    let mut blocks = Vec::with_capacity(parts.len());
    let mut calls = 0;
    for part in parts {
        // Parts of types yet unknown may have anything in their fields.
        let Ok(part) = serde_json::from_str::<PartJson<'_>>(part.get()) else { continue };
        blocks.extend(part.content(&mut calls, labels).map(Block::new));
    }
    let stop_sequence = reply.stop_sequence.map(Cow::into_owned);
    let choice =
        Choice { blocks, finish: finish(reply.stop_reason.as_deref(), stop_sequence, calls > 0), logprobs: None };
    Ok(Reply {
        id: reply.id.map(Cow::into_owned),
        model: reply.model.map(Cow::into_owned),
        choices: vec![choice],
        usage: reply.usage.and_then(|raw| UsageJson::read(raw.get()).usage()),
    })
}

/// Writes a reply, its first choice.
pub fn write_reply(reply: &Reply, labels: &Labels) -> Bytes {
    let choice = reply.choices.first();
    let usage = reply.usage.unwrap_or_default();
    let message = MessageOut {
        id: message_id(reply.id.as_deref(), labels),
        kind: "message",
        role: "assistant",
        model: reply.model.as_deref().unwrap_or(&labels.model),
        content: choice.map_or_else(Vec::new, |choice| choice.blocks.iter().filter_map(written).collect()),
        stop_reason: Some(choice.map_or("end_turn", |choice| word(&choice.finish))),
        stop_sequence: choice.and_then(|choice| choice.finish.stop_sequence.as_deref()),
        usage: UsageOut::of(&usage),
    };
    // Nothing in it can fail to be printed.
    serde_json::to_vec(&message).unwrap_or_default().into()
}

/// A message as it is written, empty at the beginning of a stream.
#[derive(Serialize)]
pub(super) struct MessageOut<'a> {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: Vec<Part<'a>>,
    pub(super) stop_reason: Option<&'static str>,
    pub(super) stop_sequence: Option<&'a str>,
    pub(super) usage: UsageOut,
}

/// An id that looks like Anthropic's.
pub(super) fn message_id(id: Option<&str>, labels: &Labels) -> String {
    let id = part::id(id.filter(|id| !id.is_empty()).unwrap_or(&labels.request_id));
    if id.starts_with("msg_") { id.into_owned() } else { format!("msg_{id}") }
}

#[derive(Deserialize)]
struct ReplyJson<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_sequence: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// A part of a reply, whole or as it begins in a stream.
#[derive(Deserialize)]
pub(super) struct PartJson<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
}

impl PartJson<'_> {
    /// What it is; none for what Anthropic's own tools do. `calls` counts the calls.
    pub(super) fn content(self, calls: &mut usize, labels: &Labels) -> Option<Content> {
        let owned = |text: Option<Cow<'_, str>>| text.unwrap_or_default().into_owned();
        Some(match &*self.kind {
            "text" => Content::Text(owned(self.text)),
            "thinking" => Content::Thinking {
                text: owned(self.thinking),
                signature: self.signature.map(Cow::into_owned).filter(|signature| !signature.is_empty()),
            },
            "redacted_thinking" => Content::RedactedThinking { data: owned(self.data) },
            "tool_use" => {
                let id = self.id.map_or_else(|| labels.call_id(*calls), Cow::into_owned);
                *calls += 1;
                let arguments = self.input.map_or("{}", RawValue::get).to_owned();
                Content::ToolCall(ToolCall { id, name: owned(self.name), arguments, signature: None })
            }
            _ => return None,
        })
    }
}

/// `block` as a part of a reply.
fn written(block: &Block) -> Option<Part<'_>> {
    Some(match &block.content {
        Content::Text(text) | Content::Refusal(text) if !text.is_empty() => Part::text(text),
        Content::Thinking { text, signature } => Part::thinking(text, signature.as_deref().unwrap_or_default()),
        Content::RedactedThinking { data } => Part::redacted_thinking(data),
        Content::ToolCall(call) => Part::tool_use(Cow::Borrowed(&call.id), call),
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Image { .. }
        | Content::Document { .. }
        | Content::Audio { .. }
        | Content::ToolResult(_) => return None,
    })
}

/// The end of a choice that no provider's word was told of.
pub(super) fn unsaid(has_calls: bool) -> Finish {
    Finish::of(if has_calls { FinishReason::ToolCalls } else { FinishReason::Stop })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use weighbridge_domain::usage::Usage;

    use super::{read_reply, write_reply};
    use crate::chat::{Block, Content, ToolCall};
    use crate::format::Labels;
    use crate::reply::{Choice, Finish, FinishReason, Reply};

    fn labels() -> Labels {
        Labels { request_id: "req-1".to_owned(), model: "asked".to_owned(), created: 0 }
    }

    fn check_read(body: &str, expected: Expect) {
        let seen = match read_reply(body.as_bytes(), &labels()) {
            Ok(reply) => format!("{:?} {:?}\n{:?}\n{:?}", reply.id, reply.model, reply.choices, reply.usage),
            Err(failure) => format!("{} {}", failure.kind.label(), failure.message),
        };
        expected.assert_eq(&seen);
    }

    #[test]
    fn replies_are_read() {
        check_read(
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[
                {"type":"thinking","thinking":"hm","signature":"Eq"},{"type":"redacted_thinking","data":"Em"},
                {"type":"text","text":"Let me see.","citations":null},
                {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}},
                {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[],"data":7},
                {"type":"tool_use","id":"toolu_1","name":"add","input":{"a": 1.0}}],
                "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":0,
                "cache_read_input_tokens":10,"output_tokens":5,"server_tool_use":null}}"#,
            expect![[r#"
                Some("msg_1") Some("claude")
                [Choice { blocks: [Block { content: Thinking { text: "hm", signature: Some("Eq") }, cache: None }, Block { content: RedactedThinking { data: "Em" }, cache: None }, Block { content: Text("Let me see."), cache: None }, Block { content: ToolCall(ToolCall { id: "toolu_1", name: "add", arguments: "{\"a\": 1.0}", signature: None }), cache: None }], finish: Finish { reason: ToolCalls, native: Some("tool_use"), stop_sequence: None }, logprobs: None }]
                Some(Usage { prompt_tokens: 13, completion_tokens: 5, cache_read_tokens: 10, cache_write_tokens: 0, reasoning_tokens: 0 })"#]],
        );
        check_read(
            r#"{"content":[{"type":"text","text":"a"}],"stop_reason":"stop_sequence","stop_sequence":"END"}"#,
            expect![[r#"
                None None
                [Choice { blocks: [Block { content: Text("a"), cache: None }], finish: Finish { reason: Stop, native: Some("stop_sequence"), stop_sequence: Some("END") }, logprobs: None }]
                None"#]],
        );
        check_read(
            r#"{"content":[],"stop_reason":"refusal","usage":{"input_tokens":1}}"#,
            expect![[r#"
            None None
            [Choice { blocks: [], finish: Finish { reason: ContentFilter, native: Some("refusal"), stop_sequence: None }, logprobs: None }]
            Some(Usage { prompt_tokens: 1, completion_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0, reasoning_tokens: 0 })"#]],
        );
    }

    #[test]
    fn what_is_no_reply_is_a_failure() {
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        check_read(overloaded, expect!["overloaded Overloaded"]);
        check_read(r#"{"error":{"message":"boom","code":502}}"#, expect!["server_error boom"]);
        check_read("{}", expect!["broken_reply the provider's reply has no content"]);
        check_read(r#"{"content":"hi"}"#, expect!["broken_reply the provider's reply is not a message"]);
        check_read("<html>", expect!["broken_reply the provider's reply is not a message"]);
    }

    #[test]
    fn replies_are_written() {
        let call = |id: &str, arguments: &str| {
            let (id, arguments) = (id.to_owned(), arguments.to_owned());
            Block::new(Content::ToolCall(ToolCall { id, name: "add".to_owned(), arguments, signature: None }))
        };
        let thought = Content::Thinking { text: "hm".to_owned(), signature: None };
        let blocks = vec![Block::new(thought), Block::text("Let me see."), call("c.1", "{\"a\":1.0}"), call("c2", "")];
        let finish = Finish::of(FinishReason::ToolCalls);
        let usage = Usage { prompt_tokens: 13, completion_tokens: 5, cache_read_tokens: 10, ..Usage::default() };
        let reply = Reply {
            id: Some("chatcmpl-1".to_owned()),
            model: Some("gpt".to_owned()),
            choices: vec![Choice { blocks, finish, logprobs: None }],
            usage: Some(usage),
        };
        let seen = |reply: &Reply| String::from_utf8(write_reply(reply, &labels()).to_vec()).unwrap();
        expect![[r#"{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"gpt","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"Let me see."},{"type":"tool_use","id":"c.1","name":"add","input":{"a":1.0}},{"type":"tool_use","id":"c2","name":"add","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":10,"output_tokens":5}}"#]].assert_eq(&seen(&reply));
        let refused = Finish::of(FinishReason::ContentFilter);
        let blocks = vec![Block::new(Content::Refusal("No.".to_owned())), Block::text("")];
        let reply = Reply { choices: vec![Choice { blocks, finish: refused, logprobs: None }], ..Reply::default() };
        expect![[r#"{"id":"msg_req-1","type":"message","role":"assistant","model":"asked","content":[{"type":"text","text":"No."}],"stop_reason":"refusal","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}"#]].assert_eq(&seen(&reply));
        expect![[r#"{"id":"msg_req-1","type":"message","role":"assistant","model":"asked","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}"#]].assert_eq(&seen(&Reply::default()));
    }
}

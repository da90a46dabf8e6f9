//! Whole chat completions and completions, as OpenAI writes them.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::replies::{ARGUMENTS, Finish, Part, Reply};
use crate::target::Operation;

/// A reply with what all documents of it have in common made ready.
pub(super) struct Written<'a> {
    pub(super) reply: &'a Reply<'a>,
    pub(super) chat: bool,
    /// The model, as JSON.
    model: String,
}

impl<'a> Written<'a> {
    pub(super) fn new(reply: &'a Reply<'a>) -> Self {
        let model = Value::from(&*reply.ask.model).to_string();
        Self { reply, chat: reply.operation == Operation::Chat, model }
    }

    /// What every document begins with; `chunk` says whether it is one of a stream.
    pub(super) fn opening(&self, chunk: &str) -> String {
        let (prefix, object) = if self.chat { ("chatcmpl-", "chat.completion") } else { ("cmpl-", "text_completion") };
        let chunk = if self.chat { chunk } else { "" };
        let (model, Reply { number, created, .. }) = (&self.model, self.reply);
        format!(
            r#"{{"id":"{prefix}{number:012x}","object":"{object}{chunk}","created":{created},"model":{model},"system_fingerprint":"fp_fakellm""#
        )
    }

    /// The whole reply.
    pub(super) fn whole(&self) -> String {
        let mut text = self.opening("");
        text.push_str(r#","choices":["#);
        for index in 0..self.reply.ask.n {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&self.choice(index));
        }
        text.push(']');
        if self.reply.stage.script.usage {
            text.push_str(&format!(r#","usage":{}"#, self.usage(self.reply.completion())));
        }
        text.push('}');
        text
    }

    /// The usage object after `completion` tokens.
    pub(super) fn usage(&self, completion: u64) -> String {
        let (prompt, cached) = (self.reply.ask.prompt, self.reply.cached());
        let reasoning = self.reply.reasoning().min(completion);
        let total = prompt + completion;
        let mut text = format!(r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}"#);
        if cached > 0 {
            text.push_str(&format!(r#","prompt_tokens_details":{{"cached_tokens":{cached}}}"#));
        }
        if reasoning > 0 {
            text.push_str(&format!(r#","completion_tokens_details":{{"reasoning_tokens":{reasoning}}}"#));
        }
        text.push('}');
        text
    }

    /// Why a choice ends.
    pub(super) fn finish(&self) -> &'static str {
        match self.reply.finish {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::Calls => "tool_calls",
        }
    }

    fn choice(&self, index: u64) -> String {
        let end = format!(r#""logprobs":null,"finish_reason":"{}"}}"#, self.finish());
        let (mut thought, mut text, mut calls) = (String::new(), String::new(), Vec::new());
        for part in &self.reply.parts {
            match part {
                Part::Thought(pieces) => thought.extend(pieces.iter().map(|piece| escaped(piece))),
                Part::Text(pieces) => text.extend(pieces.iter().map(|piece| escaped(piece))),
                Part::Call { id, name } => {
                    let function = json!({"name": name, "arguments": ARGUMENTS.concat()});
                    calls.push(json!({"id": id, "type": "function", "function": function}));
                }
            }
        }
        if !self.chat {
            return format!(r#"{{"index":{index},"text":"{text}",{end}"#);
        }
        let mut message = r#"{"role":"assistant""#.to_owned();
        if !thought.is_empty() {
            message.push_str(&format!(r#","reasoning_content":"{thought}""#));
        }
        match self.reply.is_call() {
            true => message.push_str(&format!(r#","content":null,"refusal":null,"tool_calls":{}"#, Value::from(calls))),
            false => message.push_str(&format!(r#","content":"{text}","refusal":null"#)),
        }
        format!(r#"{{"index":{index},"message":{message}}},{end}"#)
    }
}

/// Text as it stands in a JSON string.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        return Cow::Borrowed(text);
    }
    let json = Value::from(text).to_string();
    Cow::Owned(json[1..json.len() - 1].to_owned())
}

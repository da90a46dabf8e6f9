//! Whole chat completions and completions, as OpenAI writes them.

use serde_json::Value;

use crate::ask::Ask;
use crate::stage::Stage;
use crate::target::Operation;

/// The arguments of a tool call, in the pieces that they are streamed in; as JSON string contents.
pub(crate) const ARGUMENTS: [&str; 3] = [r#"{\""#, r#"load\":"#, "1}"];

/// The words of a reply, escaped for JSON once, each with the blank before it.
#[derive(Debug)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// The words of `text`.
    pub(crate) fn new(text: &str) -> Self {
        let escaped = |word: &str| {
            let json = Value::from(format!(" {word}")).to_string();
            json[1..json.len() - 1].to_owned()
        };
        Self(text.split_whitespace().map(escaped).collect())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The `length` words of a reply: all of them, over and over. The first has no blank.
    pub(crate) fn pieces(&self, length: u64) -> impl Iterator<Item = &str> {
        let endless = self.0.iter().cycle().map(String::as_str).enumerate();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        endless.map(|(at, word)| if at == 0 { word.trim_start() } else { word }).take(length)
    }
}

/// What one reply holds, whole or streamed.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) ask: &'a Ask,
    pub(crate) chat: bool,
    /// The name of the tool it calls, as JSON.
    pub(crate) tool: Option<String>,
    /// Tokens of each choice.
    pub(crate) length: u64,
    /// Why a choice ends.
    pub(crate) finish: &'static str,
    number: u64,
    created: u64,
    /// As JSON.
    model: String,
}

impl<'a> Reply<'a> {
    /// The reply to `ask`, the `number`th of its provider.
    pub(crate) fn new(stage: &'a Stage, operation: Operation, ask: &'a Ask, (number, created): (u64, u64)) -> Self {
        let chat = operation == Operation::Chat;
        let tool = ask.tool.as_deref().filter(|_| chat && stage.script.tool_calls);
        let (full, most) = (stage.length(), ask.most.unwrap_or(u64::MAX));
        let (length, finish) = match tool {
            Some(_) => (ARGUMENTS.len() as u64, "tool_calls"),
            None if most < full => (most, "length"),
            None => (full, "stop"),
        };
        let tool = tool.map(|name| Value::from(name).to_string());
        Self { stage, ask, chat, tool, length, finish, number, created, model: Value::from(&*ask.model).to_string() }
    }

    /// Completion tokens of all choices.
    pub(crate) fn completion(&self) -> u64 {
        self.length * self.ask.n
    }

    /// What every document begins with; `chunk` says whether it is one of a stream.
    pub(crate) fn opening(&self, chunk: &str) -> String {
        let (prefix, object) = if self.chat { ("chatcmpl-", "chat.completion") } else { ("cmpl-", "text_completion") };
        let chunk = if self.chat { chunk } else { "" };
        let Self { number, created, model, .. } = self;
        format!(
            r#"{{"id":"{prefix}{number:012x}","object":"{object}{chunk}","created":{created},"model":{model},"system_fingerprint":"fp_fakellm""#
        )
    }

    /// The whole reply.
    pub(crate) fn whole(&self) -> String {
        let mut text = self.opening("");
        text.push_str(r#","choices":["#);
        for index in 0..self.ask.n {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&self.choice(index));
        }
        text.push(']');
        if self.stage.script.usage {
            text.push_str(&format!(r#","usage":{}"#, self.usage(self.completion())));
        }
        text.push('}');
        text
    }

    /// The usage object after `completion` tokens.
    pub(crate) fn usage(&self, completion: u64) -> String {
        let prompt = self.ask.prompt;
        let total = prompt + completion;
        format!(r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}}}"#)
    }

    fn choice(&self, index: u64) -> String {
        let finish = self.finish;
        let end = format!(r#""logprobs":null,"finish_reason":"{finish}"}}"#);
        if let Some(tool) = &self.tool {
            let (call, arguments) = (self.call_id(), ARGUMENTS.concat());
            return format!(
                r#"{{"index":{index},"message":{{"role":"assistant","content":null,"refusal":null,"tool_calls":[{{"id":"{call}","type":"function","function":{{"name":{tool},"arguments":"{arguments}"}}}}]}},{end}"#
            );
        }
        let words: String = self.stage.words.pieces(self.length).collect();
        if self.chat {
            format!(r#"{{"index":{index},"message":{{"role":"assistant","content":"{words}","refusal":null}},{end}"#)
        } else {
            format!(r#"{{"index":{index},"text":"{words}",{end}"#)
        }
    }

    /// The id of the tool call.
    pub(crate) fn call_id(&self) -> String {
        format!("call_{:012x}", self.number)
    }
}

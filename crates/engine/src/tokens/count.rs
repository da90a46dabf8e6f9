//! Counting with `OpenAI`'s tokenizers. Their tables take a moment to build, so they are built when first asked for.

use std::sync::atomic::{AtomicBool, Ordering};

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::Operation;
use weighbridge_wire::chat::{Block, Chat, Content, ReplyFormat};
use weighbridge_wire::exchange;
use weighbridge_wire::format::Format;

/// Of a longer prompt only this much is counted, in bytes; the rest is taken to be alike.
const LONGEST_SAMPLE: usize = 32 << 10;
/// Tokens around each message, and those that begin the reply (`OpenAI`'s cookbook, for chat models since gpt-3.5).
const PER_MESSAGE: usize = 3;
const PER_REPLY: usize = 3;
/// Tokens a picture counts for: what `OpenAI`'s models take for one of middle size, seen closely.
const PER_PICTURE: usize = 765;

/// Which of `OpenAI`'s vocabularies a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// gpt-4o and all that came after it.
    O200k,
    /// gpt-4, gpt-3.5, and the embeddings.
    Cl100k,
}

impl Encoding {
    /// The vocabulary of `model`; `None` for other families.
    pub(crate) fn of(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next().unwrap_or(model);
        let is = |families: &[&str]| families.iter().any(|family| name.starts_with(family));
        if is(&["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss", "chatgpt-4o", "o1", "o3", "o4", "codex"]) {
            Some(Self::O200k)
        } else if is(&["gpt-4", "gpt-3.5", "gpt-35", "text-embedding-"]) {
            Some(Self::Cl100k)
        } else {
            None
        }
    }

    /// Whether its tables are built.
    pub(crate) fn is_at_hand(self) -> bool {
        self.mark().load(Ordering::Acquire)
    }

    /// Builds its tables, which takes some tenths of a second the first time.
    pub(crate) fn prepare(self) {
        self.tokenizer();
        self.mark().store(true, Ordering::Release);
    }

    fn mark(self) -> &'static AtomicBool {
        static O200K: AtomicBool = AtomicBool::new(false);
        static CL100K: AtomicBool = AtomicBool::new(false);
        match self {
            Self::O200k => &O200K,
            Self::Cl100k => &CL100K,
        }
    }

    fn tokenizer(self) -> &'static CoreBPE {
        match self {
            Self::O200k => o200k_base_singleton(),
            Self::Cl100k => cl100k_base_singleton(),
        }
    }
}

/// The tokens of a prompt; `None` when it cannot be read.
pub(super) fn prompt(encoding: Encoding, operation: Operation, body: &JsonObject) -> Option<u32> {
    let format = match operation {
        Operation::Chat => Format::OpenAi,
        Operation::Messages => Format::Anthropic,
        Operation::Responses => Format::Responses,
        _ => return u32::try_from(tokens(encoding, &texts_of(body))).ok(),
    };
    let chat = exchange::read_request(format, body.bytes()).ok()?;
    let mut said = Said::default();
    said.read(&chat);
    let fixed = chat.messages.len() * PER_MESSAGE + PER_REPLY + said.pictures * PER_PICTURE;
    u32::try_from(tokens(encoding, &said.text) + fixed).ok()
}

/// What a conversation says, in one text.
#[derive(Default)]
struct Said {
    text: String,
    pictures: usize,
}

impl Said {
    fn read(&mut self, chat: &Chat) {
        for message in &chat.messages {
            self.blocks(&message.blocks);
        }
        for tool in &chat.tools {
            self.add(&tool.name);
            self.add(tool.description.as_deref().unwrap_or_default());
            self.add(tool.parameters.as_ref().map_or("", |json| json.as_str()));
        }
        if let ReplyFormat::JsonSchema { schema, .. } = &chat.reply_format {
            self.add(schema.as_str());
        }
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match &block.content {
                Content::Text(text) | Content::Refusal(text) | Content::Thinking { text, .. } => self.add(text),
                Content::ToolCall(call) => {
                    self.add(&call.name);
                    self.add(&call.arguments);
                }
                Content::ToolResult(result) => self.blocks(&result.blocks),
                Content::Image { .. } | Content::Document { .. } => self.pictures += 1,
                Content::Audio { .. } | Content::RedactedThinking { .. } => {}
            }
        }
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// The texts of prompts that are no conversations.
fn texts_of(body: &JsonObject) -> String {
    let one = |key: &str| body.text(key).map(std::borrow::Cow::into_owned);
    let many = |key: &str| body.get::<Vec<String>>(key).ok().flatten().map(|all| all.join("\n"));
    let fields = ["input", "prompt", "query"];
    fields.into_iter().filter_map(|key| one(key).or_else(|| many(key))).collect::<Vec<_>>().join("\n")
}

fn tokens(encoding: Encoding, text: &str) -> usize {
    let mut end = text.len().min(LONGEST_SAMPLE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let counted = encoding.tokenizer().encode_ordinary(&text[..end]).len();
    (counted * text.len()).checked_div(end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::request::Operation;

    use super::{Encoding, prompt};

    fn check(encoding: Encoding, operation: Operation, body: &str, expected: u32) {
        let object = JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        assert_eq!(prompt(encoding, operation, &object), Some(expected), "{body}");
    }

    #[test]
    fn models_have_their_vocabularies() {
        let rows = [
            ("gpt-4o-mini", Some(Encoding::O200k)),
            ("openai/gpt-5", Some(Encoding::O200k)),
            ("o3-mini", Some(Encoding::O200k)),
            ("gpt-4-turbo", Some(Encoding::Cl100k)),
            ("gpt-3.5-turbo", Some(Encoding::Cl100k)),
            ("text-embedding-3-small", Some(Encoding::Cl100k)),
            ("claude-sonnet-4-5", None),
            ("llama3", None),
        ];
        for (model, expected) in rows {
            assert_eq!(Encoding::of(model), expected, "{model}");
        }
    }

    #[test]
    fn prompts_are_counted_as_their_provider_does() {
        // "hello world" is two tokens in both vocabularies, and a line's end is one more.
        let chat = r#"{"messages":[{"role":"user","content":"hello world"}]}"#;
        check(Encoding::O200k, Operation::Chat, chat, 2 + 1 + 3 + 3);
        check(Encoding::Cl100k, Operation::Chat, chat, 2 + 1 + 3 + 3);
        check(Encoding::Cl100k, Operation::Embeddings, r#"{"input":"hello world"}"#, 2);
        check(Encoding::Cl100k, Operation::Embeddings, r#"{"input":["hello world","hello world"]}"#, 5);
    }

    #[test]
    fn long_prompts_are_counted_by_a_sample() {
        let text = "hello world ".repeat(100_000);
        let body = format!(r#"{{"input":"{text}"}}"#);
        let object = JsonObject::parse(Bytes::from(body)).unwrap();
        let counted = prompt(Encoding::O200k, Operation::Embeddings, &object).unwrap();
        assert!((190_000..=210_000).contains(&counted), "{counted}");
    }
}

//! A conversation that wants a reply, in no provider's words.
//!
//! Holds what at least two formats can say. A reader fills it from its format, a writer says it in another, and both note
//! in [`Losses`] what had no place.

use crate::json::Json;
use crate::losses::Losses;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chat {
    /// The model as it was written.
    pub model: String,
    /// What was said, oldest first. Instructions stand where they were written; formats that have a place of their own for
    /// them read and write those as the first messages.
    pub messages: Vec<Message>,
    /// Functions that may be called.
    pub tools: Vec<Tool>,
    /// Tools that a provider runs itself, as it wants them written: the only one that can say them is the one that has them.
    pub native_tools: Vec<NativeTool>,
    /// Which of them.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the reply.
    pub reply_format: ReplyFormat,
    /// How much to think first.
    pub reasoning: Option<Reasoning>,
    /// The most tokens of a reply.
    pub max_tokens: Option<u32>,
    /// 0 to 2, as `OpenAI` has it; others bound it lower.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Only the likeliest so many.
    pub top_k: Option<u32>,
    /// −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// −2 to 2.
    pub presence_penalty: Option<f64>,
    /// Repeatable draws.
    pub seed: Option<i64>,
    /// Where to stop.
    pub stop: Vec<String>,
    /// How many alternatives; none is one.
    pub n: Option<u32>,
    /// Log probabilities: of the tokens chosen, and of so many others for each.
    pub logprobs: Option<u32>,
    /// Who is asking, for the provider's abuse monitoring.
    pub user: Option<String>,
    /// Whether the reply should be a stream.
    pub stream: bool,
    /// Fields of the request that have no place above, by their names. A writer sends those that its own format has under
    /// the same name, and notes the others as lost.
    pub extra: Vec<(String, Json)>,
    /// What its reader could not take over.
    pub losses: Losses,
}

/// One turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Whose it is.
    pub role: Role,
    /// The participant's name.
    pub name: Option<String>,
    /// What it says, in order.
    pub blocks: Vec<Block>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions, in `OpenAI`'s newer word. Formats that do not know it read it as [`Role::System`].
    Developer,
    /// The user, and what tools returned.
    User,
    /// The model.
    Assistant,
}

/// A part of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// What it is.
    pub content: Content,
    /// Where the provider should cache the prompt up to here.
    pub cache: Option<Cache>,
}

/// A mark up to which a provider caches the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// As long as is usual (five minutes at Anthropic).
    Usual,
    /// An hour.
    Hour,
}

/// What a part of a turn is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture.
    Image {
        /// Where it is.
        source: Source,
        /// `low`, `high`, `auto`: how closely to look.
        detail: Option<String>,
    },
    /// A document, mostly PDF.
    Document {
        /// Where it is.
        source: Source,
        /// What it is called.
        name: Option<String>,
    },
    /// Sound.
    Audio {
        /// In base64.
        data: String,
        /// `wav`, `mp3`.
        format: String,
    },
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What a tool returned; stands in [`Role::User`] turns.
    ToolResult(ToolResult),
    /// What the model thought.
    Thinking {
        /// The thought, or a summary of it.
        text: String,
        /// The provider's proof that it is unchanged. Only it understands it.
        signature: Option<String>,
    },
    /// A thought that only the provider can read.
    RedactedThinking {
        /// Its bytes, as the provider wrote them.
        data: String,
    },
    /// The model declines.
    Refusal(String),
}

/// Where a picture or document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// To be fetched by the provider.
    Url(String),
    /// Sent along.
    Base64 {
        /// As in `image/png`.
        media_type: String,
        /// In standard base64.
        data: String,
    },
    /// Plain text, of documents.
    Text(String),
    /// Uploaded to the provider before.
    File(String),
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolCall {
    /// Names it, for its result.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments: the text of a JSON object, if the model wrote it well.
    pub arguments: String,
    /// The provider's proof of the thought that led to it (Gemini's `thoughtSignature`).
    pub signature: Option<String>,
}

/// What a tool returned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolResult {
    /// The call.
    pub call_id: String,
    /// What came of it: text, pictures, documents.
    pub blocks: Vec<Block>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON schema of its arguments; none takes none.
    pub parameters: Option<Json>,
    /// Whether arguments must follow the schema.
    pub strict: Option<bool>,
    /// As of [`Block`].
    pub cache: Option<Cache>,
}

/// A tool that a provider runs itself.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeTool {
    /// Where it stood, as in `tools[1]`.
    pub path: String,
    /// Its `type`.
    pub kind: String,
    /// All of it.
    pub json: Json,
}

impl NativeTool {
    /// Whether it is Anthropic's: their types end in a date, as in `web_search_20250305`.
    pub fn is_of_anthropic(&self) -> bool {
        let date = self.kind.rsplit_once('_').map_or("", |(_, date)| date);
        date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit())
    }
}

/// Which tool to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// Whichever, or none.
    Auto,
    /// None.
    None,
    /// One at least.
    Required,
    /// This one.
    Named(String),
}

/// The form of the reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ReplyFormat {
    /// Text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON by a schema.
    JsonSchema {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Json,
        /// Whether the reply must follow it.
        strict: Option<bool>,
    },
}

/// How much a model may think before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reasoning {
    /// Not at all.
    Off,
    /// `minimal`, `low`, `medium`, `high`, or a provider's further word.
    Effort(String),
    /// So many tokens.
    Budget(u32),
    /// As much as the model likes.
    Adaptive,
}

impl Chat {
    /// The bound on thinking tokens that stands for an effort where a format wants a number, as `LiteLLM` has it.
    pub fn budget_of(effort: &str) -> Option<u32> {
        Some(match effort {
            "minimal" => 128,
            "low" => 1024,
            "medium" => 2048,
            "high" => 4096,
            "xhigh" | "max" => 8192,
            _ => return None,
        })
    }

    /// The word for a bound on thinking tokens where a format wants one.
    pub fn effort_of(budget: u32) -> &'static str {
        match budget {
            0..1024 => "minimal",
            1024..2048 => "low",
            2048..4096 => "medium",
            4096.. => "high",
        }
    }

    /// The tool that the call `id` was of, by the turns so far: formats without ids name it in its result.
    pub fn tool_of(&self, id: &str) -> Option<&str> {
        let blocks = self.messages.iter().flat_map(|message| &message.blocks);
        blocks
            .filter_map(|block| match &block.content {
                Content::ToolCall(call) if call.id == id => Some(call.name.as_str()),
                _ => None,
            })
            .next_back()
    }
}

impl Message {
    /// A turn of one block.
    pub fn of(role: Role, content: Content) -> Self {
        Self { role, name: None, blocks: vec![Block::new(content)] }
    }

    /// Its plain text, the parts joined by nothing.
    pub fn text(&self) -> String {
        text_of(&self.blocks)
    }
}

impl Block {
    /// A part without a mark.
    pub fn new(content: Content) -> Self {
        Self { content, cache: None }
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text(text.into()))
    }
}

/// The plain text of `blocks`, joined by nothing.
pub fn text_of(blocks: &[Block]) -> String {
    let texts = blocks.iter().filter_map(|block| match &block.content {
        Content::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

//! The formats there are, and what their readers and writers are given.

use bytes::Bytes;

use crate::losses::Losses;

/// A JSON and stream shape for conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `OpenAI`'s chat completions.
    #[default]
    OpenAi,
    /// `OpenAI`'s responses.
    Responses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`, of AI Studio and Vertex AI.
    Gemini,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Cohere's chat, version 2.
    Cohere,
    /// Ollama's own chat.
    Ollama,
}

/// For whom a request is written.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The model's name there.
    pub model: &'a str,
    /// The most tokens a reply of it may have, where that is known.
    pub max_output_tokens: Option<u32>,
}

/// A request as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its body.
    pub body: Bytes,
    /// What had no place in it, what its reader had lost already included.
    pub losses: Losses,
}

/// Why a client's request cannot be read: its own mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct Unreadable {
    /// Where, as in `messages[2].content`.
    pub path: String,
    /// What is wrong there and what is expected, as in `expected a list of blocks or a text`.
    pub problem: String,
}

/// What replies have to say and providers may leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Names the request; ids that a provider does not give are made of it.
    pub request_id: String,
    /// The model that was asked.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
}

/// For whom a reply is written.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// What it speaks.
    pub format: Format,
    /// What its reply has to say.
    pub labels: &'a Labels,
    /// What it wants of a stream.
    pub options: StreamOptions,
    /// What it sent: some formats repeat it.
    pub request: &'a [u8],
}

/// What a client wants of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamOptions {
    /// Whether usage is told where the format leaves that to the client (`OpenAI`'s `include_usage`).
    pub include_usage: bool,
}

/// One frame of a stream: an event, a line or a message, its framing taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The kind it is marked with: `event:` of server-sent events, `:event-type` or `:exception-type` of AWS messages.
    pub kind: Option<&'a str>,
    /// What it holds.
    pub data: &'a [u8],
}

impl Labels {
    /// The id of the `n`th tool call, for providers that give none. At most 40 letters and digits, which every provider takes.
    pub fn call_id(&self, n: usize) -> String {
        let seed: String = self.request_id.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        format!("call_{seed}{n}")
    }
}

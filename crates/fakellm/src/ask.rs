//! What a request asks for, as far as an answer depends on it.

use bytes::Bytes;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::script::ProviderScript;
use crate::target::Target;
use crate::text::{CHARACTERS_PER_TOKEN, Text};

/// Tokens that each message or input has on top of its text.
const TOKENS_PER_ITEM: u64 = 3;
/// No request means more tokens than these, and sums of them do not overflow.
const TOKENS_MAX: u64 = u32::MAX as u64;

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) script: &'a ProviderScript,
    pub(crate) target: Target<'a>,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The model, from the body, or else from the path.
    pub(crate) model: String,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// Whether the stream is to end with usage.
    pub(crate) include_usage: bool,
    /// The most tokens the answer may have.
    pub(crate) most: Option<u64>,
    /// Alternative answers, or images.
    pub(crate) n: u64,
    /// Tokens of the prompt: one for four characters of text, and three for each message or input.
    pub(crate) prompt: u64,
    /// Messages, prompts or inputs; 0 if there are none.
    pub(crate) inputs: u64,
    /// The names of the tools there are.
    pub(crate) tools: Vec<String>,
    /// How many of them may be called.
    pub(crate) tool_choice: ToolChoice,
    /// JSON is to be answered, of this schema.
    pub(crate) schema: Option<Value>,
    /// Whether embeddings are wanted as base64.
    pub(crate) base64: bool,
    /// The length of embeddings.
    pub(crate) dimensions: Option<u64>,
    /// Documents to rank.
    pub(crate) documents: u64,
}

/// How many tools may be called.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    /// Any number.
    #[default]
    Any,
    /// One at a time.
    One,
    /// None.
    None,
}

impl Ask {
    /// What `target` says of itself, and nothing else.
    pub(crate) fn of(target: &Target<'_>) -> Self {
        Self { model: target.model().into_owned(), stream: target.stream, n: 1, ..Self::default() }
    }

    /// Adds text to the prompt: a message, a list of them, inputs.
    pub(crate) fn weigh(&mut self, text: &Value) {
        // Whatever JSON it is, some text is in it or none.
        let Text { characters, items } = Text::deserialize(text).unwrap_or_default();
        self.weigh_all(characters, items);
    }

    /// Adds texts that were measured already, as one.
    pub(crate) fn weigh_all(&mut self, characters: u64, inputs: u64) {
        self.inputs += inputs;
        self.prompt += characters.div_ceil(CHARACTERS_PER_TOKEN) + TOKENS_PER_ITEM * inputs;
    }

    /// Bounds the answer; of two bounds the larger one holds.
    pub(crate) fn bound(&mut self, most: Option<u64>) {
        self.most = self.most.into_iter().chain(most).max().map(|most| most.min(TOKENS_MAX));
    }
}

impl Asked<'_> {
    /// The body, a JSON object.
    ///
    /// # Errors
    /// 400 if it is not.
    pub(crate) fn document(&self) -> Result<Value, Refusal> {
        let wrong = |message: &str| Refusal::invalid(self.target.format, message);
        let document: Value =
            serde_json::from_slice(self.body).map_err(|error| wrong(&format!("The body is not JSON: {error}")))?;
        if document.is_object() { Ok(document) } else { Err(wrong("The body is not a JSON object.")) }
    }
}

//! A whole reply, and the events of a stream, in no provider's words.

use weighbridge_domain::failure::Failure;
use weighbridge_domain::usage::Usage;

use crate::chat::Block;
use crate::json::Json;

/// What a model said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The provider's name for it.
    pub id: Option<String>,
    /// The model that answered, as the provider calls it.
    pub model: Option<String>,
    /// The alternatives; one as a rule.
    pub choices: Vec<Choice>,
    /// What it used.
    pub usage: Option<Usage>,
}

/// One alternative.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Thoughts, text, calls, refusals, in order.
    pub blocks: Vec<Block>,
    /// Why it ended.
    pub finish: Finish,
    /// Log probabilities as `OpenAI` writes them (`{"content":[…]}`).
    pub logprobs: Option<Json>,
}

/// Why a reply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// In one vocabulary.
    pub reason: FinishReason,
    /// The provider's own word for it, where its format is not `OpenAI`'s.
    pub native: Option<String>,
    /// The stop sequence that was met, where the provider says which.
    pub stop_sequence: Option<String>,
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The bound on tokens was met.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// A filter stepped in, or the model declined.
    ContentFilter,
}

/// What a stream says next. A reader tells [`Event::Start`] once and first, then deltas, [`Event::Finish`] once for each
/// choice, [`Event::Usage`] whenever more is known (each time all of it), and nothing after [`Event::Failure`].
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It begins.
    Start {
        /// As of [`Reply`].
        id: Option<String>,
        /// As of [`Reply`].
        model: Option<String>,
    },
    /// More of a choice.
    Delta {
        /// Its place, from 0.
        choice: u32,
        /// What is added.
        delta: Delta,
    },
    /// A choice ended.
    Finish {
        /// Its place.
        choice: u32,
        /// Why.
        finish: Finish,
    },
    /// What was used so far, all told.
    Usage(Usage),
    /// The provider's error. Nothing after it counts.
    Failure(Box<Failure>),
}

/// What a stream adds to a choice.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Text.
    Text(String),
    /// Text of a thought.
    Thinking(String),
    /// The proof of the thought so far, which ends it.
    Signature(String),
    /// A thought that only the provider can read.
    RedactedThinking(String),
    /// Text of a refusal.
    Refusal(String),
    /// A call begins. Its arguments follow as [`Delta::Arguments`] of the same index; several may be open at once.
    ToolCall {
        /// Its place among the calls of this choice, from 0.
        index: u32,
        /// As of [`crate::chat::ToolCall`].
        id: String,
        /// The function.
        name: String,
        /// As of [`crate::chat::ToolCall`].
        signature: Option<String>,
    },
    /// More of a call's arguments.
    Arguments {
        /// The call's place.
        index: u32,
        /// A piece of JSON text.
        json: String,
    },
    /// Log probabilities of what was added last, as `OpenAI` writes them.
    Logprobs(Json),
}

impl Finish {
    /// An end for `reason`, the provider's word being the usual one.
    pub const fn of(reason: FinishReason) -> Self {
        Self { reason, native: None, stop_sequence: None }
    }
}

//! What one reply says, in no provider's words.

use std::borrow::Cow;

use crate::ask::Ask;
use crate::sample::sample;
use crate::stage::Stage;
use crate::target::Operation;

/// The arguments of a tool call, in the pieces that they are streamed in.
pub(crate) const ARGUMENTS: [&str; 3] = [r#"{""#, r#"load":"#, "1}"];
/// What is thought before it is said.
const THOUGHT: &str = "First the load is weighed.";
/// Characters of JSON to a token.
const JSON_PIECE: usize = 8;

/// The words of a reply, each with the blank before it.
#[derive(Debug)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// The words of `text`.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.split_whitespace().map(|word| format!(" {word}")).collect())
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
    pub(crate) operation: Operation,
    /// In the order in which they are said.
    pub(crate) parts: Vec<Part<'a>>,
    /// Why it ends.
    pub(crate) finish: Finish,
    /// Which of the provider's this is.
    pub(crate) number: u64,
    /// In seconds.
    pub(crate) created: u64,
}

/// A piece of a reply; texts are in pieces of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Thought(Vec<Cow<'a, str>>),
    Text(Vec<Cow<'a, str>>),
    /// A call of the tool with this name; its arguments are [`ARGUMENTS`].
    Call {
        id: String,
        name: &'a str,
    },
}

/// Why a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    Calls,
}

impl Part<'_> {
    /// Its tokens.
    pub(crate) fn tokens(&self) -> u64 {
        match self {
            Self::Thought(pieces) | Self::Text(pieces) => pieces.len() as u64,
            Self::Call { .. } => ARGUMENTS.len() as u64,
        }
    }
}

impl<'a> Reply<'a> {
    /// The reply to `ask`, the `number`th of its provider.
    pub(crate) fn new(stage: &'a Stage, operation: Operation, ask: &'a Ask, (number, created): (u64, u64)) -> Self {
        let mut reply = Self { stage, ask, operation, parts: Vec::new(), finish: Finish::Stop, number, created };
        if !operation.writes() {
            return reply;
        }
        let chat = operation == Operation::Chat;
        let mut left = ask.most.unwrap_or(u64::MAX);
        if chat && stage.script.thinking {
            let thought: Vec<_> = take(THOUGHT.split_inclusive(' ').map(Cow::Borrowed), &mut left);
            reply.parts.push(Part::Thought(thought));
        }
        let calls = if chat { stage.calls(ask) } else { 0 };
        for at in 0..calls {
            let name = &ask.tools[at % ask.tools.len()];
            reply.parts.push(Part::Call { id: call_id(number, at), name });
        }
        if calls > 0 {
            reply.finish = Finish::Calls;
            return reply;
        }
        let json = ask.schema.as_ref().filter(|_| chat).map(|schema| sample(schema).to_string());
        let (full, pieces): (u64, Vec<Cow<'a, str>>) = match json {
            Some(json) => {
                let characters: Vec<char> = json.chars().collect();
                let pieces = characters.chunks(JSON_PIECE).map(|piece| Cow::Owned(piece.iter().collect()));
                (characters.len().div_ceil(JSON_PIECE) as u64, take(pieces, &mut left))
            }
            None => {
                let full = stage.length();
                (full, take(stage.words.pieces(full).map(Cow::Borrowed), &mut left))
            }
        };
        if (pieces.len() as u64) < full {
            reply.finish = Finish::Length;
        }
        reply.parts.push(Part::Text(pieces));
        reply
    }

    /// Completion tokens of all choices.
    pub(crate) fn completion(&self) -> u64 {
        self.parts.iter().map(Part::tokens).sum::<u64>() * self.ask.n
    }

    /// Tokens of thoughts among them.
    pub(crate) fn reasoning(&self) -> u64 {
        let thoughts = self.parts.iter().filter(|part| matches!(part, Part::Thought(_)));
        thoughts.map(Part::tokens).sum::<u64>() * self.ask.n
    }

    /// Tokens of the prompt that came from a cache.
    pub(crate) fn cached(&self) -> u64 {
        self.stage.script.cached_tokens.min(self.ask.prompt)
    }

    /// Whether a tool is called.
    pub(crate) fn is_call(&self) -> bool {
        self.finish == Finish::Calls
    }
}

/// The id of the `at`th call of a reply.
fn call_id(number: u64, at: usize) -> String {
    if at == 0 { format!("call_{number:012x}") } else { format!("call_{number:012x}_{at}") }
}

/// As many pieces as are left.
fn take<'a>(pieces: impl Iterator<Item = Cow<'a, str>>, left: &mut u64) -> Vec<Cow<'a, str>> {
    let taken: Vec<_> = pieces.take(usize::try_from(*left).unwrap_or(usize::MAX)).collect();
    *left -= taken.len() as u64;
    taken
}

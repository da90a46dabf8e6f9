//! A script made ready to play, and the turn that a request gets in it.

use std::time::Duration;

use fastrand::Rng;
use http::{HeaderName, HeaderValue};

use crate::ask::{Ask, ToolChoice};
use crate::flight::Flight;
use crate::meters::Load;
use crate::replies::Words;
use crate::script::ProviderScript;
use crate::scripted::{ScriptedStatus, headers};
use crate::target::Operation;

/// The model there is when the script names none.
const MODEL: &str = "fake-model";

/// A script, and what is made ready from it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) script: ProviderScript,
    pub(crate) words: Words,
    /// Those of the script.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// What an admitted request is to get.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) flight: Flight,
    pub(crate) outcome: Outcome,
    /// Until the headers.
    pub(crate) latency: Duration,
    /// Of the response.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Which of the provider's requests this is.
    pub(crate) number: u64,
    /// Dice of its own, so that no other request changes them.
    pub(crate) rng: Rng,
}

/// What the script has in store.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A reply; with these further headers.
    Reply(Vec<(HeaderName, HeaderValue)>),
    /// A dictated answer.
    Dictated(ScriptedStatus),
    /// Nothing, ever.
    Silence,
}

impl Stage {
    /// Makes a script ready.
    pub(crate) fn new(script: ProviderScript) -> Self {
        Self { words: Words::new(&script.text), headers: headers(&script.headers).collect(), script }
    }

    /// What a request weighs.
    pub(crate) fn load(&self, operation: Operation, ask: &Ask) -> Load {
        let reserve = if operation.writes() { ask.n * ask.most.unwrap_or_else(|| self.length()) } else { 0 };
        Load { prompt: ask.prompt, reserve }
    }

    /// How many tools a reply calls.
    pub(crate) fn calls(&self, ask: &Ask) -> usize {
        let ProviderScript { tool_calls, parallel_tool_calls, .. } = self.script;
        let most = match (tool_calls, parallel_tool_calls) {
            _ if ask.tools.is_empty() || ask.tool_choice == ToolChoice::None => 0,
            (false, 0) => 0,
            (_, calls) => calls.max(1),
        };
        if ask.tool_choice == ToolChoice::One { most.min(1) } else { most }
    }

    /// The models there are.
    pub(crate) fn models(&self) -> Vec<&str> {
        let named: Vec<_> = self.script.models.iter().map(String::as_str).collect();
        if named.is_empty() { vec![MODEL] } else { named }
    }

    /// Tokens of a reply that nobody cuts short.
    pub(crate) fn length(&self) -> u64 {
        match self.words.count() {
            0 => 0,
            words => self.script.tokens.unwrap_or(words),
        }
    }
}

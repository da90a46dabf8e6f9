//! A script made ready to play, and the turn that a request gets in it.

use std::time::Duration;

use fastrand::Rng;
use http::{HeaderName, HeaderValue};

use crate::ask::Ask;
use crate::flight::Flight;
use crate::meters::Load;
use crate::replies::Words;
use crate::script::ProviderScript;
use crate::scripted::{ScriptedStatus, headers};
use crate::target::Operation;

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

    /// Tokens of a reply that nobody cuts short.
    pub(crate) fn length(&self) -> u64 {
        match self.words.count() {
            0 => 0,
            words => self.script.tokens.unwrap_or(words),
        }
    }
}

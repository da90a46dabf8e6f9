//! What requests run in: everything but the routing table.

use std::sync::Arc;

use weighbridge_domain::event::Observer;
use weighbridge_domain::time::Timestamp;
use weighbridge_providers::credentials::{self, Credentials};
use weighbridge_providers::transport::Transport;
use weighbridge_state::SharedState;

use crate::clock::Clock;
use crate::dice::Dice;
use crate::tokens::Ratios;

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The truth about deployments.
    pub state: Arc<dyn SharedState>,
    /// The way to providers.
    pub transport: Arc<dyn Transport>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Where random numbers start, so that a test can repeat them; `None` starts anywhere.
    pub seed: Option<u64>,
}

/// What an engine is made of, and the clock and dice that it brings itself.
#[derive(Debug)]
pub(crate) struct World {
    parts: Parts,
    credentials: Credentials,
    ratios: Arc<Ratios>,
    clock: Clock,
    dice: Dice,
}

impl World {
    pub(crate) fn new(parts: Parts) -> Self {
        let dice = Dice::new(parts.seed);
        let clock = Clock::start();
        let told = credentials::Clock::new(move || clock.now());
        let credentials = Credentials::new(Arc::clone(&parts.transport), told);
        Self { parts, credentials, ratios: Arc::default(), clock, dice }
    }

    pub(crate) fn state(&self) -> &Arc<dyn SharedState> {
        &self.parts.state
    }

    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.parts.transport
    }

    /// What signs requests, and fetches tokens for them.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What was learned of how long prompts are.
    pub(crate) fn ratios(&self) -> &Arc<Ratios> {
        &self.ratios
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        &self.parts.observer
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A number in `[0, 1)`.
    pub(crate) fn roll(&self) -> f64 {
        self.dice.roll()
    }
}

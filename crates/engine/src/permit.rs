//! A grant that cannot be forgotten.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::name::DeploymentId;
use weighbridge_state::{Grant, Outcome, Settlement, SharedState};

use crate::clock::Clock;

/// The right to call a deployment once. Settled when the call ends; one that is dropped, because
/// the client hung up, settles for what was delivered so far.
#[derive(Debug)]
pub(crate) struct Permit {
    state: Arc<dyn SharedState>,
    clock: Clock,
    settlement: Option<Settlement>,
}

impl Permit {
    pub(crate) fn new(
        state: Arc<dyn SharedState>,
        clock: Clock,
        grant: Grant,
        deployment: Arc<Deployment>,
        peers: Arc<[DeploymentId]>,
    ) -> Self {
        let settlement = Settlement { grant, deployment, used: None, outcome: Outcome::Neutral, peers };
        Self { state, clock, settlement: Some(settlement) }
    }

    /// Notes that the first token is there.
    pub(crate) fn first_token(&self) {
        if let Some(settlement) = &self.settlement {
            self.state.first_token(&settlement.grant, self.clock.now());
        }
    }

    /// Notes what is charged if the client hangs up now.
    pub(crate) fn delivered(&mut self, tokens: Tokens) {
        if let Some(settlement) = &mut self.settlement {
            settlement.used = Some(tokens);
        }
    }

    /// Ends the grant.
    pub(crate) fn settle(mut self, used: Option<Tokens>, outcome: Outcome) {
        if let Some(settlement) = &mut self.settlement {
            settlement.used = used;
            settlement.outcome = outcome;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(settlement) = self.settlement.take() {
            self.state.settle(settlement, self.clock.now());
        }
    }
}

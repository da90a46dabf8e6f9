//! What a reply teaches about the length of prompts.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::request::Estimate;
use weighbridge_domain::usage::Usage;

use super::ratios::Ratios;
use crate::journal::Journal;

/// An estimate that waits for its deployment's own count.
#[derive(Debug)]
pub(crate) struct Lesson {
    ratios: Arc<Ratios>,
    deployment: DeploymentId,
    estimated: u32,
    /// Nothing need be remembered of it afterwards.
    is_fleeting: bool,
}

impl Lesson {
    /// The lesson of a prompt that was estimated and sent to `deployment`.
    pub(crate) fn new(ratios: &Arc<Ratios>, deployment: &Deployment, estimate: Estimate) -> Self {
        Self {
            ratios: Arc::clone(ratios),
            deployment: deployment.id.clone(),
            estimated: estimate.input,
            is_fleeting: deployment.is_fleeting,
        }
    }

    /// Takes in what the deployment counted, and tells by how much the corrected estimate was off.
    pub(crate) fn learn(&self, usage: &Usage, journal: &Journal) {
        let counted = usage.prompt_tokens;
        if self.estimated == 0 || counted == 0 {
            return;
        }
        let corrected = f64::from(self.estimated) * self.ratios.of(&self.deployment).unwrap_or(1.0);
        journal.prompt_counted(&self.deployment, corrected / f64::from(counted));
        if !self.is_fleeting {
            self.ratios.learn(&self.deployment, self.estimated, counted);
        }
    }
}

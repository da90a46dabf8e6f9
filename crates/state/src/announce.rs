//! What observers are told by every store alike.

use weighbridge_domain::event::{Event, Observer};
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::time::Timestamp;

use crate::Settlement;
use crate::books::Change;

/// A grant has ended.
pub(crate) fn settled(observer: &dyn Observer, settlement: &Settlement) {
    if let Some(used) = settlement.used {
        let (reserved, used) = (settlement.grant.tokens.total(), used.total());
        observer.observe(&Event::Settled { deployment: &settlement.deployment.id, reserved, used });
    }
}

/// A deployment's condition may have changed at `now`.
pub(crate) fn changed(observer: &dyn Observer, deployment: &DeploymentId, change: Change, now: Timestamp) {
    match change {
        Change::None => {}
        Change::Back => observer.observe(&Event::CooldownEnded { deployment }),
        Change::Rests { until, cause } => {
            observer.observe(&Event::CooldownStarted { deployment, cause, until, lasts: until.since(now) });
        }
    }
}

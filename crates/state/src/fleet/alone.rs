//! What a replica grants while the shared store is out of reach.

use std::time::Duration;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::limits::{Limits, Tokens};
use weighbridge_domain::store::{OnStoreLoss, PartitionSafety};
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::WindowUsage;

use super::shard::Shard;
use super::share;
use super::windows::WINDOW;
use crate::{Admission, Exposure, Grant, Mode, Refusal, RefusalCause, Reserve};

/// How long the others need to notice that a replica has vanished, and to forget what they were granted of its
/// share before.
const WITHHELD_AFTER: Duration = Duration::from_millis(62_500);

/// A request for so many tokens, asked of a replica that lost the store then.
struct Asked {
    tokens: Tokens,
    now: Timestamp,
    lost_at: Timestamp,
}

impl Shard {
    /// Grants by what this replica may do alone.
    pub(crate) fn grant_alone(&self, ask: Reserve<'_>, now: Timestamp) -> Admission {
        if self.has_left() {
            return Admission::Refused(Refusal { retry_at: None, cause: RefusalCause::AtLimit });
        }
        let asked = Asked { tokens: ask.tokens, now, lost_at: self.is_lost(now) };
        match self.books.grant(ask, |deployment, own| self.limits_alone(deployment, own, &asked), now) {
            Admission::Granted(grant) => {
                self.windows.granted_alone(&ask.candidates[grant.candidate].deployment.quota, grant.tokens);
                Admission::Granted(Grant { is_local: true, ..grant })
            }
            refused @ Admission::Refused(_) => refused,
        }
    }

    /// Grants a deployment that has no limits and never rests: the others need not know.
    pub(crate) fn grant_fleeting(&self, ask: Reserve<'_>, now: Timestamp) -> Admission {
        if self.has_left() {
            return Admission::Refused(Refusal { retry_at: None, cause: RefusalCause::AtLimit });
        }
        match self.books.grant(ask, |deployment, _| deployment.limits, now) {
            Admission::Granted(grant) => Admission::Granted(Grant { is_local: true, ..grant }),
            refused @ Admission::Refused(_) => refused,
        }
    }

    fn limits_alone(&self, deployment: &Deployment, own: WindowUsage, asked: &Asked) -> Limits {
        let limits = &deployment.limits;
        let away = asked.now.since(asked.lost_at);
        let is_over = self.habits.local_max.is_some_and(|longest| away > longest);
        let waits = self.habits.partition_safety == PartitionSafety::Withhold && away < WITHHELD_AFTER;
        match self.habits.on_store_loss {
            OnStoreLoss::Open => return Limits { basis: limits.basis, ..Limits::default() },
            _ if limits.is_unlimited() => return *limits,
            OnStoreLoss::Closed => return share::closed(limits),
            OnStoreLoss::LocalShare if is_over || waits => return share::closed(limits),
            OnStoreLoss::LocalShare => {}
        }
        let quota = &deployment.quota;
        let since = (away < WINDOW).then(|| self.windows.since_loss(quota, own, asked.lost_at, asked.now));
        share::limits(limits, self.seat(quota), since, own, asked.tokens)
    }

    /// How far beyond its limits a deployment may be used because this replica is cut off.
    pub(crate) fn exposure(&self, deployment: &Deployment) -> Exposure {
        let limits = &deployment.limits;
        if self.mode() == Mode::Shared || limits.is_unlimited() {
            return Exposure::default();
        }
        match self.habits.on_store_loss {
            OnStoreLoss::Closed => Exposure::default(),
            OnStoreLoss::Open => {
                let all = |limit: Option<u32>| if limit.is_some() { f64::INFINITY } else { 0.0 };
                Exposure { requests: all(limits.rpm), tokens: all(limits.tpm) }
            }
            // Its part is left alone by the others.
            OnStoreLoss::LocalShare if self.habits.partition_safety == PartitionSafety::Withhold => Exposure::default(),
            // The others may use all of it, and this one its part.
            OnStoreLoss::LocalShare => {
                let part = self.seat(&deployment.quota).of(limits);
                let float = |limit: Option<u32>| limit.map_or(0.0, f64::from);
                Exposure { requests: float(part.rpm), tokens: float(part.tpm) }
            }
        }
    }
}

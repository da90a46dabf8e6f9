//! What this replica has added to each window, and what the others have as far as it knows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::name::{NameMap, QuotaName};
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::WindowUsage;

use super::protocol::{Granted, Stake, WindowReport};
use super::share::SinceLoss;

/// How long what is known of the others counts without being heard again.
pub(crate) const WINDOW: Duration = Duration::from_secs(61);
/// How long a window is looked at after somebody wanted to know of it.
const WANTED_FOR: Duration = Duration::from_secs(10);

/// Windows by quota.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<NameMap<QuotaName, Known>>);

/// What is known of one window beside this replica's own books.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    granted: Granted,
    /// What of that the store has acknowledged.
    acknowledged: Granted,
    /// What the others have used, and when that was heard.
    others: Others,
    heard_at: Timestamp,
    /// When a turn last said so.
    heard: Option<Instant>,
    /// Whether a call came to nothing in which something may have been granted.
    in_doubt: bool,
    /// When somebody last wanted to know.
    wanted_at: Timestamp,
    /// When the store was lost, and what has come of it since.
    since: Option<(Timestamp, SinceLoss)>,
}

/// What the others do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Others {
    pub(crate) usage: WindowUsage,
    pub(crate) in_flight: u32,
}

/// What this replica's own books say of a window at some instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    pub(crate) usage: WindowUsage,
    pub(crate) in_flight: u32,
    pub(crate) at: Timestamp,
}

impl Windows {
    /// What this replica says of itself about a window.
    pub(crate) fn stake(&self, quota: &QuotaName, own: Own) -> Stake {
        let known = self.lock().get(quota).copied().unwrap_or_default();
        let Own { usage, in_flight, .. } = own;
        Stake { granted: known.granted, acknowledged: known.acknowledged.requests, recent: usage, in_flight }
    }

    /// Takes over what the store holds of a window, in reply to a `stake` and after granting `granted` more.
    pub(crate) fn heard(&self, quota: &QuotaName, report: &WindowReport, stake: &Stake, granted: Granted, own: Own) {
        let mut windows = self.lock();
        let known = windows.entry(quota.clone()).or_default();
        known.acknowledge(report, stake, granted);
        let in_flight = stake.in_flight.saturating_add(u32::try_from(granted.requests).unwrap_or(u32::MAX));
        known.others =
            Others { usage: known.not_mine(report, own), in_flight: report.in_flight.saturating_sub(in_flight) };
        known.heard_at = own.at;
        // By this process's own clock: the store's may be put back.
        known.heard = Some(Instant::now());
        known.in_doubt = false;
        known.since = None;
    }

    /// Takes over that the store has been told of a `stake`. What it holds beside that may not be all yet: others are
    /// telling it too.
    pub(crate) fn told(&self, quota: &QuotaName, report: &WindowReport, stake: &Stake) {
        let mut windows = self.lock();
        let known = windows.entry(quota.clone()).or_default();
        known.acknowledge(report, stake, Granted::default());
        known.in_doubt = false;
    }

    /// Takes over what a snapshot shows of a window that was asked for at `sent`, unless something newer is known, or
    /// more than it shows.
    pub(crate) fn saw(&self, quota: &QuotaName, report: &WindowReport, own: Own, sent: Instant) {
        let mut windows = self.lock();
        let known = windows.entry(quota.clone()).or_default();
        let has_forgotten = known.mine_told(own).requests > report.usage.requests;
        if known.heard.is_some_and(|heard| heard > sent) || has_forgotten {
            return;
        }
        known.others =
            Others { usage: known.not_mine(report, own), in_flight: report.in_flight.saturating_sub(own.in_flight) };
        known.heard_at = own.at;
    }

    /// What the others do, for somebody who wants to know.
    pub(crate) fn others(&self, quota: &QuotaName, now: Timestamp) -> Others {
        let mut windows = self.lock();
        let Some(known) = windows.get_mut(quota) else {
            windows.insert(quota.clone(), Known { wanted_at: now, ..Known::default() });
            return Others::default();
        };
        known.wanted_at = now;
        Others { usage: known.others_usage(now), ..known.others }
    }

    /// Whether somebody wanted to know of each of `quotas` lately.
    pub(crate) fn are_wanted<'a>(&self, quotas: impl Iterator<Item = &'a QuotaName>, now: Timestamp) -> Vec<bool> {
        let windows = self.lock();
        let is_wanted = |known: &Known| now.since(known.wanted_at) < WANTED_FOR;
        quotas.map(|quota| windows.get(quota).is_some_and(is_wanted)).collect()
    }

    /// Counts a grant that the store knows nothing of.
    pub(crate) fn granted_alone(&self, quota: &QuotaName, tokens: Tokens) {
        let mut windows = self.lock();
        let known = windows.entry(quota.clone()).or_default();
        known.granted.add(tokens);
        if let Some((_, since)) = &mut known.since {
            since.spent.add(tokens);
        }
    }

    /// What the fleet had used when the store was lost, which was at `lost_at`, and what was granted here since.
    pub(crate) fn since_loss(
        &self,
        quota: &QuotaName,
        own: WindowUsage,
        lost_at: Timestamp,
        now: Timestamp,
    ) -> SinceLoss {
        let mut windows = self.lock();
        let known = windows.entry(quota.clone()).or_default();
        match known.since {
            Some((at, since)) if at == lost_at => since,
            // It was found in the meantime, or this is the first that is granted without it.
            Some(_) | None => {
                let since = SinceLoss { used: known.others_usage(now).and(own), spent: Granted::default() };
                known.since = Some((lost_at, since));
                since
            }
        }
    }

    /// Every window there is, in an order that a seed repeats.
    pub(crate) fn quotas(&self) -> Vec<QuotaName> {
        let mut quotas: Vec<_> = self.lock().keys().cloned().collect();
        quotas.sort_unstable();
        quotas
    }

    /// The windows in which something was granted that the store has not been told of.
    pub(crate) fn untold(&self) -> Vec<QuotaName> {
        let windows = self.lock();
        let untold = windows.iter().filter(|(_, known)| known.in_doubt || known.untold().requests > 0);
        let mut quotas: Vec<_> = untold.map(|(quota, _)| quota.clone()).collect();
        quotas.sort_unstable();
        quotas
    }

    /// Notes that something may have been granted in a window whose reply did not come: the store holds a place in
    /// flight for it until it hears what this replica really has.
    pub(crate) fn doubt(&self, quota: &QuotaName) {
        self.lock().entry(quota.clone()).or_default().in_doubt = true;
    }

    /// Whether that is so.
    pub(crate) fn is_in_doubt(&self, quota: &QuotaName) -> bool {
        self.lock().get(quota).is_some_and(|known| known.in_doubt)
    }

    /// Counts all that this replica has in the window as granted anew: the store's clock has jumped, and has taken it out
    /// of the window before its time.
    pub(crate) fn grant_again(&self, quota: &QuotaName, own: WindowUsage) {
        let mut windows = self.lock();
        let known = windows.entry(quota.clone()).or_default();
        let again = Granted { requests: own.requests.into(), input: own.input, output: own.output };
        known.granted = known.granted.and(again);
    }

    /// Forgets those of `quotas`.
    pub(crate) fn forget(&self, quotas: &[QuotaName]) {
        let mut windows = self.lock();
        for quota in quotas {
            windows.remove(quota);
        }
    }

    fn lock(&self) -> MutexGuard<'_, NameMap<QuotaName, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What was granted here that the store has not been told of.
    fn untold(&self) -> Granted {
        self.granted.beyond(self.acknowledged)
    }

    /// What of this replica's own usage the store knows of.
    fn mine_told(&self, own: Own) -> WindowUsage {
        let Granted { requests, input, output } = self.untold();
        own.usage.beyond(WindowUsage { requests: u32::try_from(requests).unwrap_or(u32::MAX), input, output })
    }

    /// What of a window is the others'.
    fn not_mine(&self, report: &WindowReport, own: Own) -> WindowUsage {
        report.usage.beyond(self.mine_told(own))
    }

    fn acknowledge(&mut self, report: &WindowReport, stake: &Stake, granted: Granted) {
        // More than was asked for: grants whose reply was lost. They count as this replica's.
        let unknown = report.granted.beyond(stake.granted.and(granted));
        self.granted = self.granted.and(granted).and(unknown);
        self.acknowledged = report.granted;
    }

    fn others_usage(&self, now: Timestamp) -> WindowUsage {
        if now.since(self.heard_at) < WINDOW { self.others.usage } else { WindowUsage::default() }
    }
}

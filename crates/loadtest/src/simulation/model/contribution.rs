//! What a replica has added to a window, and what it says of that: `contribution.lua`.

use weighbridge_state::fleet::protocol::Stake;

use super::window::{Amount, Window, signed};

/// What a replica has added to a window since it started, and what it has in flight there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Contribution {
    pub(super) requests: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) in_flight: u32,
}

/// A window that a replica's stake was merged into.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) window: Window,
    pub(super) mine: Contribution,
    pub(super) is_new: bool,
    pub(super) is_dirty: bool,
}

/// Whether the server might have forgotten what others may have lost as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Then nothing is merged.
    Matters,
    /// It is being told again.
    IsTold,
}

/// Merges what a replica says into the window it finds; `None` for a loss that matters.
pub(super) fn join(
    found: Option<&Window>,
    stored: Option<Contribution>,
    stake: &Stake,
    loss: Loss,
    now: u64,
) -> Option<Open> {
    let is_new = found.is_none();
    let mut window = found.cloned().unwrap_or_default();
    window.roll(now);
    let stored = if is_new { Contribution::default() } else { stored.unwrap_or_default() };
    let is_lost = if is_new { stake.recent.requests > 0 } else { stored.requests < stake.acknowledged };
    if loss == Loss::Matters && is_lost {
        return None;
    }
    let granted = stake.granted;
    // Only what would still count is charged again.
    let lost = Amount {
        requests: signed(granted.requests.saturating_sub(stored.requests).min(stake.recent.requests.into())),
        input: signed(granted.input.saturating_sub(stored.input).min(stake.recent.input)),
        output: signed(granted.output.saturating_sub(stored.output).min(stake.recent.output)),
    };
    let mut is_dirty = stake.in_flight != stored.in_flight || granted.requests > stored.requests;
    if !lost.is_nothing() {
        window.add(window.second, lost);
        is_dirty = true;
    }
    window.in_flight += i64::from(stake.in_flight) - i64::from(stored.in_flight);
    let mine = Contribution {
        requests: granted.requests.max(stored.requests),
        input: granted.input.max(stored.input),
        output: granted.output.max(stored.output),
        in_flight: stake.in_flight,
    };
    Some(Open { window, mine, is_new, is_dirty })
}

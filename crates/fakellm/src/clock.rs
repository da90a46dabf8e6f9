//! The simulation's time.

use std::time::Duration;

use tokio::time::Instant;

/// The time stamp of every reply's first second: 2026-01-01.
const EPOCH: u64 = 1_767_225_600;

/// Counts from when it was made, and stands still under a paused tokio clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// What has passed since it began.
    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds for `created`: repeatable, as no wall clock enters.
    pub(crate) fn created(self) -> u64 {
        EPOCH + self.now().as_secs()
    }
}

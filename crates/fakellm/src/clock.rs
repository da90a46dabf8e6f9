//! The simulation's time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time stamp of every reply's first second: 2026-01-01.
const EPOCH: u64 = 1_767_225_600;

/// Counts from when it was made, and stands still under a paused tokio clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Duration,
}

impl Clock {
    /// A clock that begins now.
    #[expect(clippy::disallowed_methods, reason = "signatures and the ends of limits are dated")]
    pub(crate) fn start() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at }
    }

    /// What has passed since it began.
    pub(crate) fn now(self) -> Duration {
        self.started.elapsed()
    }

    /// What has passed since 1970.
    pub(crate) fn wall(self) -> Duration {
        self.started_at + self.now()
    }

    /// Seconds for `created`: repeatable, as no wall clock enters.
    pub(crate) fn created(self) -> u64 {
        EPOCH + self.now().as_secs()
    }
}

//! The only clock: everything else is told the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use weighbridge_domain::time::Timestamp;

/// Wall-clock time that never steps: read once, then carried on by the runtime's own clock, so
/// that a test that pauses the runtime pauses this too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started_at: Duration,
    started: Instant,
}

impl Clock {
    /// A clock that shows the present time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub(crate) fn start() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started_at, started: Instant::now() }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::default() + self.started_at + self.started.elapsed()
    }
}

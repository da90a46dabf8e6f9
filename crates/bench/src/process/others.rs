//! Who else used the machine meanwhile.

use std::fs;
use std::time::Duration;

use tokio::time::Instant;

use super::cpu::Cpu;
use super::stat::{TICK_US, busy_ticks};

/// The machine and this process with all that it started, at an instant.
#[derive(Debug)]
pub(crate) struct Others {
    at: Instant,
    busy: Duration,
    own: Cpu,
}

impl Others {
    /// From now on.
    pub(crate) fn watch() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let busy = Duration::from_micros(busy_ticks(&stat).unwrap_or_default() * TICK_US);
        Self { at: Instant::now(), busy, own: Cpu::of(&[std::process::id()]) }
    }

    /// How many processors' time others have used since then: 0.1 is a tenth of one.
    pub(crate) fn used(&self) -> f64 {
        let now = Self::watch();
        let busy = now.busy.saturating_sub(self.busy);
        busy.saturating_sub(now.own.since(&self.own)).as_secs_f64() / (now.at - self.at).as_secs_f64()
    }
}

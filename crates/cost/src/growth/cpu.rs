//! The processor time of a thread, whatever else the machine does.

use std::fs;
use std::path::PathBuf;

/// Where the kernel tells how long a thread has run.
#[derive(Debug, Clone)]
pub(super) struct Thread(PathBuf);

impl Thread {
    /// The one that calls this.
    pub(super) fn this() -> Result<Self, String> {
        let thread = fs::read_link("/proc/thread-self").map_err(|error| error.to_string())?;
        Ok(Self(PathBuf::from("/proc").join(thread).join("schedstat")))
    }

    /// Its processor time so far, user and system, in seconds.
    pub(super) fn seconds(&self) -> Result<f64, String> {
        let text = fs::read_to_string(&self.0).map_err(|error| error.to_string())?;
        let nanoseconds: f64 = text.split(' ').next().and_then(|ns| ns.parse().ok()).ok_or("no schedstat")?;
        Ok(nanoseconds / 1e9)
    }
}

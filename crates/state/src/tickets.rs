//! Counters that a process gives out numbers from.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Counters by name.
#[derive(Debug, Default)]
pub(crate) struct Tickets(RwLock<HashMap<String, AtomicU64>>);

impl Tickets {
    /// The next number of the counter `key`: 0, 1, 2, …
    pub(crate) fn next(&self, key: &str) -> u64 {
        if let Some(counter) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return counter.fetch_add(1, Ordering::Relaxed);
        }
        let mut counters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        counters.entry(key.to_owned()).or_default().fetch_add(1, Ordering::Relaxed)
    }
}

//! Counters that a process gives out numbers from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::generations::Generations;

/// The most counters that are remembered; clients name them too. One that is forgotten begins again.
const MOST: usize = 10_000;

/// Counters by name.
#[derive(Debug)]
pub(crate) struct Tickets(RwLock<Generations<String, AtomicU64>>);

impl Default for Tickets {
    fn default() -> Self {
        Self(RwLock::new(Generations::new(MOST)))
    }
}

impl Tickets {
    /// The next number of the counter `key`: 0, 1, 2, …
    pub(crate) fn next(&self, key: &str) -> u64 {
        if let Some(counter) = self.0.read().unwrap_or_else(PoisonError::into_inner).young(key) {
            return counter.fetch_add(1, Ordering::Relaxed);
        }
        let mut counters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        counters.make_room(|_, _| false);
        counters.renew(key.to_owned(), AtomicU64::default).fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Tickets};

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let tickets = Tickets::default();
        for number in 0..3 * MOST as u64 {
            assert_eq!(tickets.next("used"), number);
            tickets.next(&number.to_string());
        }
        assert!(tickets.0.read().unwrap().values().count() <= MOST);
        assert_eq!(tickets.next("0"), 0, "it was forgotten");
        assert_eq!(tickets.next(&(3 * MOST - 1).to_string()), 1);
    }
}

//! How many requests are served at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;

use crate::refusal::Refusal;

/// Counts the requests being served. The limit is an argument, because a reload may change it.
#[derive(Debug, Default)]
pub(crate) struct Admission(Arc<AtomicUsize>);

/// A request's place; free again when this is dropped, which for a stream is at its end.
#[derive(Debug)]
pub(crate) struct Slot(Arc<AtomicUsize>);

impl Admission {
    /// A place, unless `limit` are taken.
    ///
    /// # Errors
    /// 503 when none is left. The client may ask again: nothing was tried.
    pub(crate) fn enter(&self, limit: usize) -> Result<Slot, Refusal> {
        // Only the number itself is shared, so no other memory has to be ordered by it.
        if self.0.fetch_add(1, Ordering::Relaxed) >= limit {
            self.0.fetch_sub(1, Ordering::Relaxed);
            let message = format!("This replica is serving {limit} requests, which is all it may at once.");
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable_error", message);
            return Err(refusal.retry_after(Duration::from_secs(1)));
        }
        Ok(Slot(Arc::clone(&self.0)))
    }

    /// Places taken.
    pub(crate) fn in_flight(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Admission;

    #[test]
    fn places_are_counted_and_given_back() {
        let admission = Admission::default();
        let first = admission.enter(2).unwrap();
        let second = admission.enter(2).unwrap();
        assert_eq!(admission.enter(2).unwrap_err().status().as_u16(), 503);
        assert_eq!(admission.in_flight(), 2);
        drop(first);
        let third = admission.enter(2).unwrap();
        drop((second, third));
        assert_eq!(admission.in_flight(), 0);
        assert!(admission.enter(0).is_err());
    }
}

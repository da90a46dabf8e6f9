//! When the end begins.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells everybody when the end begins. Clones are one.
#[derive(Debug, Clone)]
pub struct Drain(Arc<watch::Sender<bool>>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Drain {
    /// An end that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the end: readiness is 503 at once. Beginning it again changes nothing.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it has.
    pub async fn begun(&self) {
        // Fails only when the sender is gone, and `self` holds it.
        drop(self.0.subscribe().wait_for(|is_draining| *is_draining).await);
    }
}

#[cfg(test)]
mod tests {
    use super::Drain;

    #[tokio::test]
    async fn the_end_is_told_to_all() {
        let drain = Drain::new();
        assert!(!drain.is_draining());
        drain.clone().begin();
        drain.begun().await;
        drain.begin();
        assert!(drain.is_draining());
    }
}

//! Waiting for what is about to be so.

use std::time::Duration;

use tokio::time::Instant;

/// Waits until `is_so`, looking every 10 ms, and tells how long that took; panics when it is not so after `limit`.
pub async fn eventually(what: &str, limit: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

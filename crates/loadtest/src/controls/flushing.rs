//! Counts for itself, and tells the others ten times a second, as `LiteLLM`'s router does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::links::Links;

/// How often counts are exchanged.
const INTERVAL: Duration = Duration::from_millis(100);

/// A replica that adds what it granted to a counter in Redis now and then, and reads the sum.
#[derive(Debug)]
pub struct Flushing {
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<String, Count>>);

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    /// The sum at the last exchange.
    known: u64,
    /// Granted since.
    own: u64,
}

impl Flushing {
    /// One of a fleet that exchanges its counts at the server at `port`.
    pub fn at(port: u16) -> Self {
        let counts = Arc::<Counts>::default();
        let task = tokio::spawn(exchange(Arc::clone(&counts), Links::to(port)));
        Self { counts, task }
    }

    /// Whether there is room for one more.
    pub fn admit(&self, name: &str, limit: u64) -> bool {
        let mut counts = self.counts.lock();
        let count = counts.entry(name.to_owned()).or_default();
        let is_room = count.known + count.own < limit;
        count.own += u64::from(is_room);
        is_room
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn exchange(counts: Arc<Counts>, links: Links) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let told: Vec<_> = counts.lock().iter().map(|(name, count)| (name.clone(), count.own)).collect();
        for (name, own) in told {
            let Ok(sum) = links.call(&["INCRBY", &name, &own.to_string()]).await else { return };
            if let Some(count) = counts.lock().get_mut(&name) {
                count.known = sum.int().unsigned_abs();
                count.own -= own;
            }
        }
    }
}

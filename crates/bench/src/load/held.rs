//! Many streams that are held open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Ask;
use crate::http::{Connection, Reader};

/// How many are begun at once.
const TOGETHER: usize = 20;

/// Streams that are read as they come, until this is dropped: then their connections break.
#[derive(Debug)]
pub(crate) struct Held {
    /// Aborts them all when it is dropped.
    _tasks: JoinSet<Result<(), String>>,
}

impl Held {
    /// Opens so many, and waits until each has had its first chunk.
    ///
    /// # Errors
    /// When one breaks, or one had nothing within `patience`.
    pub(crate) async fn open(
        address: SocketAddr,
        ask: &Ask,
        streams: usize,
        patience: Duration,
    ) -> Result<Self, String> {
        let (begun, mut tasks, ask) =
            (Arc::new(AtomicUsize::new(0)), JoinSet::<Result<(), String>>::new(), Arc::new(ask.clone()));
        let give_up_at = Instant::now() + patience;
        while begun.load(Ordering::Relaxed) < streams {
            if let Some(ended) = tasks.try_join_next() {
                return Err(ended.map_err(|error| error.to_string())?.err().unwrap_or("a stream ended".to_owned()));
            }
            if Instant::now() > give_up_at {
                let begun = begun.load(Ordering::Relaxed);
                return Err(format!("{begun} of {streams} streams had begun within {patience:?}"));
            }
            while tasks.len() < streams && tasks.len() < begun.load(Ordering::Relaxed) + TOGETHER {
                tasks.spawn(hold(address, Arc::clone(&ask), Arc::clone(&begun)));
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(Self { _tasks: tasks })
    }
}

async fn hold(address: SocketAddr, ask: Arc<Ask>, begun: Arc<AtomicUsize>) -> Result<(), String> {
    let mut connection = Connection::open(address).await?;
    connection.send(&ask.request).await?;
    let mut reader = Reader::new(ask.expected);
    let mut has_begun = false;
    while !connection.read(&mut reader).await? {
        if !has_begun && reader.marks() > 0 {
            has_begun = true;
            begun.fetch_add(1, Ordering::Relaxed);
        }
    }
    Err("a stream that should go on ended".to_owned())
}

//! Connections that ask again as soon as they have been answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Ask;
use crate::http::Connection;

/// The longest that answers are waited for once nobody asks any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connections that ask until they are told to stop.
#[derive(Debug)]
pub(crate) struct Closed {
    tally: Arc<Tally>,
    tasks: Vec<JoinHandle<Result<(), String>>>,
}

/// What came of it so far.
#[derive(Debug, Default)]
struct Tally {
    is_over: AtomicBool,
    answers: AtomicU64,
    marks: AtomicU64,
    /// Until the first mark of each answer had arrived.
    firsts: Mutex<Vec<Duration>>,
}

/// Counts at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    /// When.
    pub(crate) at: Instant,
    /// Whole answers.
    pub(crate) answers: u64,
    /// Marks in them.
    pub(crate) marks: u64,
}

impl Closed {
    /// So many connections, spread over `addresses`, that ask until [`Closed::stop`].
    pub(crate) fn endless(addresses: &[SocketAddr], connections: usize, ask: &Ask) -> Self {
        Self::start(addresses, connections, ask, u64::MAX, Duration::ZERO)
    }

    /// So many connections that ask `times` each, the second beginning `apart` after the first and so on.
    pub(crate) fn counted(address: SocketAddr, connections: usize, ask: &Ask, times: u64, apart: Duration) -> Self {
        Self::start(&[address], connections, ask, times, apart)
    }

    fn start(addresses: &[SocketAddr], connections: usize, ask: &Ask, times: u64, apart: Duration) -> Self {
        let (tally, ask) = (Arc::new(Tally::default()), Arc::new(ask.clone()));
        let places = addresses.iter().cycle().zip((0u32..).take(connections));
        let tasks = places.map(|(address, place)| {
            let (address, ask, tally) = (*address, Arc::clone(&ask), Arc::clone(&tally));
            tokio::spawn(async move {
                sleep(apart * place).await;
                converse(address, &ask, times, &tally).await
            })
        });
        Self { tasks: tasks.collect(), tally }
    }

    /// How much there is by now.
    pub(crate) fn count(&self) -> Count {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Count { at: Instant::now(), answers: read(&self.tally.answers), marks: read(&self.tally.marks) }
    }

    /// Lets nobody ask again, and waits for the last answers.
    ///
    /// # Errors
    /// When an answer was not the one expected, or did not come.
    pub(crate) async fn stop(self) -> Result<(), String> {
        self.tally.is_over.store(true, Ordering::Relaxed);
        self.ended(PATIENCE).await.map(|_| ())
    }

    /// Waits until all have asked as often as they should; tells how long each answer's first mark took.
    ///
    /// # Errors
    /// When an answer was not the one expected, or did not come within `patience`.
    pub(crate) async fn ended(self, patience: Duration) -> Result<Vec<Duration>, String> {
        let give_up_at = Instant::now() + patience;
        for mut task in self.tasks {
            match timeout(give_up_at - Instant::now(), &mut task).await {
                Ok(Ok(done)) => done?,
                Ok(Err(failed)) => return Err(failed.to_string()),
                Err(_) => {
                    task.abort();
                    return Err(format!("no answer within {patience:?}"));
                }
            }
        }
        Ok(std::mem::take(&mut self.tally.firsts.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn converse(address: SocketAddr, ask: &Ask, times: u64, tally: &Tally) -> Result<(), String> {
    let mut connection = Connection::open(address).await?;
    for _ in 0..times {
        if tally.is_over.load(Ordering::Relaxed) {
            break;
        }
        let began = Instant::now();
        let answer = connection.ask(&ask.request, ask.expected).await?;
        tally.answers.fetch_add(1, Ordering::Relaxed);
        tally.marks.fetch_add(answer.marks as u64, Ordering::Relaxed);
        if times < u64::MAX {
            tally.firsts.lock().unwrap_or_else(PoisonError::into_inner).push(answer.first - began);
        }
    }
    Ok(())
}

//! The store's clock, as a replica reckons it between two replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use weighbridge_domain::time::{Timestamp, millis};

/// A step of the store's clock that is no drift, in ms.
const JUMP_MS: i64 = 500;
/// A reply that took longer says too little about the instant it was made at.
const CLOSE: Duration = Duration::from_millis(100);

/// The store's clock.
#[derive(Debug)]
pub(crate) struct ServerTime {
    started: Instant,
    /// The store's time when this process's own clock stood at zero, in ms; 0 while nobody has said.
    zero_ms: AtomicI64,
    /// Whether it was the store that said so.
    is_heard: AtomicBool,
    /// How far the guess was behind that was made before, in ms, until somebody has put right what went by it.
    guess_behind_ms: AtomicI64,
    /// In tests time is what callers say it is.
    told: Option<Arc<AtomicU64>>,
}

impl ServerTime {
    /// A clock that goes by the store's replies, or by what callers `told` it.
    pub(crate) fn new(told: Option<Arc<AtomicU64>>) -> Self {
        Self {
            started: Instant::now(),
            zero_ms: AtomicI64::new(0),
            is_heard: AtomicBool::new(false),
            guess_behind_ms: AtomicI64::new(0),
            told,
        }
    }

    /// Whether time passes by itself.
    pub(crate) const fn passes(&self) -> bool {
        self.told.is_none()
    }

    /// The store's time.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.told {
            Some(told) => Timestamp::from_millis(told.load(Ordering::Relaxed)),
            None => self.at(Instant::now()),
        }
    }

    /// The store's time, for a caller whose own clock says `now`. Before the store was heard of, its clock is
    /// taken to be the caller's.
    pub(crate) fn for_caller(&self, now: Timestamp) -> Timestamp {
        if let Some(told) = &self.told {
            told.store(now.as_millis(), Ordering::Relaxed);
            return now;
        }
        if self.zero_ms.load(Ordering::Relaxed) == 0 {
            let zero = signed(now.as_millis()) - self.elapsed_ms(Instant::now());
            // Whoever was first counts.
            self.zero_ms.compare_exchange(0, zero, Ordering::Relaxed, Ordering::Relaxed).unwrap_or(zero);
        }
        self.now()
    }

    /// When a turn must be carried out that may take `span`; `None` where time stands still.
    pub(crate) fn deadline(&self, span: Duration) -> Option<Timestamp> {
        let is_known = self.told.is_none() && self.zero_ms.load(Ordering::Relaxed) != 0;
        is_known.then(|| self.now() + span)
    }

    /// Takes over what the store's clock showed at some instant between `sent` and now. Says by how much it jumped
    /// ahead, if it did.
    pub(crate) fn heard(&self, shown: Timestamp, sent: Instant) -> Option<Duration> {
        if self.told.is_some() {
            return None;
        }
        let took = sent.elapsed();
        if took > CLOSE && self.zero_ms.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let middle = sent + took / 2;
        let zero = signed(shown.as_millis()) - self.elapsed_ms(middle);
        let before = self.zero_ms.swap(zero, Ordering::Relaxed);
        let ahead = zero - before;
        // The first word of the store replaces a guess: that is no jump of its clock.
        let is_first = !self.is_heard.swap(true, Ordering::Relaxed);
        if is_first && before != 0 {
            self.guess_behind_ms.store(ahead, Ordering::Relaxed);
        }
        (!is_first && ahead > JUMP_MS).then(|| Duration::from_millis(ahead.unsigned_abs()))
    }

    /// How far the first guess at the store's clock was behind, in ms; told once.
    pub(crate) fn guess_behind_ms(&self) -> i64 {
        self.guess_behind_ms.swap(0, Ordering::Relaxed)
    }

    fn at(&self, instant: Instant) -> Timestamp {
        let ms = self.zero_ms.load(Ordering::Relaxed) + self.elapsed_ms(instant);
        Timestamp::from_millis(u64::try_from(ms).unwrap_or_default())
    }

    fn elapsed_ms(&self, instant: Instant) -> i64 {
        signed(millis(instant.saturating_duration_since(self.started)))
    }
}

/// `there`, an instant of the store's clock, by the clock of a caller to whom the store's `server` is `now`.
pub(crate) fn to_caller(there: Timestamp, server: Timestamp, now: Timestamp) -> Timestamp {
    if there >= server { now + there.since(server) } else { now - server.since(there) }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

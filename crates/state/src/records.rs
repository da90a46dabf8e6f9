//! Records of requests that have ended, the newest of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weighbridge_domain::event::Line;

use crate::Kept;

/// How many records are kept.
pub(crate) const MOST: usize = 10_000;

/// What one process keeps.
#[derive(Debug, Default)]
pub(crate) struct Records(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The oldest first.
    records: VecDeque<Arc<dyn Line>>,
    /// The number of the one that comes next.
    next: u64,
    /// How many of the newest the store has not been told of.
    untold: usize,
}

impl Records {
    /// Keeps `records`, and forgets the oldest.
    pub(crate) fn keep(&self, records: Vec<Arc<dyn Line>>) {
        let mut inner = self.lock();
        inner.next += records.len() as u64;
        inner.untold = (inner.untold + records.len()).min(MOST);
        inner.records.extend(records);
        let above = inner.records.len().saturating_sub(MOST);
        inner.records.drain(..above);
    }

    /// At most `most` of those before the mark `before`, the newest first.
    pub(crate) fn newest(&self, before: Option<&str>, most: usize) -> Vec<Kept> {
        let inner = self.lock();
        // A mark that somebody else gave out.
        let Ok(before) = before.map_or(Ok(inner.next), str::parse) else { return Vec::new() };
        let numbered = (0..inner.next).rev().zip(inner.records.iter().rev());
        let older = numbered.filter(|(number, _)| *number < before);
        older.take(most).map(|(number, record)| Kept { mark: number.to_string(), record: record.line() }).collect()
    }

    /// At most `most` of those that the store has not been told of, the oldest first.
    pub(crate) fn untold(&self, most: usize) -> Vec<String> {
        let inner = self.lock();
        let told = inner.records.len() - inner.untold;
        inner.records.range(told..).take(most).map(|record| record.line()).collect()
    }

    /// The store has been told of `count` more.
    pub(crate) fn told(&self, count: usize) {
        let mut inner = self.lock();
        inner.untold = inner.untold.saturating_sub(count);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Line, MOST, Records};

    fn line(number: usize) -> Arc<dyn Line> {
        Arc::new(number.to_string())
    }

    fn shown(records: &Records, before: Option<&str>, most: usize) -> Vec<String> {
        records.newest(before, most).into_iter().map(|kept| kept.record).collect()
    }

    #[test]
    fn the_newest_are_kept() {
        let records = Records::default();
        let numbers = |range: std::ops::Range<usize>| range.map(line).collect::<Vec<_>>();
        records.keep(numbers(0..3));
        assert_eq!(shown(&records, None, 2), ["2", "1"]);
        assert_eq!(records.untold(2), ["0", "1"]);
        records.told(2);
        records.keep(numbers(3..MOST + 2));
        assert_eq!(shown(&records, None, MOST).len(), MOST);
        assert_eq!(shown(&records, Some("5"), 9), ["4", "3", "2"]);
        assert_eq!(shown(&records, Some("not-mine"), 9), Vec::<String>::new());
        assert_eq!(records.untold(1), ["2"], "those that were forgotten cannot be told");
    }
}

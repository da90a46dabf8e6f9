//! Something with an end that is fetched when it is needed, by one for all, and renewed before it ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Shared;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::time::Timestamp;

use super::failed;

/// How long before its end a lease is renewed; sooner when it is short.
const EARLY: Duration = Duration::from_secs(240);
/// How long before its end it is used no more: the way to the provider takes time, and clocks differ.
const SPARE: Duration = Duration::from_secs(20);
/// How long a renewal that failed is left alone while what there is still holds.
const PAUSE: Duration = Duration::from_secs(10);

/// A value that holds for a while.
#[derive(Debug, Clone)]
pub(super) struct Lease<T> {
    pub(super) value: T,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// How a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    /// It holds, but should be renewed.
    Due,
    Over,
}

impl<T> Lease<T> {
    fn stage(&self, now: Timestamp) -> Stage {
        let whole = self.until.since(self.from);
        let left = self.until.since(now);
        if left <= SPARE.min(whole / 10) {
            Stage::Over
        } else if left <= EARLY.min(whole / 4) {
            Stage::Due
        } else {
            Stage::Fresh
        }
    }
}

/// A lease, and who fetches the next one. Clones share both.
#[derive(Debug)]
pub(super) struct Kept<T>(Arc<Mutex<Slot<T>>>);

type Flight<T> = Shared<Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>>;

#[derive(Debug)]
struct Slot<T> {
    lease: Option<Lease<T>>,
    flight: Option<Flight<T>>,
    rests_until: Timestamp,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Slot { lease: None, flight: None, rests_until: Timestamp::default() })))
    }
}

enum Found<T> {
    Ready(T),
    Coming(Flight<T>),
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    /// The value that holds at `now`, or what `fetch` brings. Who asks meanwhile waits for the same fetch; a renewal
    /// keeps nobody waiting, and when it fails the old value serves on until its end.
    pub(super) async fn get<F>(&self, now: Timestamp, fetch: impl FnOnce() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<Lease<T>, Failure>> + Send + 'static,
    {
        match self.find(now, fetch) {
            Found::Ready(value) => Ok(value),
            Found::Coming(flight) => flight.await,
        }
    }

    fn find<F>(&self, now: Timestamp, fetch: impl FnOnce() -> F) -> Found<T>
    where
        F: Future<Output = Result<Lease<T>, Failure>> + Send + 'static,
    {
        let mut slot = self.lock();
        let held = slot.lease.as_ref().map(|lease| (lease.stage(now), lease.value.clone()));
        let rests = now < slot.rests_until;
        match held {
            Some((Stage::Fresh, value)) => Found::Ready(value),
            Some((Stage::Due, value)) => {
                if slot.flight.is_none() && !rests {
                    slot.flight = Some(self.take_off(now, fetch()));
                }
                Found::Ready(value)
            }
            Some((Stage::Over, _)) | None => {
                // One that ended without landing has died.
                let flying = slot.flight.take().filter(|flight| flight.peek().is_none());
                let flight = flying.unwrap_or_else(|| self.take_off(now, fetch()));
                slot.flight = Some(flight.clone());
                Found::Coming(flight)
            }
        }
    }

    /// Fetches in a task of its own: clients that hang up do not stop what others wait for.
    fn take_off<F>(&self, now: Timestamp, fetch: F) -> Flight<T>
    where
        F: Future<Output = Result<Lease<T>, Failure>> + Send + 'static,
    {
        let kept = self.clone();
        let task = tokio::spawn(async move {
            let result = fetch.await;
            kept.land(now, result.clone());
            result.map(|lease| lease.value)
        });
        let flight: Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(async move { task.await.unwrap_or_else(|_| Err(failed("fetching the credential broke off"))) });
        flight.shared()
    }

    fn land(&self, now: Timestamp, result: Result<Lease<T>, Failure>) {
        let mut slot = self.lock();
        slot.flight = None;
        match result {
            Ok(lease) => slot.lease = Some(lease),
            Err(failure) => {
                if slot.lease.is_some() {
                    tracing::warn!(reason = %failure.message, "a credential could not be renewed");
                }
                slot.rests_until = now + PAUSE;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use weighbridge_domain::failure::Failure;
    use weighbridge_domain::time::Timestamp;

    use super::{Kept, Lease, Stage};
    use crate::credentials::failed;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn stages_follow_the_time_that_is_left() {
        let rows = [
            (3600, 0, Stage::Fresh),
            (3600, 3359, Stage::Fresh),
            (3600, 3360, Stage::Due),
            (3600, 3579, Stage::Due),
            (3600, 3580, Stage::Over),
            (3600, 9999, Stage::Over),
            (40, 29, Stage::Fresh),
            (40, 30, Stage::Due),
            (40, 36, Stage::Over),
            (0, 0, Stage::Over),
        ];
        for (whole, now, stage) in rows {
            let lease = Lease { value: (), from: at(0), until: at(whole) };
            assert_eq!(lease.stage(at(now)), stage, "{whole} {now}");
        }
    }

    /// Leases of an hour, numbered in the order of fetching; none while `broken`.
    #[derive(Clone, Default)]
    struct Source {
        fetched: Arc<AtomicU64>,
    }

    impl Source {
        async fn get(&self, kept: &Kept<u64>, now: Timestamp, broken: bool) -> Result<u64, Failure> {
            let count = Arc::clone(&self.fetched);
            kept.get(now, || async move {
                let value = count.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                if broken {
                    return Err(failed(format!("attempt {value}")));
                }
                Ok(Lease { value, from: now, until: now + Duration::from_secs(3600) })
            })
            .await
        }
    }

    /// Lets a renewal in the background end.
    async fn settle() {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_fetches_for_all() {
        let (source, kept) = (Source::default(), Kept::default());
        let all = futures_util::future::join_all((0..50).map(|_| source.get(&kept, at(0), false))).await;
        assert_eq!(all, vec![Ok(1); 50]);
        assert_eq!(source.get(&kept, at(3000), true).await, Ok(1));
        assert_eq!(source.fetched.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_everybodys_and_is_not_kept() {
        let (source, kept) = (Source::default(), Kept::default());
        let all = futures_util::future::join_all((0..5).map(|_| source.get(&kept, at(0), true))).await;
        assert!(all.iter().all(|got| got.as_ref().is_err_and(|failure| failure.message == "attempt 1")));
        assert_eq!(source.get(&kept, at(0), false).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_keeps_nobody_waiting() {
        let (source, kept) = (Source::default(), Kept::default());
        assert_eq!(source.get(&kept, at(0), false).await, Ok(1));
        for _ in 0..3 {
            assert_eq!(source.get(&kept, at(3400), false).now_or_never(), Some(Ok(1)));
        }
        settle().await;
        assert_eq!(source.get(&kept, at(3400), false).await, Ok(2));
        assert_eq!(source.fetched.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_renewal_keeps_what_holds() {
        let (source, kept) = (Source::default(), Kept::default());
        assert_eq!(source.get(&kept, at(0), false).await, Ok(1));
        assert_eq!(source.get(&kept, at(3400), true).await, Ok(1));
        settle().await;
        // It is left alone for a while, and then tried again.
        assert_eq!(source.get(&kept, at(3409), true).await, Ok(1));
        settle().await;
        assert_eq!(source.fetched.load(Ordering::Relaxed), 2);
        assert_eq!(source.get(&kept, at(3410), true).await, Ok(1));
        settle().await;
        assert_eq!(source.fetched.load(Ordering::Relaxed), 3);
        assert_eq!(source.get(&kept, at(3580), true).await.unwrap_err().message, "attempt 4");
        assert_eq!(source.get(&kept, at(3580), false).await, Ok(5));
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_stops_nobody_else() {
        let (source, kept) = (Source::default(), Kept::default());
        assert!(source.get(&kept, at(0), false).now_or_never().is_none());
        assert_eq!(source.get(&kept, at(0), false).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_dies_is_not_waited_for_again() {
        let kept = Kept::<u64>::default();
        let dies = || async { panic!("a fetch that dies") };
        assert!(kept.get(at(0), dies).await.is_err());
        assert_eq!(Source::default().get(&kept, at(0), false).await, Ok(1));
    }

    use futures_util::FutureExt;
}

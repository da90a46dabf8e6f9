//! How much of one quantity a provider takes, by each of the three disciplines in use.
//!
//! Time is what has passed since the simulation began, and amounts are whole numbers, so that each
//! discipline is exact to the nanosecond.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limit::Discipline;

/// A limit on one quantity, and what was taken of it.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    limit: u64,
    period: u128,
    taken: Taken,
}

#[derive(Debug, Clone)]
enum Taken {
    Fixed {
        phase: u128,
        index: u128,
        used: u64,
    },
    Log {
        entries: VecDeque<(u128, u64)>,
        used: u64,
    },
    /// `level` counts in parts of 1/period, so that each nanosecond adds `limit` of them exactly.
    Bucket {
        capacity: u64,
        level: i128,
        at: u128,
    },
}

/// When an amount fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fits {
    Now,
    After(Duration),
    Never,
}

impl Window {
    /// An empty window: at most `limit` per `period`. `burst` is what a bucket holds, the limit
    /// itself without it.
    pub(crate) fn new(discipline: Discipline, limit: u64, burst: Option<u64>, period: Duration) -> Self {
        let period = period.as_nanos().max(1);
        let taken = match discipline {
            Discipline::FixedMinute { phase } => Taken::Fixed { phase: phase.as_nanos(), index: 0, used: 0 },
            Discipline::SlidingLog => Taken::Log { entries: VecDeque::new(), used: 0 },
            Discipline::TokenBucket { .. } => {
                let capacity = burst.unwrap_or(limit);
                Taken::Bucket { capacity, level: scaled(capacity, period), at: 0 }
            }
        };
        Self { limit, period, taken }
    }

    /// The limit.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The most it ever holds.
    pub(crate) fn capacity(&self) -> u64 {
        match self.taken {
            Taken::Fixed { .. } | Taken::Log { .. } => self.limit,
            Taken::Bucket { capacity, .. } => capacity,
        }
    }

    /// When `amount` fits beside what was taken.
    pub(crate) fn fits(&mut self, now: Duration, amount: u64) -> Fits {
        let now = self.roll(now);
        let (limit, period) = (self.limit, self.period);
        match &self.taken {
            Taken::Fixed { used, .. } if used.saturating_add(amount) <= limit => Fits::Now,
            Taken::Log { used, .. } if used.saturating_add(amount) <= limit => Fits::Now,
            Taken::Bucket { level, .. } if *level >= scaled(amount, period) => Fits::Now,
            Taken::Fixed { .. } | Taken::Log { .. } if amount > limit => Fits::Never,
            Taken::Bucket { capacity, .. } if amount > *capacity || limit == 0 => Fits::Never,
            Taken::Fixed { phase, index, .. } => after((index + 1) * period - phase - now),
            Taken::Log { entries, used } => {
                let mut left = *used;
                let freeing = entries.iter().find(|(_, taken)| {
                    left -= taken;
                    left + amount <= limit
                });
                freeing.map_or(Fits::Never, |(at, _)| after(at + period - now))
            }
            Taken::Bucket { level, .. } => {
                let missing = (scaled(amount, period) - level).unsigned_abs();
                after(missing.div_ceil(u128::from(limit)))
            }
        }
    }

    /// Takes `amount`, whether it fits or not.
    pub(crate) fn take(&mut self, now: Duration, amount: u64) {
        let now = self.roll(now);
        let period = self.period;
        match &mut self.taken {
            Taken::Fixed { used, .. } => *used = used.saturating_add(amount),
            Taken::Log { entries, used } if amount > 0 => {
                entries.push_back((now, amount));
                *used += amount;
            }
            Taken::Log { .. } => {}
            Taken::Bucket { level, .. } => *level -= scaled(amount, period),
        }
    }

    /// What is left.
    pub(crate) fn left(&mut self, now: Duration) -> u64 {
        self.roll(now);
        match &self.taken {
            Taken::Fixed { used, .. } | Taken::Log { used, .. } => self.limit.saturating_sub(*used),
            Taken::Bucket { level, .. } => {
                u64::try_from((*level).max(0).unsigned_abs() / self.period).unwrap_or(u64::MAX)
            }
        }
    }

    /// Forgets what no longer counts, and gives the time in nanoseconds.
    fn roll(&mut self, now: Duration) -> u128 {
        let now = now.as_nanos();
        match &mut self.taken {
            Taken::Fixed { phase, index, used } => {
                let current = (now + *phase) / self.period;
                if current != *index {
                    (*index, *used) = (current, 0);
                }
            }
            Taken::Log { entries, used } => {
                while let Some((_, amount)) = entries.front().filter(|(at, _)| *at + self.period <= now) {
                    *used -= amount;
                    entries.pop_front();
                }
            }
            Taken::Bucket { capacity, level, at } => {
                let gained = i128::try_from((now - *at) * u128::from(self.limit)).unwrap_or(i128::MAX);
                *level = level.saturating_add(gained).min(scaled(*capacity, self.period));
                *at = now;
            }
        }
        now
    }
}

fn scaled(amount: u64, period: u128) -> i128 {
    i128::try_from(u128::from(amount).saturating_mul(period)).unwrap_or(i128::MAX)
}

fn after(nanos: u128) -> Fits {
    Fits::After(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Fits, Window};
    use crate::limit::Discipline;

    const LIMIT: u64 = 12;
    const PERIOD_MS: u64 = 60;
    const PHASE_MS: u64 = 25;
    const BURST: u64 = 5;

    fn disciplines() -> [Discipline; 3] {
        [
            Discipline::FixedMinute { phase: Duration::from_millis(PHASE_MS) },
            Discipline::SlidingLog,
            Discipline::TokenBucket { burst: Some(BURST), burst_tokens: None },
        ]
    }

    /// By definition, from everything admitted so far: does `amount` fit at `now`?
    fn by_definition(discipline: Discipline, admitted: &[(u64, u64)], now: u64, amount: u64) -> bool {
        let sum = |counts: &dyn Fn(u64) -> bool| -> u64 {
            admitted.iter().filter(|(at, _)| counts(*at)).map(|(_, amount)| amount).sum()
        };
        match discipline {
            Discipline::FixedMinute { .. } => {
                let window = |at: u64| (at + PHASE_MS) / PERIOD_MS;
                sum(&|at| window(at) == window(now)) + amount <= LIMIT
            }
            Discipline::SlidingLog => sum(&|at| at + PERIOD_MS > now) + amount <= LIMIT,
            Discipline::TokenBucket { .. } => {
                // Milliseconds one by one, in sixtieths of a unit.
                let mut level = BURST * PERIOD_MS;
                for ms in 0..=now {
                    if ms > 0 {
                        level = (level + LIMIT).min(BURST * PERIOD_MS);
                    }
                    level -= sum(&|at| at == ms) * PERIOD_MS;
                }
                amount * PERIOD_MS <= level
            }
        }
    }

    /// Gaps in milliseconds, and amounts.
    fn arrivals() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0u64..30, 1u64..5), 1..60)
    }

    proptest! {
        #[test]
        fn admits_what_the_definition_admits(arrivals in arrivals()) {
            for discipline in disciplines() {
                let mut window = Window::new(discipline, LIMIT, Some(BURST), Duration::from_millis(PERIOD_MS));
                let (mut now, mut admitted) = (0, Vec::new());
                for (gap, amount) in &arrivals {
                    now += gap;
                    let at = Duration::from_millis(now);
                    let fits = window.fits(at, *amount) == Fits::Now;
                    let expected = by_definition(discipline, &admitted, now, *amount);
                    prop_assert_eq!(fits, expected, "{:?} at {}", discipline, now);
                    if fits {
                        window.take(at, *amount);
                        admitted.push((now, *amount));
                    }
                }
            }
        }

        #[test]
        fn waiting_helps_exactly_when_it_says(arrivals in arrivals(), amount in 1u64..5) {
            for discipline in disciplines() {
                let mut window = Window::new(discipline, LIMIT, Some(BURST), Duration::from_millis(PERIOD_MS));
                let mut now = Duration::ZERO;
                for (gap, taken) in &arrivals {
                    now += Duration::from_millis(*gap);
                    window.take(now, *taken);
                }
                if let Fits::After(wait) = window.fits(now, amount) {
                    let early = window.clone().fits(now + wait - Duration::from_nanos(1), amount);
                    prop_assert_eq!(early, Fits::After(Duration::from_nanos(1)), "{:?}", discipline);
                    prop_assert_eq!(window.fits(now + wait, amount), Fits::Now, "{:?}", discipline);
                }
            }
        }
    }

    #[test]
    fn what_is_larger_than_the_limit_never_fits() {
        for discipline in disciplines() {
            let mut window = Window::new(discipline, LIMIT, Some(BURST), Duration::from_millis(PERIOD_MS));
            assert_eq!(window.fits(Duration::ZERO, LIMIT + 1), Fits::Never);
        }
    }

    #[test]
    fn what_is_left_comes_back() {
        let row = |discipline, at: [u64; 4]| {
            let mut window = Window::new(discipline, LIMIT, Some(BURST), Duration::from_millis(PERIOD_MS));
            window.take(Duration::ZERO, 4);
            at.map(|ms| window.left(Duration::from_millis(ms)))
        };
        let [fixed, log, bucket] = disciplines();
        assert_eq!(row(fixed, [0, 34, 35, 60]), [8, 8, 12, 12]);
        assert_eq!(row(log, [0, 34, 59, 60]), [8, 8, 8, 12]);
        assert_eq!(row(bucket, [0, 5, 10, 100]), [1, 2, 3, 5]);
    }
}

//! Processor time of whole process trees.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stat::{TICK_US, family, threads};

/// What threads that have ended, or children that were waited for, must have used before the ticks count for more
/// than the threads' own nanoseconds: ticks alone are off by one for each process.
const SLACK: Duration = Duration::from_millis(30);

/// Processor time, user and system, that process trees had used at an instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cpu {
    /// Of all processes, and of the children that they have waited for.
    ticks: u64,
    /// By thread, of those that run.
    threads: BTreeMap<u32, u64>,
}

impl Cpu {
    /// What the trees below `roots` have used until now.
    pub(crate) fn of(roots: &[u32]) -> Self {
        let family = family(roots);
        let ticks = family.iter().map(|stat| stat.ticks).sum();
        Self { ticks, threads: family.iter().flat_map(|stat| threads(stat.id)).collect() }
    }

    /// What they have used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let run = self.threads.iter().map(|(thread, ns)| {
            let before = earlier.threads.get(thread).copied().unwrap_or_default();
            ns.saturating_sub(before)
        });
        let fine = Duration::from_nanos(run.sum());
        let coarse = Duration::from_micros(self.ticks.saturating_sub(earlier.ticks) * TICK_US);
        if coarse > fine + SLACK { coarse } else { fine }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Cpu;

    #[test]
    fn nanoseconds_count_unless_somebody_ended() {
        let cpu = |ticks, threads: &[(u32, u64)]| Cpu { ticks, threads: threads.iter().copied().collect() };
        let check = |before: &Cpu, after: &Cpu, expected| assert_eq!(after.since(before), expected);
        let before = cpu(10, &[(1, 50_000_000), (2, 1_000_000)]);
        check(&before, &cpu(12, &[(1, 73_000_000), (2, 2_000_000)]), Duration::from_millis(24));
        check(&before, &cpu(12, &[(1, 53_000_000), (3, 2_000_000)]), Duration::from_millis(5));
        check(&before, &cpu(30, &[(1, 53_000_000)]), Duration::from_millis(200));
    }
}

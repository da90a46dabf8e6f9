//! `/proc`, as far as it is needed: who started whom, processor time, memory.

use std::fs;

/// Processor time is told in ticks of so many microseconds; Linux has not changed that for user space in decades.
pub(super) const TICK_US: u64 = 10_000;

/// A process, as its `stat` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) id: u32,
    parent: u32,
    /// Its own processor time and that of the children it has waited for, in ticks.
    pub(super) ticks: u64,
}

impl Stat {
    /// Reads a line of `/proc/PID/stat`.
    fn read(line: &str) -> Option<Self> {
        let (id, _) = line.split_once(' ')?;
        // The name before it may hold anything, blanks and parentheses too.
        let (_, rest) = line.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        let ticks = (11..=14).map(number).sum::<Option<u64>>()?;
        Some(Self { id: id.parse().ok()?, parent: fields.get(1)?.parse().ok()?, ticks })
    }
}

/// All processes there are.
fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| Stat::read(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)).collect()
}

/// The processes `roots` and all that they started, and these, as far as they still run.
pub(super) fn family(roots: &[u32]) -> Vec<Stat> {
    descendants(&all(), roots)
}

/// The same by number.
pub(super) fn tree(roots: &[u32]) -> Vec<u32> {
    family(roots).iter().map(|stat| stat.id).collect()
}

fn descendants(all: &[Stat], roots: &[u32]) -> Vec<Stat> {
    let mut found: Vec<Stat> = all.iter().filter(|stat| roots.contains(&stat.id)).copied().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|stat| stat.id) {
        let is_new = |stat: &&Stat| stat.parent == parent && !roots.contains(&stat.id);
        found.extend(all.iter().filter(is_new).copied());
        next += 1;
    }
    found
}

/// Nanoseconds that each thread of a process has run, by its number.
pub(super) fn threads(id: u32) -> Vec<(u32, u64)> {
    let entries = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let run = |thread: u32| ran_ns(&fs::read_to_string(format!("/proc/{id}/task/{thread}/schedstat")).ok()?);
    ids.filter_map(|thread| Some((thread, run(thread)?))).collect()
}

/// Reads `schedstat`: time on a processor, time waiting for one, how often.
fn ran_ns(line: &str) -> Option<u64> {
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Memory of all processes of the trees in KiB; what they share is counted by each.
pub(crate) fn resident_kib(roots: &[u32]) -> u64 {
    let statuses = tree(roots).into_iter().filter_map(|id| fs::read_to_string(format!("/proc/{id}/status")).ok());
    statuses.filter_map(|status| resident(&status)).sum()
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Ticks that all processors together were busy for, by `/proc/stat`, those that other machines took among them.
pub(super) fn busy_ticks(stat: &str) -> Option<u64> {
    let fields: Option<Vec<u64>> =
        stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are among the users.
    let fields = fields?;
    Some(fields.get(..3)?.iter().chain(fields.get(5..8)?).sum())
}

#[cfg(test)]
mod tests {
    use super::{Stat, busy_ticks, descendants, ran_ns, resident};

    #[test]
    fn a_stat_is_read_whatever_the_name() {
        let line = "17 (a) b (c) S 4 17 17 0 -1 4194304 100 0 0 0 11 7 3 2 20 0 1 0 500 1000 200 18446744073709551615";
        assert_eq!(Stat::read(line), Some(Stat { id: 17, parent: 4, ticks: 23 }));
        assert_eq!(Stat::read("17 (a) S 4"), None);
    }

    #[test]
    fn a_tree_is_followed_to_its_leaves() {
        let stat = |id, parent| Stat { id, parent, ticks: 0 };
        let all = [stat(1, 0), stat(2, 1), stat(3, 2), stat(4, 1), stat(5, 3)];
        let check = |roots: &[u32], expected: &[u32]| {
            assert_eq!(descendants(&all, roots).iter().map(|stat| stat.id).collect::<Vec<_>>(), expected);
        };
        check(&[2], &[2, 3, 5]);
        check(&[4], &[4]);
        check(&[3, 2], &[2, 3, 5]);
        check(&[9], &[]);
    }

    #[test]
    fn figures_are_read() {
        assert_eq!(ran_ns("174780 1394187 2\n"), Some(174_780));
        assert_eq!(resident("Name:\tx\nVmRSS:\t    1234 kB\nRssAnon: 1 kB\n"), Some(1234));
        assert_eq!(busy_ticks("cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 1 1 1\n"), Some(81));
        assert_eq!(busy_ticks("cpu  10"), None);
    }
}

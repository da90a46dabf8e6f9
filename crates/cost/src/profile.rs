//! What Callgrind wrote down.

use std::collections::HashMap;

use crate::cost::Cost;

/// The functions of the C library that allocate.
const ALLOCATE: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];
/// The functions of the C library that call the kernel on a request's way. Reading the clock is none: only under Valgrind
/// does it need the kernel.
const CALL: [&str; 16] = [
    "accept4",
    "close",
    "connect",
    "epoll_ctl",
    "epoll_wait",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendmsg",
    "sendto",
    "syscall",
    "write",
    "writev",
];

/// The cost of everything in a profile; `None` where the text is none.
pub(crate) fn total(profile: &str) -> Option<Cost> {
    let line = |name: &str| profile.lines().find_map(|line| line.strip_prefix(name));
    let is_instructions = line("events:")?.trim() == "Ir";
    let instructions = line("totals:")?.trim().parse().ok().filter(|_| is_instructions)?;
    let calls = calls(profile);
    let of = |names: &[&str]| names.iter().filter_map(|name| calls.get(name)).sum();
    Some(Cost { instructions, allocations: of(&ALLOCATE), calls: of(&CALL) })
}

/// How often each function was called.
fn calls(profile: &str) -> HashMap<&str, f64> {
    let mut names = HashMap::new();
    let mut called = "";
    let mut counts = HashMap::new();
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("cfn=") {
            called = name(function, &mut names);
        } else if let Some(function) = line.strip_prefix("fn=") {
            name(function, &mut names);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let calls: f64 = calls.split(' ').next().and_then(|calls| calls.parse().ok()).unwrap_or_default();
            *counts.entry(called).or_default() += calls;
        }
    }
    counts
}

/// The name of a function: `(12) malloc` where it comes first, `(12)` from then on. A cycle's number is left out.
fn name<'a>(function: &'a str, names: &mut HashMap<&'a str, &'a str>) -> &'a str {
    let (number, name) = function.split_once(' ').unwrap_or((function, ""));
    if !name.is_empty() {
        names.insert(number, name.split('\'').next().unwrap_or(name));
    }
    names.get(number).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::total;
    use crate::cost::Cost;

    #[test]
    fn profiles_are_read() {
        let profile = "version: 1\nevents: Ir\n\nob=(1) /a\nfl=(1) a.rs\nfn=(1) one\n1 10\ncfn=(2) malloc\n\
                       calls=3 0\n1 30\n\nfn=(2)\n1 30\n\nfn=(3) two\ncfn=(2)\ncalls=4 0\n1 40\ncfn=(4) free\ncalls=9 0\n\
                       1 9\ncfn=(5) realloc'2\ncalls=1 0\n1 2\ncfn=(6) recv\ncalls=5 0\n1 2\n\ntotals: 121\n";
        let expected = Cost { instructions: 121.0, allocations: 8.0, calls: 5.0 };
        assert_eq!(total(profile), Some(expected));
        for text in ["nothing", "events: Dr\ntotals: 5\n", "events: Ir\ntotals: x\n"] {
            assert_eq!(total(text), None, "{text}");
        }
    }
}

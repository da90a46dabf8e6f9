//! What Callgrind wrote down.

use std::collections::HashMap;

use crate::cost::Cost;

/// The functions of the C library that allocate.
const ALLOCATES: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// The cost of everything in a profile; `None` where the text is none.
pub(crate) fn total(profile: &str) -> Option<Cost> {
    let line = |name: &str| profile.lines().find_map(|line| line.strip_prefix(name));
    let events: Vec<&str> = line("events:")?.split_whitespace().collect();
    // The last numbers are left out where they are 0.
    let totals: Vec<f64> = line("totals:")?.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let of = |event: &str| {
        let place = events.iter().position(|name| *name == event)?;
        Some(totals.get(place).copied().unwrap_or_default())
    };
    Some(Cost { instructions: of("Ir")?, allocations: allocations(profile), calls: of("sysCount")? })
}

/// How often functions were called that allocate.
fn allocations(profile: &str) -> f64 {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut called = "";
    let mut count = 0.0;
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("cfn=") {
            called = name(function, &mut names);
        } else if let Some(function) = line.strip_prefix("fn=") {
            name(function, &mut names);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && ALLOCATES.contains(&called)
        {
            count += calls.split(' ').next().and_then(|calls| calls.parse().ok()).unwrap_or(0.0);
        }
    }
    count
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
        let profile = "version: 1\nevents: Ir sysCount sysTime\n\nob=(1) /a\nfl=(1) a.rs\nfn=(1) one\n1 10\ncfn=(2) malloc\n\
                       calls=3 0\n1 30\n\nfn=(2)\n1 30\n\nfn=(3) two\ncfn=(2)\ncalls=4 0\n1 40\ncfn=(4) free\ncalls=9 0\n\
                       1 9\ncfn=(5) realloc'2\ncalls=1 0\n1 2\n\ntotals: 121 5 7\n";
        let expected = Cost { instructions: 121.0, allocations: 8.0, calls: 5.0 };
        assert_eq!(total(profile), Some(expected));
        assert_eq!(total("events: Ir sysCount sysTime\ntotals: 5\n").map(|cost| cost.calls), Some(0.0));
        assert_eq!(total("nothing"), None);
    }
}

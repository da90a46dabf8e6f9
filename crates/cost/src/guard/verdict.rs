//! What counts as more, and what as less.

use std::fmt::Write;

use crate::baseline::Baseline;
use crate::cost::Cost;

/// The share of the instructions that may come or go without anybody having changed the request's path: other inlining,
/// other hash seeds. The same binary's counts differ by less than a tenth of it.
const INSTRUCTIONS: f64 = 0.03;
/// The same, of allocations a request.
const ALLOCATIONS: f64 = 0.5;
/// The same, of system calls a request: a long body is read in more pieces or fewer.
const CALLS: f64 = 0.5;

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Same,
    Shrank,
    Grew,
}

/// The worst of all cases; one that is in one of the two only is a growth, as nobody has said that it is worth it.
pub(super) fn of_all(before: &Baseline, now: &Baseline) -> Verdict {
    if before.costs.len() > now.costs.len() {
        return Verdict::Grew;
    }
    now.costs.iter().map(|(name, cost)| of(before.cost(name), *cost)).max().unwrap_or(Verdict::Same)
}

fn of(before: Option<Cost>, now: Cost) -> Verdict {
    let Some(before) = before else { return Verdict::Grew };
    let kinds = [
        (before.instructions, now.instructions, before.instructions * INSTRUCTIONS),
        (before.allocations, now.allocations, ALLOCATIONS),
        (before.calls, now.calls, CALLS),
    ];
    let verdict = |(before, now, may): (f64, f64, f64)| match now - before {
        more if more > may => Verdict::Grew,
        more if more < -may => Verdict::Shrank,
        _ => Verdict::Same,
    };
    kinds.into_iter().map(verdict).max().unwrap_or(Verdict::Same)
}

/// All cases, before and now.
pub(super) fn table(before: &Baseline, now: &Baseline) -> String {
    let mut text = format!(
        "{:<16}{:>14}{:>10}{:>9}{:>14}{:>10}{:>14}{:>10}\n",
        "per request", "instructions", "before", "", "allocations", "before", "system calls", "before"
    );
    for (name, cost) in &now.costs {
        let known = before.cost(name);
        let verdict = match of(known, *cost) {
            Verdict::Same => "",
            Verdict::Shrank => "  less",
            Verdict::Grew => "  MORE",
        };
        let before = known.unwrap_or_default();
        let change = (cost.instructions / before.instructions - 1.0) * 100.0;
        // Writing to a string cannot fail.
        writeln!(
            text,
            "{name:<16}{:>14.0}{:>10.0}{change:>+8.2}%{:>14.2}{:>10.2}{:>14.2}{:>10.2}{verdict}",
            cost.instructions, before.instructions, cost.allocations, before.allocations, cost.calls, before.calls
        )
        .ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Verdict, of, of_all, table};
    use crate::baseline::Baseline;
    use crate::cost::Cost;

    const BEFORE: Cost = Cost { instructions: 100_000.0, allocations: 100.0, calls: 4.0 };

    #[test]
    fn what_costs_more_is_told() {
        let check = |instructions, allocations, calls, expected| {
            let now = Cost { instructions, allocations, calls };
            assert_eq!(of(Some(BEFORE), now), expected, "{now:?}");
        };
        check(100_000.0, 100.0, 4.0, Verdict::Same);
        check(102_900.0, 100.4, 4.4, Verdict::Same);
        check(97_100.0, 99.6, 3.6, Verdict::Same);
        check(103_100.0, 100.0, 4.0, Verdict::Grew);
        check(100_000.0, 101.0, 4.0, Verdict::Grew);
        check(100_000.0, 100.0, 5.0, Verdict::Grew);
        check(90_000.0, 100.0, 4.0, Verdict::Shrank);
        // What is cheaper in one respect does not pay for another.
        check(90_000.0, 101.0, 4.0, Verdict::Grew);
    }

    #[test]
    fn nothing_comes_or_goes_unsaid() {
        let of_cases = |names: &[&str]| Baseline {
            tools: String::new(),
            costs: names.iter().map(|name| ((*name).to_owned(), BEFORE)).collect(),
        };
        let check = |before: &[&str], now: &[&str], expected| {
            assert_eq!(of_all(&of_cases(before), &of_cases(now)), expected);
        };
        check(&["a", "b"], &["a", "b"], Verdict::Same);
        check(&["a"], &["a", "b"], Verdict::Grew);
        check(&["a", "b"], &["a"], Verdict::Grew);
        assert!(table(&of_cases(&["a"]), &of_cases(&["a", "b"])).contains("MORE"));
    }
}

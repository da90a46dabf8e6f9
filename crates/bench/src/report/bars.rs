//! What was to be reached, and whether it was.

use super::markdown::number;
use super::tables::{Added, added};
use crate::readings::{Figure, Readings};
use crate::targets::{Peer, Router};
use crate::themes::{BUSY, CALM, SIZES};

/// Beyond this an answer waited for a delayed acknowledgement.
const NAGLE_MS: f64 = 39.0;

/// One thing that was to be reached.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    what: String,
    /// What must hold.
    bar: Bound,
    /// Where we want to be.
    goal: Option<Bound>,
    unit: &'static str,
    measured: Measured,
    /// Whether others used the machine meanwhile.
    is_disturbed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Measured {
    /// This.
    Value(f64),
    /// Less than can be told apart.
    Below(f64),
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Reached,
    Holds,
    Fails,
    Unknown,
}

/// All of them.
pub(super) fn all(readings: &Readings) -> Vec<Bar> {
    let mut bars = Vec::new();
    let ratio = |what: String, of: (&str, &str), to: (&str, &str), figure, bounds: [f64; 2]| Bar {
        what,
        bar: Bound::AtMost(bounds[0]),
        goal: Some(Bound::AtMost(bounds[1])),
        unit: "x",
        measured: measured(readings.ratio(of, to, figure)),
        is_disturbed: is_disturbed(readings.ratio(of, to, figure)),
    };
    for (case, _, _) in SIZES {
        let what = format!("{case}, embedded state, limits on: CPU to nginx's");
        bars.push(ratio(what, (case, Router::EMBEDDED), (case, Peer::NGINX), "cpu_us", [2.0, 1.5]));
    }
    for (name, replicas) in [(Router::REDIS_1, "1 replica"), (Router::REDIS_3, "3 replicas")] {
        for (case, shared, _) in SIZES {
            let what = format!("{case}, Redis, {replicas}, limits exact: CPU to nginx's");
            bars.push(ratio(what, (shared, name), (shared, Peer::NGINX), "cpu_us", [2.5, 2.0]));
        }
    }
    for (case, what, bounds) in [
        ("paced", "paced streams, usage counted: CPU per chunk to nginx's", [1.5, 1.2]),
        ("burst", "bursts: CPU per chunk to nginx's", [5.0, 2.0]),
    ] {
        bars.push(ratio(what.to_owned(), (case, Router::EMBEDDED), (case, Peer::NGINX), "chunk_us", bounds));
    }
    let what = "everything at its limit (429): CPU to nginx's proxied request".to_owned();
    bars.push(ratio(what, ("limits", Router::EMBEDDED), ("limits", Peer::NGINX), "cpu_us", [1.5, 1.0]));
    bars.extend(latency(readings));
    bars.extend(memory(readings));
    bars.extend(redis(readings));
    bars.extend(peers(readings));
    bars
}

fn latency(readings: &Readings) -> Vec<Bar> {
    let p99 = |target| added(readings, CALM, target, "p99_ms");
    let goal = match p99(Peer::NGINX) {
        Added::Told(nginx) => Some(nginx.summary.median + 0.1),
        Added::Below(spread) => Some(spread + 0.1),
        Added::Nothing => None,
    };
    let bar = |what: &str, target, most| Bar {
        what: what.to_owned(),
        bar: Bound::AtMost(most),
        goal: goal.map(Bound::AtMost),
        unit: " ms",
        measured: match p99(target) {
            Added::Told(figure) => Measured::Value(figure.summary.median),
            Added::Below(spread) => Measured::Below(spread),
            Added::Nothing => Measured::Nothing,
        },
        is_disturbed: is_disturbed(readings.added(CALM, target, Peer::DIRECT, "p99_ms")),
    };
    let ours = [Router::EMBEDDED, Router::REDIS_1].into_iter().flat_map(|target| [(CALM, target), (BUSY, target)]);
    let p99s = ours.filter_map(|(case, target)| readings.figure(case, target, "p99_ms"));
    let worst = p99s.max_by(|one, other| one.summary.max.total_cmp(&other.summary.max));
    let never = Bar {
        what: "p99 never near 40 ms: the worst of all rounds".to_owned(),
        bar: Bound::AtMost(NAGLE_MS),
        goal: None,
        unit: " ms",
        measured: worst.map_or(Measured::Nothing, |figure| Measured::Value(figure.summary.max)),
        is_disturbed: is_disturbed(worst),
    };
    vec![
        bar("added p99 at 100 rps, embedded state", Router::EMBEDDED, 0.5),
        bar("added p99 at 100 rps, Redis", Router::REDIS_1, 1.0),
        never,
    ]
}

fn memory(readings: &Readings) -> Vec<Bar> {
    let rows = [
        ("RSS idle", "idle_mb", " MB", [30.0, 15.0]),
        ("RSS per slow stream", "stream_kb", " KB", [40.0, 20.0]),
        ("start to first 200", "start_ms", " ms", [100.0, 30.0]),
    ];
    let bar = |(what, figure, unit, bounds): (&str, _, _, [f64; 2])| Bar {
        what: what.to_owned(),
        bar: Bound::AtMost(bounds[0]),
        goal: Some(Bound::AtMost(bounds[1])),
        unit,
        measured: measured(readings.figure("memory", Router::EMBEDDED, figure)),
        is_disturbed: is_disturbed(readings.figure("memory", Router::EMBEDDED, figure)),
    };
    rows.map(bar).into()
}

fn redis(readings: &Readings) -> Vec<Bar> {
    let figure = |figure| readings.figure(SIZES[0].1, Router::REDIS_3, figure);
    vec![
        Bar {
            what: "Redis' CPU per routed request, 64 connections over 3 replicas".to_owned(),
            bar: Bound::AtMost(15.0),
            goal: Some(Bound::AtMost(8.0)),
            unit: " µs",
            measured: measured(figure("redis_us")),
            is_disturbed: is_disturbed(figure("redis_us")),
        },
        Bar {
            what: "calls of Redis per routed request, the same".to_owned(),
            bar: Bound::AtMost(1.0),
            goal: Some(Bound::AtMost(0.99)),
            unit: "",
            measured: measured(figure("calls")),
            is_disturbed: is_disturbed(figure("calls")),
        },
    ]
}

fn peers(readings: &Readings) -> Vec<Bar> {
    let bar = |name: &'static str, bounds: [f64; 2]| {
        let case = SIZES[0].0;
        let ratio = readings.ratio((case, name), (case, Router::EMBEDDED), "cpu_us");
        Bar {
            what: format!("{case}: cheaper than {name}"),
            bar: Bound::AtLeast(bounds[0]),
            goal: Some(Bound::AtLeast(bounds[1])),
            unit: "x",
            measured: measured(ratio),
            is_disturbed: is_disturbed(ratio),
        }
    };
    vec![bar(Peer::LITELLM, [200.0, 350.0]), bar(Peer::PORTKEY, [40.0, 60.0])]
}

fn measured(figure: Option<Figure>) -> Measured {
    figure.map_or(Measured::Nothing, |figure| Measured::Value(figure.summary.median))
}

fn is_disturbed(figure: Option<Figure>) -> bool {
    figure.is_some_and(|figure| figure.is_disturbed)
}

impl Bar {
    fn verdict(&self) -> Verdict {
        let Some(is_goal) = self.is_within(self.goal) else { return Verdict::Unknown };
        match self.is_within(Some(self.bar)) {
            Some(true) if is_goal => Verdict::Reached,
            Some(true) => Verdict::Holds,
            _ => Verdict::Fails,
        }
    }

    /// Whether it is; nothing where nothing was measured.
    fn is_within(&self, bound: Option<Bound>) -> Option<bool> {
        let value = match self.measured {
            Measured::Value(value) | Measured::Below(value) => value,
            Measured::Nothing => return None,
        };
        Some(match bound {
            Some(Bound::AtMost(most)) => value <= most,
            Some(Bound::AtLeast(least)) => value >= least,
            None => false,
        })
    }

    fn told(&self) -> String {
        let star = if self.is_disturbed { "\\*" } else { "" };
        match self.measured {
            Measured::Value(value) => format!("{}{}{star}", number(value), self.unit),
            Measured::Below(value) => format!("not measurable, below {}{}{star}", number(value), self.unit),
            Measured::Nothing => "–".to_owned(),
        }
    }

    fn bound(&self, bound: Bound) -> String {
        match bound {
            Bound::AtMost(most) => format!("≤ {}{}", number(most), self.unit),
            Bound::AtLeast(least) => format!("≥ {}{}", number(least), self.unit),
        }
    }
}

/// The table.
pub(super) fn table(bars: &[Bar]) -> String {
    let row = |bar: &Bar| {
        let verdict = match bar.verdict() {
            Verdict::Reached => "holds, goal reached",
            Verdict::Holds => "holds",
            Verdict::Fails => "**does not hold**",
            Verdict::Unknown => "not measured",
        };
        let goal = bar.goal.map_or("–".to_owned(), |goal| bar.bound(goal));
        vec![bar.what.clone(), bar.bound(bar.bar), goal, bar.told(), verdict.to_owned()]
    };
    super::markdown::table(&["target", "bar", "goal", "measured", ""], &bars.iter().map(row).collect::<Vec<_>>())
}

/// Those that were missed, as a list.
pub(super) fn fallen(bars: &[Bar]) -> String {
    let missed = bars.iter().filter(|bar| bar.verdict() == Verdict::Fails);
    let lines: String =
        missed.map(|bar| format!("- {}: {} instead of {}.\n", bar.what, bar.told(), bar.bound(bar.bar))).collect();
    if lines.is_empty() { "- Of the bars above none is missed.\n".to_owned() } else { lines }
}

#[cfg(test)]
mod tests {
    use super::{Bar, Bound, Measured, Verdict, fallen};

    #[test]
    fn bars_are_judged() {
        let bar = |bar, goal, measured| Bar {
            what: "it".to_owned(),
            bar,
            goal: Some(goal),
            unit: "x",
            measured,
            is_disturbed: true,
        };
        let most = |measured| bar(Bound::AtMost(2.0), Bound::AtMost(1.5), measured);
        let least = |measured| bar(Bound::AtLeast(200.0), Bound::AtLeast(350.0), measured);
        let check = |bar: Bar, expected| assert_eq!(bar.verdict(), expected, "{bar:?}");
        check(most(Measured::Value(1.4)), Verdict::Reached);
        check(most(Measured::Value(1.6)), Verdict::Holds);
        check(most(Measured::Value(2.1)), Verdict::Fails);
        check(most(Measured::Below(1.0)), Verdict::Reached);
        check(most(Measured::Nothing), Verdict::Unknown);
        check(least(Measured::Value(300.0)), Verdict::Holds);
        check(least(Measured::Value(100.0)), Verdict::Fails);
        assert_eq!(fallen(&[most(Measured::Value(2.1))]), "- it: 2.10x\\* instead of ≤ 2.00x.\n");
    }
}

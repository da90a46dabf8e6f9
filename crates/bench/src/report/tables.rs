//! The tables of the document, theme by theme.

use super::markdown::{median, spread, table, times};
use crate::machine::Machine;
use crate::readings::{Figure, Readings};
use crate::targets::{Peer, Router};
use crate::themes::{BUSY, CALM, SIZES};

/// Everybody, in the order of tables.
const EVERYBODY: [&str; 5] = [Peer::NGINX, Router::EMBEDDED, Router::LOGGING, Peer::PORTKEY, Peer::LITELLM];
const BURST: &str = "burst";
const PACED: &str = "paced";

/// What was added to the direct path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Added {
    /// This.
    Told(Figure),
    /// Less than the direct path itself wandered by.
    Below(f64),
    Nothing,
}

/// What `target` adds to the direct path of the same round.
pub(super) fn added(readings: &Readings, case: &str, target: &str, figure: &str) -> Added {
    let direct = readings.figure(case, Peer::DIRECT, figure);
    let Some((direct, added)) = direct.zip(readings.added(case, target, Peer::DIRECT, figure)) else {
        return Added::Nothing;
    };
    let wandered = direct.summary.max - direct.summary.min;
    if added.summary.median < wandered { Added::Below(wandered) } else { Added::Told(added) }
}

/// Where it was measured.
pub(super) fn machine(machine: &Machine) -> String {
    let rows = machine.facts.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
    table(&["", ""], &rows.collect::<Vec<_>>()).replace("--:", "---")
}

/// CPU of whole answers.
pub(super) fn chat(readings: &Readings) -> String {
    let case = SIZES[0].0;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut push = |name: &str, case: &str, target: &str, base: &str| {
        let Some(cpu) = readings.figure(case, target, "cpu_us") else { return };
        let ratio = times(readings.ratio((case, target), (base, Peer::NGINX), "cpu_us"));
        let rates = ["rps", "filled"].map(|figure| median(readings.figure(case, target, figure)));
        rows.push([name.to_owned(), spread(Some(cpu)), ratio].into_iter().chain(rates).collect());
    };
    for target in EVERYBODY {
        push(target, case, target, case);
    }
    push("Weighbridge, config object of 5 levels", "config object", Router::EMBEDDED, case);
    push("Weighbridge, 429", "limits", Router::EMBEDDED, "limits");
    for target in [Router::REDIS_1, Router::REDIS_3, Router::AWAY] {
        push(target, SIZES[0].1, target, SIZES[0].1);
    }
    for target in EVERYBODY {
        push(&format!("{target}, embeddings"), "embeddings", target, "embeddings");
    }
    table(&["", "CPU per request, µs", "to nginx", "requests a second", "of its processor"], &rows)
}

/// CPU by the size of the request.
pub(super) fn body(readings: &Readings) -> String {
    let targets = [Peer::NGINX, Router::EMBEDDED, Router::REDIS_1, Router::REDIS_3, Peer::PORTKEY, Peer::LITELLM];
    let row = |target: &&str| {
        let cells = SIZES.iter().flat_map(|(alone, shared, _)| {
            let case = if target.contains("Redis") { shared } else { alone };
            let cpu = spread(readings.figure(case, target, "cpu_us"));
            [cpu, times(readings.ratio((case, target), (case, Peer::NGINX), "cpu_us"))]
        });
        std::iter::once((*target).to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let head = ["CPU per request, µs", "300 B", "to nginx", "10 KB", "to nginx", "100 KB", "to nginx"];
    table(&head, &rows(targets.iter().map(row)))
}

/// The 429 path.
pub(super) fn limits(readings: &Readings) -> String {
    let row = |(name, target): (&str, &str)| {
        let figure = |name| spread(readings.figure("limits", target, name));
        let ratio = times(readings.ratio(("limits", target), ("limits", Peer::NGINX), "cpu_us"));
        vec![name.to_owned(), figure("cpu_us"), ratio, figure("rps")]
    };
    let named = [("nginx, a proxied request", Peer::NGINX), ("Weighbridge, 429", Router::EMBEDDED)];
    table(&["", "CPU per request, µs", "to nginx", "requests a second"], &rows(named.into_iter().map(row)))
}

/// Streams.
pub(super) fn streams(readings: &Readings) -> String {
    let row = |target: &&str| {
        let chunk = |case| {
            let ratio = times(readings.ratio((case, target), (case, Peer::NGINX), "chunk_us"));
            [spread(readings.figure(case, target, "chunk_us")), ratio]
        };
        let first = match added(readings, PACED, target, "first_ms") {
            Added::Told(figure) => spread(Some(figure)),
            Added::Below(wandered) => format!("not measurable, below {}", super::markdown::number(wandered)),
            Added::Nothing => "–".to_owned(),
        };
        let ([paced, paced_ratio], [burst, burst_ratio]) = (chunk(PACED), chunk(BURST));
        vec![(*target).to_owned(), paced, paced_ratio, burst, burst_ratio, first]
    };
    let targets = [Peer::NGINX, Router::EMBEDDED, Peer::PORTKEY, Peer::LITELLM];
    let head =
        ["", "paced, µs per chunk", "to nginx", "burst, µs per chunk", "to nginx", "first chunk, added p50 in ms"];
    table(&head, &rows(targets.iter().map(row)))
}

/// What Redis costs.
pub(super) fn redis(readings: &Readings) -> String {
    let cases = SIZES.iter().flat_map(|(_, case, _)| [(*case, Router::REDIS_1), (*case, Router::REDIS_3)]);
    let row = |(case, target): (&str, &str)| {
        let figure = |name| readings.figure(case, target, name);
        let name = format!("{}, {}", case.trim_start_matches("Redis, "), target.rsplit(", ").next().unwrap_or(target));
        let ratio = times(readings.ratio((case, target), (case, Peer::NGINX), "cpu_us"));
        let cells = [spread(figure("cpu_us")), ratio, median(figure("rps")), spread(figure("redis_us"))];
        let calls = [median(figure("calls")), median(figure("commands"))];
        std::iter::once(name).chain(cells).chain(calls).collect::<Vec<_>>()
    };
    let head = [
        "",
        "CPU of the replicas per request, µs",
        "to nginx",
        "requests a second",
        "CPU of Redis per request, µs",
        "calls per request",
        "commands per request, those of scripts too",
    ];
    table(&head, &rows(cases.map(row)))
}

/// Latency at fixed rates.
pub(super) fn latency(readings: &Readings) -> String {
    let targets = [Peer::NGINX, Router::EMBEDDED, Router::REDIS_1, Peer::PORTKEY];
    let all = [CALM, BUSY].into_iter().flat_map(|case| targets.map(|target| (case, target)));
    let present = all.filter(|(case, target)| readings.figure(case, target, "p50_ms").is_some());
    let row = |(case, target): (&str, &str)| {
        let cells = ["p50_ms", "p99_ms", "p999_ms"].map(|figure| match added(readings, case, target, figure) {
            Added::Told(figure) => spread(Some(figure)),
            Added::Below(wandered) => format!("not measurable, below {}", super::markdown::number(wandered)),
            Added::Nothing => "–".to_owned(),
        });
        std::iter::once(format!("{case}: {target}")).chain(cells).collect::<Vec<_>>()
    };
    table(&["added, ms", "p50", "p99", "p99.9"], &rows(present.map(row)))
}

/// The same with the direct path, and CPU at these rates.
pub(super) fn rates(readings: &Readings) -> String {
    let targets = [Peer::DIRECT, Peer::NGINX, Router::EMBEDDED, Router::REDIS_1, Peer::PORTKEY];
    let all = [CALM, BUSY].into_iter().flat_map(|case| targets.map(|target| (case, target)));
    let present = all.filter(|(case, target)| readings.figure(case, target, "p50_ms").is_some());
    let row = |(case, target): (&str, &str)| {
        let cells = ["p50_ms", "p99_ms", "p999_ms"].map(|figure| spread(readings.figure(case, target, figure)));
        let (cpu, ratio) = if target == Peer::DIRECT {
            ("–".to_owned(), "–".to_owned())
        } else {
            let ratio = readings.ratio((case, target), (case, Peer::NGINX), "cpu_us");
            (spread(readings.figure(case, target, "cpu_us")), times(ratio))
        };
        std::iter::once(format!("{case}: {target}")).chain(cells).chain([cpu, ratio]).collect::<Vec<_>>()
    };
    let head = ["from when it was due, ms", "p50", "p99", "p99.9", "CPU per request, µs", "to nginx"];
    table(&head, &rows(present.map(row)))
}

/// Memory, and the start.
pub(super) fn memory(readings: &Readings) -> String {
    let row = |target: &&str| {
        let names = ["start_ms", "idle_mb", "loaded_mb", "streaming_mb", "stream_kb", "idle_cpu_ms"];
        let cells = names.map(|name| spread(readings.figure("memory", target, name)));
        std::iter::once((*target).to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let targets = [Peer::NGINX, Router::EMBEDDED, Peer::PORTKEY, Peer::LITELLM];
    let head = [
        "",
        "start to first 200, ms",
        "RSS idle, MB",
        "after load, MB",
        "with slow streams, MB",
        "of it per stream, KB",
        "CPU idle, ms a second",
    ];
    table(&head, &rows(targets.iter().map(row)))
}

/// What could not be measured.
pub(super) fn failures(readings: &Readings) -> String {
    let lines: String = readings.failures.iter().map(|failure| format!("- {failure}\n")).collect();
    if lines.is_empty() { "- Nothing failed in this run.\n".to_owned() } else { lines }
}

/// Those rows in which something was measured.
fn rows(all: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    all.filter(|row| row.iter().skip(1).any(|cell| cell != "–")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Added, added, latency};
    use crate::readings::{Reading, Readings};

    #[test]
    fn what_wanders_is_not_told() {
        let reading =
            |target, round, value| Reading { case: "100 rps", target, figure: "p50_ms", round, value, others: 0.0 };
        let mut all = vec![reading("direct", 0, 0.5), reading("direct", 1, 0.75)];
        all.extend([reading("nginx", 0, 0.625), reading("nginx", 1, 0.875)]);
        all.extend([reading("Portkey", 0, 2.5), reading("Portkey", 1, 2.75)]);
        let readings = Readings { all, failures: Vec::new() };
        assert_eq!(added(&readings, "100 rps", "nginx", "p50_ms"), Added::Below(0.25));
        assert!(matches!(added(&readings, "100 rps", "Portkey", "p50_ms"), Added::Told(_)));
        assert_eq!(added(&readings, "100 rps", "LiteLLM", "p50_ms"), Added::Nothing);
        let rows = latency(&readings);
        assert!(rows.contains("| 100 rps: nginx | not measurable, below 0.250 | – | – |"), "{rows}");
        assert!(rows.contains("| 100 rps: Portkey | 2.00 | – | – |"), "{rows}");
    }
}

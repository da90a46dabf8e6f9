//! Which charts there are.

use super::svg::{Bar, Chart, Scale};
use crate::readings::Readings;
use crate::targets::{Peer, Router};
use crate::themes::{CALM, SIZES};

const OURS: &str = "#1a7f5a";
const OURS_REDIS: &str = "#67b99a";
const LIMIT: &str = "#8c959f";
const PEERS: &str = "#c4761b";

/// All of them, by the name of their file.
pub(super) fn all(readings: &Readings) -> [(&'static str, String); 3] {
    [
        ("cpu-per-request.svg", requests(readings).draw()),
        ("cpu-by-body.svg", bodies(readings).draw()),
        ("latency.svg", latency(readings).draw()),
    ]
}

fn requests(readings: &Readings) -> Chart {
    let (alone, shared) = (SIZES[0].0, SIZES[0].1);
    let bars = [
        ("nginx", alone, Peer::NGINX),
        ("Weighbridge", alone, Router::EMBEDDED),
        ("with a request log", alone, Router::LOGGING),
        ("config object of 5 levels", "config object", Router::EMBEDDED),
        ("at its limit (429)", "limits", Router::EMBEDDED),
        ("Redis, 1 replica", shared, Router::REDIS_1),
        ("Redis, 3 replicas", shared, Router::REDIS_3),
        ("Redis away", shared, Router::AWAY),
        ("Portkey", alone, Peer::PORTKEY),
        ("LiteLLM", alone, Peer::LITELLM),
    ];
    let bars = bars.into_iter().filter_map(|(name, case, target)| bar(readings, name, case, target, "cpu_us"));
    Chart {
        title: "CPU per chat request of 300 bytes, µs (log scale)",
        scale: Scale::Log,
        groups: vec![(String::new(), bars.collect())],
    }
}

fn bodies(readings: &Readings) -> Chart {
    let groups = SIZES.iter().map(|(alone, shared, _)| {
        let bars = [
            ("nginx", *alone, Peer::NGINX),
            ("Weighbridge", *alone, Router::EMBEDDED),
            ("Redis, 1 replica", *shared, Router::REDIS_1),
            ("Redis, 3 replicas", *shared, Router::REDIS_3),
        ];
        let bars = bars.into_iter().filter_map(|(name, case, target)| bar(readings, name, case, target, "cpu_us"));
        (alone.trim_start_matches("chat ").to_owned(), bars.collect())
    });
    Chart { title: "CPU per chat request by its size, µs", scale: Scale::Linear, groups: groups.collect() }
}

fn latency(readings: &Readings) -> Chart {
    let groups = [("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms")].map(|(heading, figure)| {
        let bars = [
            ("direct", Peer::DIRECT),
            ("nginx", Peer::NGINX),
            ("Weighbridge", Router::EMBEDDED),
            ("Weighbridge, Redis", Router::REDIS_1),
            ("Portkey", Peer::PORTKEY),
        ];
        let bars = bars.into_iter().filter_map(|(name, target)| bar(readings, name, CALM, target, figure));
        (heading.to_owned(), bars.collect())
    });
    Chart {
        title: "Latency at 100 requests a second, ms from when each was due (log scale)",
        scale: Scale::Log,
        groups: groups.into(),
    }
}

fn bar(readings: &Readings, name: &str, case: &str, target: &str, figure: &str) -> Option<Bar> {
    let value = readings.figure(case, target, figure)?.summary.median;
    let colour = match target {
        Peer::DIRECT | Peer::NGINX => LIMIT,
        Peer::LITELLM | Peer::PORTKEY => PEERS,
        Router::EMBEDDED | Router::LOGGING => OURS,
        _ => OURS_REDIS,
    };
    Some(Bar { name: name.to_owned(), value, colour })
}

//! The names of strategies, `LiteLLM`'s and ours, misspelt ones included.

use weighbridge_domain::group::Strategy;

use crate::reader::{Field, Section};
use crate::suggest;

const NAMES: &[(&str, Name)] = &[
    ("simple-shuffle", Name::Shuffle),
    ("least-busy", Name::LeastBusy),
    ("usage-based-routing", Name::LeastUsage),
    ("usage-based-routing-v2", Name::LeastUsage),
    ("latency-based-routing", Name::Latency),
    ("cost-based-routing", Name::Cost),
    ("least-usage", Name::LeastUsage),
    ("round-robin", Name::RoundRobin),
];

/// Spellings that are met in the wild, and the name that is meant.
const MISSPELT: &[(&str, &str)] = &[
    ("simple", "simple-shuffle"),
    ("shuffle", "simple-shuffle"),
    ("random", "simple-shuffle"),
    ("weighted", "simple-shuffle"),
    ("weighted-pick", "simple-shuffle"),
    ("weighted-shuffle", "simple-shuffle"),
    ("latency-based", "latency-based-routing"),
    ("latency", "latency-based-routing"),
    ("lowest-latency", "latency-based-routing"),
    ("usage-based", "usage-based-routing-v2"),
    ("usage", "usage-based-routing-v2"),
    ("lowest-usage", "usage-based-routing-v2"),
    ("lowest-tpm-rpm", "usage-based-routing-v2"),
    ("cost-based", "cost-based-routing"),
    ("cost", "cost-based-routing"),
    ("lowest-cost", "cost-based-routing"),
    ("least-connections", "least-busy"),
    ("roundrobin", "round-robin"),
];

/// Names `LiteLLM` has for what is not built here, and what is used instead.
const NOT_HERE: &[(&str, &str)] =
    &[("provider-budget-routing", "least-usage"), ("lar1", "least-usage"), ("priority", "least-usage")];

#[derive(Debug, Clone, Copy)]
enum Name {
    Shuffle,
    LeastBusy,
    LeastUsage,
    Latency,
    Cost,
    RoundRobin,
}

/// The strategy that `name` means, with `args` where it takes any. What it cannot be is an error.
pub(crate) fn read(name: &Field<'_>, args: Option<&Section<'_>>) -> Option<Strategy> {
    let written = name.text()?;
    let plain = written.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    let exact = |wanted: &str| NAMES.iter().find(|(name, _)| *name == wanted).map(|(_, name)| *name);
    let meant = |to: &str| {
        name.warn(format!("there is no strategy {}", name.shown()), format!("{to} is used"));
        exact(to)
    };
    let known = if let Some(known) = exact(&plain) {
        if plain != written {
            meant(&plain);
        }
        known
    } else if let Some((_, instead)) = NOT_HERE.iter().find(|(name, _)| *name == plain) {
        name.warn(format!("the strategy {} is not built in", name.shown()), format!("{instead} is used"));
        exact(instead)?
    } else {
        let misspelt = MISSPELT.iter().find(|(wrong, _)| *wrong == plain).map(|(_, right)| *right);
        match misspelt.or_else(|| suggest::nearest(&plain, NAMES.iter().map(|(name, _)| *name))) {
            Some(right) => meant(right)?,
            None => {
                let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
                name.error(format!("there is no strategy {}", name.shown()), format!("one of {}", names.join(", ")));
                return None;
            }
        }
    };
    Some(match known {
        Name::Shuffle => Strategy::SimpleShuffle,
        Name::LeastBusy => Strategy::LeastBusy,
        Name::LeastUsage => Strategy::LeastUsage,
        Name::Cost => Strategy::Cost,
        Name::RoundRobin => Strategy::RoundRobin,
        Name::Latency => latency(args),
    })
}

fn latency(args: Option<&Section<'_>>) -> Strategy {
    let buffer = args.and_then(|args| args.get("lowest_latency_buffer"));
    Strategy::Latency { buffer: buffer.and_then(|field| field.number()).unwrap_or(0.0) }
}

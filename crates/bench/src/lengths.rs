//! How long everything takes.

use std::time::Duration;

use crate::args::Args;

/// How long, how many, how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    /// How often everything is measured.
    pub(crate) rounds: usize,
    /// Before anything is counted.
    pub(crate) warm_up: Duration,
    /// A measurement under full load.
    pub(crate) full: Duration,
    /// Paced streams that each connection asks for.
    pub(crate) paced_streams: u64,
    /// A measurement at 100 requests a second.
    pub(crate) calm: Duration,
    /// A measurement at 1,000 requests a second.
    pub(crate) busy: Duration,
    /// Slow streams that are held open.
    pub(crate) slow_streams: usize,
    /// How often a measurement may be repeated in vain, all in all, because others used the machine.
    pub(crate) repeats: usize,
}

impl Lengths {
    /// What was asked for.
    pub(crate) fn of(args: &Args) -> Self {
        let mut lengths = if args.quick { QUICK } else { WHOLE };
        lengths.rounds = args.rounds.unwrap_or(lengths.rounds);
        lengths
    }
}

const WHOLE: Lengths = Lengths {
    rounds: 3,
    warm_up: Duration::from_millis(500),
    full: Duration::from_secs(3),
    paced_streams: 2,
    calm: Duration::from_secs(10),
    busy: Duration::from_secs(4),
    slow_streams: 1000,
    repeats: 12,
};

const QUICK: Lengths = Lengths {
    rounds: 1,
    warm_up: Duration::from_millis(300),
    full: Duration::from_secs(1),
    paced_streams: 1,
    calm: Duration::from_secs(4),
    busy: Duration::from_secs(2),
    slow_streams: 300,
    repeats: 0,
};

//! What was found, in words.

use std::fmt::Write as _;

use super::{Entry, Judge, What};

/// How many events before a violation are told.
const EVENTS: usize = 40;
/// How long before a violation faults are told, in ms.
const FAULTS: u64 = 70_000;

/// Something that must not be.
#[derive(Debug, Clone)]
pub struct Violation {
    /// When, in ms since the beginning.
    pub ms: u64,
    /// The window that it is about.
    pub window: Option<usize>,
    /// What.
    pub what: String,
}

impl Violation {
    /// What sort of violation it is: the words without the numbers.
    pub fn sort(&self) -> String {
        let is_number = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
        self.what.split(' ').filter(is_number).collect::<Vec<_>>().join(" ")
    }
}

impl Judge {
    /// What was found, the earliest first.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = self.violations.clone();
        violations.sort_by(|a, b| (a.ms, &a.what).cmp(&(b.ms, &b.what)));
        violations
    }

    /// A violation, and what came before it.
    pub fn tell(&self, violation: &Violation) -> String {
        let mut text = format!("at {} ms: {}\n", violation.ms, violation.what);
        let Some(window) = violation.window else { return text };
        let mut lines: Vec<(u64, u64, String)> = self.log[window]
            .iter()
            .filter(|entry| entry.ms <= violation.ms)
            .map(|entry| (entry.ms, entry.number, self.line(entry, window)))
            .collect();
        lines.sort();
        lines.drain(..lines.len().saturating_sub(EVENTS));
        let faults = self.faults.iter().filter(|(ms, _)| *ms <= violation.ms && ms + FAULTS > violation.ms);
        lines.extend(faults.map(|(ms, what)| (*ms, 0, format!("-- {what}"))));
        lines.sort();
        for (ms, _, line) in lines {
            writeln!(text, "  {ms:>7} ms  {line}").unwrap_or_default();
        }
        text
    }

    pub(super) fn name(&self, entry: &Entry) -> String {
        self.world.deployments[entry.deployment].id.to_string()
    }

    fn line(&self, entry: &Entry, window: usize) -> String {
        let Entry { host, number, server_ms, .. } = entry;
        let what = match &entry.what {
            What::Granted { tokens, serial, is_local, is_probe, .. } => {
                let from = if *is_local { "from its share" } else { "by the store" };
                let probe = if *is_probe { " as a probe" } else { "" };
                format!("granted {from}{probe}: grant {serial}, {}+{} tokens", tokens.input, tokens.output)
            }
            What::Charged { tokens } => format!("charged in the store: {}+{} tokens", tokens.input, tokens.output),
            What::Ended { grant, used, how } => {
                let serial = self.serial(window, *grant);
                let used = used.map_or("?".to_owned(), |used| format!("{}+{}", used.input, used.output));
                format!("ended: grant {serial}, {how}, {used} tokens used")
            }
            What::Died { grant } => format!("died with its replica: grant {}", self.serial(window, *grant)),
            What::Rests { until } => format!("rests until {until}"),
            What::Forgotten { known } => format!("forgotten; {} replicas know that it rests", known.len()),
        };
        format!("#{number} {} replica {host} (store's clock {server_ms}) {what}", self.name(entry))
    }

    fn serial(&self, window: usize, grant: usize) -> u64 {
        match self.log[window][grant].what {
            What::Granted { serial, .. } => serial,
            What::Charged { .. }
            | What::Ended { .. }
            | What::Died { .. }
            | What::Rests { .. }
            | What::Forgotten { .. } => 0,
        }
    }
}

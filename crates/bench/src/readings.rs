//! What was read, round by round.

use serde::Serialize;

use crate::stats::Summary;

/// The share of a processor that others may use before a reading is repeated, or marked.
pub(crate) const OTHERS_MOST: f64 = 0.08;

/// One figure of one round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reading {
    /// What was done: `chat 300 B`.
    pub(crate) case: &'static str,
    /// To whom: `nginx`.
    pub(crate) target: &'static str,
    /// What was read: `cpu_us`.
    pub(crate) figure: &'static str,
    /// In which round.
    pub(crate) round: usize,
    /// The figure.
    pub(crate) value: f64,
    /// Processors that others used meanwhile.
    pub(crate) others: f64,
}

/// Everything that was read, and what went wrong.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Readings {
    /// In order.
    pub(crate) all: Vec<Reading>,
    /// What could not be read, and why.
    pub(crate) failures: Vec<String>,
}

/// A figure over the rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figure {
    /// What the rounds came to.
    pub(crate) summary: Summary,
    /// Whether others used the machine in one of them.
    pub(crate) is_disturbed: bool,
}

impl Readings {
    /// A figure of a case and a target; nothing when it was never read.
    pub(crate) fn figure(&self, case: &str, target: &str, figure: &str) -> Option<Figure> {
        let of = |reading: &&Reading| reading.case == case && reading.target == target && reading.figure == figure;
        let readings: Vec<&Reading> = self.all.iter().filter(of).collect();
        let summary = Summary::of(readings.iter().map(|reading| reading.value).collect())?;
        let is_disturbed = readings.iter().any(|reading| reading.others > OTHERS_MOST);
        Some(Figure { summary, is_disturbed })
    }

    /// The same figure of two cases and targets, each round's divided by the other's of the same round.
    pub(crate) fn ratio(&self, of: (&str, &str), to: (&str, &str), figure: &str) -> Option<Figure> {
        self.paired(of, to, figure, |value, base| value / base)
    }

    /// The same figure of two targets, each round's less the other's of the same round.
    pub(crate) fn added(&self, case: &str, target: &str, base: &str, figure: &str) -> Option<Figure> {
        self.paired((case, target), (case, base), figure, |value, base| value - base)
    }

    fn paired(&self, of: (&str, &str), to: (&str, &str), figure: &str, combine: fn(f64, f64) -> f64) -> Option<Figure> {
        let all = |(case, target)| {
            let is_meant =
                move |reading: &&Reading| reading.case == case && reading.target == target && reading.figure == figure;
            self.all.iter().filter(is_meant)
        };
        let pairs: Vec<(&Reading, &Reading)> =
            all(of).filter_map(|one| Some((one, all(to).find(|base| base.round == one.round)?))).collect();
        let summary = Summary::of(pairs.iter().map(|(one, base)| combine(one.value, base.value)).collect())?;
        let is_disturbed = pairs.iter().any(|(one, base)| one.others.max(base.others) > OTHERS_MOST);
        Some(Figure { summary, is_disturbed })
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Reading, Readings};
    use crate::stats::Summary;

    #[test]
    fn rounds_are_paired() {
        let reading = |target, round, value, others| Reading { case: "c", target, figure: "f", round, value, others };
        let all = vec![
            reading("a", 0, 2.0, 0.0),
            reading("a", 1, 9.0, 0.0),
            reading("b", 0, 1.0, 0.5),
            reading("b", 1, 3.0, 0.0),
            reading("b", 2, 5.0, 0.0),
        ];
        let readings = Readings { all, failures: Vec::new() };
        let figure = |median, min, max, is_disturbed| Figure { summary: Summary { median, min, max }, is_disturbed };
        assert_eq!(readings.figure("c", "a", "f"), Some(figure(5.5, 2.0, 9.0, false)));
        assert_eq!(readings.ratio(("c", "a"), ("c", "b"), "f"), Some(figure(2.5, 2.0, 3.0, true)));
        assert_eq!(readings.added("c", "b", "a", "f"), Some(figure(-3.5, -6.0, -1.0, true)));
        assert_eq!(readings.figure("c", "a", "g"), None);
    }
}

//! What requests cost when somebody last said that it was worth it: a table in the repository.

use std::fmt::Write;

use crate::cost::Cost;

/// The costs of cases by their names, and what they were counted with.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Baseline {
    /// The compiler, Callgrind and the processor: with others the same code costs something else.
    pub(crate) tools: String,
    /// Case by case.
    pub(crate) costs: Vec<(String, Cost)>,
}

const HEAD: &str = "\
# Per request, and per chunk of a stream: instructions, allocations, system calls.
# `cargo xtask cost --bless` writes this file; the commit that changes it says why.
";
const TOOLS: &str = "# Counted with ";

impl Baseline {
    /// Reads the table.
    ///
    /// # Errors
    /// The line that is none.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut baseline = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(tools) = line.strip_prefix(TOOLS) {
                tools.clone_into(&mut baseline.tools);
            } else if !line.starts_with('#') {
                baseline.costs.push(row(line).ok_or_else(|| format!("no row of a baseline: {line:?}"))?);
            }
        }
        Ok(baseline)
    }

    /// The cost of a case.
    pub(crate) fn cost(&self, name: &str) -> Option<Cost> {
        self.costs.iter().find(|(known, _)| known == name).map(|(_, cost)| *cost)
    }

    /// The table as it is written to the file.
    pub(crate) fn write(&self) -> String {
        let mut text = format!("{HEAD}{TOOLS}{}\n", self.tools);
        for (name, Cost { instructions, allocations, calls }) in &self.costs {
            // Writing to a string cannot fail.
            writeln!(text, "{name:<16}{instructions:>10.0}{allocations:>10.2}{calls:>8.2}").ok();
        }
        text
    }
}

fn row(line: &str) -> Option<(String, Cost)> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let mut number = || words.next()?.parse().ok();
    let cost = Cost { instructions: number()?, allocations: number()?, calls: number()? };
    words.next().is_none().then_some((name, cost))
}

#[cfg(test)]
mod tests {
    use super::Baseline;
    use crate::cost::Cost;

    #[test]
    fn what_is_written_is_read() {
        let cost = Cost { instructions: 123_456.0, allocations: 98.5, calls: 4.25 };
        let baseline = Baseline { tools: "some compiler".to_owned(), costs: vec![("chat".to_owned(), cost)] };
        assert_eq!(Baseline::read(&baseline.write()), Ok(baseline));
        for line in ["chat", "chat 1 2", "chat 1 2 x", "chat 1 2 3 4"] {
            assert!(Baseline::read(line).is_err(), "{line}");
        }
    }
}

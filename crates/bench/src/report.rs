//! The document and its charts, from what was read.

mod bars;
mod charts;
mod markdown;
mod svg;
mod tables;

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::args::Args;
use crate::machine::{Machine, root, tools};
use crate::readings::Readings;
use crate::targets::Peer;

/// Writes the document and its charts: below `docs/` after a whole run, below `target/bench/draft/` after any other. All
/// readings go to `target/bench/results.json`.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(args: &Args, machine: &Machine, readings: &Readings) -> io::Result<PathBuf> {
    let directory = if args.is_whole() { root().join("docs") } else { tools().join("draft") };
    fs::create_dir_all(directory.join("benchmarks"))?;
    fs::create_dir_all(tools())?;
    let results = serde_json::json!({ "machine": machine, "readings": readings });
    fs::write(tools().join("results.json"), format!("{results:#}\n"))?;
    for (name, chart) in charts::all(readings) {
        fs::write(directory.join("benchmarks").join(name), chart)?;
    }
    let path = directory.join("benchmarks.md");
    fs::write(&path, document(machine, readings))?;
    Ok(path)
}

/// The template with its tables.
fn document(machine: &Machine, readings: &Readings) -> String {
    let rounds = readings.all.iter().map(|reading| reading.round + 1).max().unwrap_or_default();
    let parts = [
        ("machine", tables::machine(machine)),
        ("rounds", rounds.to_string()),
        ("bars", bars::table(&bars::all(readings))),
        ("fallen", bars::fallen(&bars::all(readings))),
        ("chat", tables::chat(readings)),
        ("body", tables::body(readings)),
        ("harness", markdown::median(readings.figure("chat 300 B", Peer::DIRECT, "cpu_us"))),
        ("limits", tables::limits(readings)),
        ("streams", tables::streams(readings)),
        ("redis", tables::redis(readings)),
        ("latency", tables::latency(readings)),
        ("rates", tables::rates(readings)),
        ("memory", tables::memory(readings)),
        ("binary", format!("{:.1}", machine.binary_mb)),
        ("failures", tables::failures(readings)),
    ];
    let template = include_str!("report/benchmarks.md").to_owned();
    parts.into_iter().fold(template, |text, (name, part)| text.replace(&format!("{{{{{name}}}}}"), part.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::document;
    use crate::machine::Machine;
    use crate::readings::{Reading, Readings};

    #[test]
    fn every_place_of_the_template_is_filled() {
        let machine = Machine { facts: vec![("kernel", "Linux".to_owned())], binary_mb: 12.34 };
        let reading =
            |target, value| Reading { case: "chat 300 B", target, figure: "cpu_us", round: 0, value, others: 0.0 };
        let all = vec![reading("nginx", 20.0), reading("Weighbridge", 30.0)];
        let text = document(&machine, &Readings { all, failures: vec!["LiteLLM, its start: missing".to_owned()] });
        assert!(!text.contains("{{"), "{text}");
        for part in ["| kernel | Linux |", "1.50x", "12.3 MB", "LiteLLM, its start: missing", "not measured"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

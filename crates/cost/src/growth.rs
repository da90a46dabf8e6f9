//! How the cost of a request grows with what is around it: `docs/growth.md`.

mod counted;
mod cpu;
mod fleet;
mod latency;
mod machine;
mod redis;
mod reload;
mod streams;

use std::fs;
use std::path::Path;

use clap::ValueEnum;

use crate::say;

const HEAD: &str = "\
# Growth

What a request costs when there is more of something. Written by `cargo xtask growth`; do not edit.

";

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    Instructions,
    Streams,
    Reload,
    Redis,
}

const ALL: [Section; 4] = [Section::Instructions, Section::Streams, Section::Reload, Section::Redis];

/// Measures everything and writes it to `path`.
///
/// # Errors
/// What could not be measured.
pub(crate) async fn run(path: &Path) -> Result<(), String> {
    let mut page = HEAD.to_owned() + &machine::section().await;
    for section in ALL {
        let text = measure(section).await?;
        say(&text);
        page.push('\n');
        page.push_str(&text);
    }
    fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))
}

/// Measures a section and shows it.
///
/// # Errors
/// What could not be measured.
pub(crate) async fn tell(section: Section) -> Result<(), String> {
    say(&measure(section).await?);
    Ok(())
}

async fn measure(section: Section) -> Result<String, String> {
    match section {
        Section::Instructions => counted::section().await,
        Section::Streams => streams::section().await,
        Section::Reload => reload::section().await,
        Section::Redis => {
            let (turns, costs) = redis::section().await?;
            Ok(turns + "\n" + &fleet::section(costs).await?)
        }
    }
}

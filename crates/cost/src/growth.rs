//! How the cost of a request grows with what is around it: `docs/growth.md`.

mod counted;
mod fleet;
mod latency;
mod machine;
mod redis;
mod reload;
mod streams;

use std::fs;
use std::path::Path;

use crate::say;

const HEAD: &str = "\
# Growth

What a request costs when there is more of something. Written by `cargo xtask growth`; do not edit.

";

/// Measures everything and writes it to `path`.
///
/// # Errors
/// What could not be measured.
pub(crate) async fn run(path: &Path) -> Result<(), String> {
    let mut page = HEAD.to_owned() + &machine::section().await;
    let mut add = |what: &str, section: Result<String, String>| {
        let section = section.map_err(|error| format!("{what}: {error}"))?;
        say(&section);
        page.push('\n');
        page.push_str(&section);
        Ok::<(), String>(())
    };
    add("instructions", counted::section().await)?;
    add("streams", streams::section().await)?;
    add("reload", reload::section().await)?;
    let (turns, costs) = redis::section().await?;
    add("Redis", Ok(turns))?;
    add("fleets", fleet::section(costs).await)?;
    fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))
}

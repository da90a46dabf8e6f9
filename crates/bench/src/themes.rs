//! What is measured, theme by theme.

mod chat;
mod full;
mod latency;
mod limits;
mod memory;
mod redis;
mod streams;

pub(crate) use chat::chat;
pub(crate) use latency::{BUSY, CALM, latency};
pub(crate) use limits::limits;
pub(crate) use memory::memory;
pub(crate) use redis::redis;
pub(crate) use streams::streams;

use crate::targets::{Kind, SMALL, Target};

/// Bodies by size, with the name of the case over state in the process and over Redis.
pub(crate) const SIZES: [(&str, &str, Kind); 3] = [
    ("chat 300 B", "Redis, 300 B", Kind::Chat(SMALL)),
    ("chat 10 KB", "Redis, 10 KB", Kind::Chat(10_000)),
    ("chat 100 KB", "Redis, 100 KB", Kind::Chat(100_000)),
];

/// The one of that name, when it runs.
fn named<'a>(targets: &'a [Target], name: &str) -> Option<&'a Target> {
    targets.iter().find(|target| target.name == name)
}

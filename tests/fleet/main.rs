//! Several replicas over one Redis, each a process of its own, before providers that judge them.
//!
//! What takes minutes stands in `long/` and is run by `cargo xtask fleet`.

#![expect(clippy::expect_used, reason = "these are tests from end to end")]

mod begin;
mod config_objects;
mod cooldowns;
mod limits;
mod outages;
mod parallel;
mod records;
mod support;
mod turns;

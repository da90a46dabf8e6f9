//! Faults that take their time: `cargo xtask fleet` runs these.

#![expect(clippy::expect_used, reason = "these are tests from end to end")]

mod network;
mod servers;
#[path = "../support.rs"]
mod support;
mod zombie;

//! Whole-system tests: a router as clients see it, before simulated providers.
//!
//! [`scenarios`] run in virtual time and in this process; the others speak HTTP over loopback.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "these are tests from end to end")]

mod deploy;
mod scenarios;
mod support;

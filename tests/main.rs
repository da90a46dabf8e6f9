//! Whole-system tests: a router as clients see it, before simulated providers.
//!
//! [`scenarios`], [`limits`] and [`corpus`] run in virtual time and in this process; the others speak HTTP over
//! loopback, to a router in this process or to the binary.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "these are tests from end to end")]

mod commands;
mod config_objects;
mod corpus;
mod custom_hosts;
mod deploy;
mod drain;
mod edges;
mod library;
mod limits;
mod logs;
mod overhead;
mod plans;
mod reload;
mod scenarios;
mod soak;
mod streams;
mod support;

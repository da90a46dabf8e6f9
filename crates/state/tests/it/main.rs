//! Every store, asked from outside: what it promises, and whether all of them decide alike.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod alike;
mod contract;
mod documents;
mod fleet;
mod guests;
mod repair;
mod roll;
mod sessions;
mod support;

//! A fleet under load and under faults, and what it came to.
//!
//! [`redis`] runs real servers, [`proxy`] does to their connections what networks do, [`fleet`] runs
//! replicas as processes before simulated providers, which judge them; [`load`] sends requests
//! without waiting for answers, and [`report`] tells what came of it. [`controls`] are limiters with
//! known holes: where they look exact, the harness is blind.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot start what it tests has nothing to report"
)]

pub mod binaries;
pub mod controls;
pub mod experiments;
pub mod fleet;
pub mod http;
pub mod load;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod report;
pub mod simulation;
pub mod wait;

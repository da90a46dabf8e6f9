//! Whole-system tests: a router as clients see it, before simulated providers.
//!
//! [`scenarios`] run in virtual time and in this process; the others speak HTTP over loopback.

mod scenarios;
mod support;

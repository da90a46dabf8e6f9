//! Typed events rendered as metrics and log lines.
//!
//! Whoever does something tells an [`Observer`](weighbridge_domain::event::Observer) what
//! happened; here it is decided how that is counted ([`metrics`]) and printed ([`logs`]).

pub mod logs;
pub mod metrics;
pub mod observers;

#[cfg(test)]
mod sample;

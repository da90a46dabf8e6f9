//! Typed events rendered as metrics and log lines.
//!
//! Whoever does something tells an [`Observer`](weighbridge_domain::event::Observer) what
//! happened; here it is decided how that is counted ([`metrics`]), printed ([`logs`]) and written down ([`records`]).

pub mod logs;
pub mod metrics;
pub mod observers;
pub mod records;

#[cfg(test)]
mod sample;

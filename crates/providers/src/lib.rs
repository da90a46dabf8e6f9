//! Speaks to providers: one row a provider, one codec a wire format, one transport.
//!
//! [`encode`] turns a request into the bytes a provider wants, [`transport::Transport`] sends
//! them, [`reply`] and [`sse`] read what comes back, [`failure`] says what went wrong. All but
//! the transport are functions of values.

pub mod catalog;
mod chunk;
pub mod encode;
pub mod failure;
pub mod remaining;
pub mod reply;
mod retry_after;
pub mod simulated;
pub mod sse;
pub mod transport;
mod usage;

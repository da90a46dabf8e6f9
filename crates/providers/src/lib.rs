//! Speaks to providers: one row a provider, one transport.
//!
//! [`encode`] turns a request into what a provider wants, in the words of its wire format, and [`transport::Transport`]
//! sends it. All but the transport are functions of values.

pub mod catalog;
pub mod encode;
pub mod simulated;
pub mod transport;

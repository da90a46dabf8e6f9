//! Speaks to providers: one row a provider, one transport.
//!
//! [`encode`] turns a request into what a provider wants, in the words of its wire format, and [`transport::Transport`]
//! sends it, signed or with a token where [`credentials::Credentials`] has one to add. All but these two are functions of values.

pub mod catalog;
pub mod credentials;
pub mod encode;
pub mod simulated;
pub mod transport;

//! A fleet in virtual time: the replicas' real code before a store that is made of plain values.
//!
//! [`run`] plays minutes of a fleet of hundreds in seconds, and a seed plays them again. [`model`] is the server,
//! held against a real one in `tests/model.rs`; [`link`] and [`network`] are the way to it and what may befall it;
//! [`traffic`] asks, [`fault`] breaks, and the [`judge`] says whether what is promised was kept.

pub mod fault;
pub mod judge;
pub mod link;
pub mod model;
pub mod network;
pub mod replica;
pub mod run;
pub mod store;
pub mod traffic;
pub mod world;

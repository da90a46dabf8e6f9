//! Names, deployments, groups, plans, requests, replies and failures: values only.
//!
//! Every other crate speaks in these words. Nothing here waits, reads a clock, rolls dice or
//! touches the network, so that whatever decides can be tested with plain values.
//!
//! In reading order: [`name`], [`limits`], [`usage`], [`provider`], [`credential`], [`deployment`], [`group`],
//! [`plan`] and [`drop_path`], [`hosts`], [`settings`], [`store`], [`table`] are what an operator configures; [`json`], [`request`], [`failure`] are
//! what passes through; [`view`] and [`event`] are what is known and what happened.

pub mod credential;
pub mod deployment;
pub mod derived;
pub mod drop_path;
pub mod event;
pub mod failure;
pub mod group;
pub mod hosts;
pub mod json;
pub mod limits;
pub mod name;
pub mod plan;
pub mod policy;
pub mod preferences;
pub mod provider;
pub mod request;
pub mod rotation;
pub mod secret;
pub mod settings;
pub mod store;
pub mod table;
pub mod time;
pub mod usage;
pub mod view;

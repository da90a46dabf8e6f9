//! Replicas as processes, before simulated providers in this process.

mod config;
mod providers;
mod replica;

pub use config::{Config, Deployment, LATENCY, Store};
pub use providers::{Providers, Seen};
pub use replica::Replica;

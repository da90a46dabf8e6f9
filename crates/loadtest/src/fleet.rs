//! Replicas as processes, before simulated providers in this process.

mod binaries;
mod config;
mod providers;
mod replica;

pub use binaries::target;
pub use config::{Config, Deployment, Store};
pub use providers::{Providers, Seen};
pub use replica::Replica;

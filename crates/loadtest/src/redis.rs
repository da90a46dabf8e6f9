//! Real Redis servers on private ports, and everything that can befall them.

mod certificates;
mod cluster;
mod info;
mod ports;
mod resp;
mod sentinel;
mod server;
mod setup;

pub use certificates::Certificates;
pub use cluster::Cluster;
pub use info::Info;
pub use resp::{Link, Value};
pub use sentinel::{Watched, cut_replication};
pub use server::Server;
pub use setup::{Program, Setup};

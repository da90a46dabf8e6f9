//! The HTTP surface: routes, authentication, errors, server-sent events, admin.
//!
//! [`routes`] has every path on one screen. A request is checked (`auth`, `admission`), read
//! ([`request`]), run by the engine (`operate`), and its outcome is told in headers (`headers`)
//! and a body: `answer` when somebody answered, `error` when nobody did. The rest is for operators.

mod admin;
mod admission;
mod answer;
pub mod app;
mod auth;
mod baggage;
mod choice;
mod configs;
mod controls;
mod deployments;
pub mod drain;
mod error;
mod fallbacks;
mod headers;
mod health;
mod id;
mod logs;
mod models;
mod multipart;
mod operate;
mod portkey;
pub mod refusal;
pub mod request;
pub mod routes;
mod saved;
mod serve;
pub mod snapshot;
#[cfg(test)]
mod testkit;

pub use app::{App, AppParts, MetricsPage, Reload, Reloaded, Reloading};
pub use configs::Configs;
pub use drain::Drain;
pub use refusal::Refusal;
pub use routes::router;
pub use serve::serve;
pub use snapshot::Snapshot;

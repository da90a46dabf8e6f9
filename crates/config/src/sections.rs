//! The sections of the file that are read as a whole.

pub(crate) mod general;
pub(crate) mod model_routes;
pub(crate) mod prices;
pub(crate) mod providers;
pub(crate) mod routes;
pub(crate) mod routing;
pub(crate) mod saved_configs;
pub(crate) mod server;
pub(crate) mod state;
pub(crate) mod virtual_keys;

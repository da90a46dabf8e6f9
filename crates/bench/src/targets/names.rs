//! What targets are called in readings and tables.

/// The upstream itself.
pub(crate) const DIRECT: &str = "direct";

/// Ours.
#[derive(Debug)]
pub(crate) struct Router;

impl Router {
    /// State in the process, which everything else is compared to.
    pub(crate) const EMBEDDED: &str = "Weighbridge";
    /// The same with a log line for each request.
    pub(crate) const LOGGING: &str = "Weighbridge, request log";
    /// One replica over Redis.
    pub(crate) const REDIS_1: &str = "Weighbridge, Redis, 1 replica";
    /// Three.
    pub(crate) const REDIS_3: &str = "Weighbridge, Redis, 3 replicas";
    /// One that has lost its Redis.
    pub(crate) const AWAY: &str = "Weighbridge, Redis away";
}

/// The others.
#[derive(Debug)]
pub(crate) struct Peer;

impl Peer {
    /// Nothing in between.
    pub(crate) const DIRECT: &str = DIRECT;
    /// The limit.
    pub(crate) const NGINX: &str = "nginx";
    /// LiteLLM's proxy.
    pub(crate) const LITELLM: &str = "LiteLLM";
    /// Portkey's gateway.
    pub(crate) const PORTKEY: &str = "Portkey";
}

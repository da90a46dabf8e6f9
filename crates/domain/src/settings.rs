//! What holds for the router as a whole rather than for one deployment or group.

use std::time::Duration;

use crate::hosts::HostRules;
use crate::secret::Secret;

/// How requests are routed, apart from groups and deployments.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingSettings {
    /// How long a request may wait for capacity before it gets 429.
    pub max_wait: Duration,
    /// What happens when every candidate cools.
    pub when_all_cooling: WhenAllCooling,
    /// The time in which new attempts may start.
    pub fallback_budget: Duration,
    /// How deep fallbacks nest.
    pub max_fallbacks: u32,
    /// The most retries of one request over all its stops; `None` is no cap.
    pub max_retries_per_request: Option<u32>,
    /// Whether prompts are held against context windows and regions before the call.
    pub pre_call_checks: bool,
    /// Whether requests are held against tags.
    pub tag_filtering: bool,
    /// Whether one common tag is enough; otherwise all of the request's are needed.
    pub tags_match_any: bool,
    /// Whether clients may bring keys and base URLs of their own.
    pub client_credentials: bool,
    /// Whether `mock_response` and the `mock_testing_…` fields of a body have an effect.
    pub client_mocks: bool,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self {
            max_wait: Duration::ZERO,
            when_all_cooling: WhenAllCooling::LeastBad,
            fallback_budget: Duration::from_secs(45),
            max_fallbacks: 5,
            max_retries_per_request: None,
            pre_call_checks: false,
            tag_filtering: false,
            tags_match_any: true,
            client_credentials: false,
            client_mocks: true,
        }
    }
}

/// What happens when every candidate cools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAllCooling {
    /// The least bad is tried, unless it cools for a rate limit.
    LeastBad,
    /// 503 with the earliest time one is back.
    Refuse,
}

/// How the HTTP side behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Who is let in.
    pub access: Access,
    /// What hosts clients may name beyond public ones.
    pub custom_hosts: HostRules,
    /// The longest request body, in bytes.
    pub max_body_bytes: usize,
    /// Requests served at once; past it 503.
    pub max_concurrent_requests: usize,
    /// Which families of response headers are sent.
    pub response_headers: HeaderFamilies,
    /// How long new requests are still served after SIGTERM.
    pub drain_delay: Duration,
    /// How long running requests may take to end after SIGTERM.
    pub drain_timeout: Duration,
    /// Whether log lines are JSON.
    pub json_logs: bool,
    /// Whether `/metrics` needs the master key.
    pub metrics_need_key: bool,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            access: Access::Open,
            custom_hosts: HostRules::default(),
            max_body_bytes: 32 << 20,
            max_concurrent_requests: 10_000,
            response_headers: HeaderFamilies::default(),
            drain_delay: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(600),
            json_logs: false,
            metrics_need_key: false,
        }
    }
}

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everybody to the data plane, operators from this machine only.
    Open,
    /// Clients and operators who show the master key.
    Key(Secret),
    /// Nobody: a master key was asked for and is not there. An open router would be worse.
    Locked,
}

/// Which families of response headers are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderFamilies {
    /// `x-weighbridge-*`.
    pub weighbridge: bool,
    /// `x-litellm-*`.
    pub litellm: bool,
    /// `x-portkey-*`.
    pub portkey: bool,
}

impl Default for HeaderFamilies {
    fn default() -> Self {
        Self { weighbridge: true, litellm: true, portkey: true }
    }
}

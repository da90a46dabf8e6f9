//! What is asked, again and again: a configuration, a request, and the reply that a provider has for it.

mod bodies;
mod configs;
mod growing;
mod guarded;
mod replies;

use std::time::Duration;

use crate::upstream::Reply;

pub(crate) use self::configs::{ROOMY, groups};
pub(crate) use self::growing::{GROWING, Growing};
pub(crate) use self::guarded::GUARDED;

/// One thing that is asked again and again.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The router's configuration, `UPSTREAM` in place of the provider's address.
    pub(crate) config: String,
    /// Whole requests, sent in turn.
    pub(crate) requests: Vec<Vec<u8>>,
    /// What the provider says.
    pub(crate) reply: Reply,
    /// What the router answers.
    pub(crate) status: u16,
    /// How many things a request is, where the cost of one of them is wanted.
    pub(crate) parts: u32,
    /// Which log lines are printed.
    pub(crate) log: &'static str,
}

/// A stream of so many chunks, one `every` so often.
pub(crate) fn ticking(chunks: u32, every: Duration) -> Case {
    Case::new(groups(1, 4, "openai/m", ROOMY), guarded::stream_request(), replies::ticking(chunks, every))
}

/// A chat of 300 B with a file of so many deployments.
pub(crate) fn among(deployments: usize) -> Option<Case> {
    growing::case("deployments", deployments)
}

impl Case {
    /// A case by its name: one of [`GUARDED`], or a quantity and how much of it, `deployments/100`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.split_once('/') {
            Some((quantity, amount)) => growing::case(quantity, amount.parse().ok()?),
            None => guarded::case(name),
        }
    }

    /// `request`, sent to a router with `config`, answered with 200.
    pub(crate) fn new(config: String, request: Vec<u8>, reply: Reply) -> Self {
        Self { config, requests: vec![request], reply, status: 200, parts: 1, log: "warn" }
    }
}

#[cfg(test)]
mod tests {
    use weighbridge::replica::Replica;

    use super::{Case, GROWING, GUARDED};

    #[test]
    fn every_configuration_serves() {
        let growing = GROWING.iter().map(|growing| format!("{}/{}", growing.name, growing.amounts[0]));
        for name in GUARDED.iter().map(|(name, _)| (*name).to_owned()).chain(growing) {
            let case = Case::named(&name).unwrap_or_else(|| panic!("there is no case {name}"));
            let config = case.config.replace("UPSTREAM", "127.0.0.1:9");
            Replica::from_yaml(&config).unwrap_or_else(|error| panic!("{name}: {error}\n{config}"));
        }
        assert!(Case::named("deployments").is_none() && Case::named("miles/9").is_none());
    }
}

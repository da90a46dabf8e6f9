//! What is asked, again and again: a configuration, a request, and the reply that a provider has for it.

mod bodies;
mod configs;
mod growing;
mod guarded;
mod replies;

use crate::upstream::Reply;

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

impl Case {
    /// A case by its name: one of [`GUARDED`], or a quantity and how much of it, `deployments/100`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.split_once('/') {
            Some((quantity, amount)) => growing::case(quantity, amount.parse().ok()?),
            None => guarded::case(name),
        }
    }

    /// `request`, sent to a router with `config`, answered with 200.
    fn new(config: String, request: Vec<u8>, reply: Reply) -> Self {
        Self { config, requests: vec![request], reply, status: 200, parts: 1, log: "warn" }
    }
}

#[cfg(test)]
mod tests {
    use weighbridge::replica::Replica;

    use super::{Case, GUARDED};

    #[test]
    fn every_configuration_serves() {
        let growing = ["deployments/10", "spread/16", "groups/10", "members/4", "depth/8", "body/300"];
        for name in GUARDED.iter().map(|(name, _)| *name).chain(growing) {
            let case = Case::named(name).unwrap_or_else(|| panic!("there is no case {name}"));
            let config = case.config.replace("UPSTREAM", "127.0.0.1:9");
            Replica::from_yaml(&config).unwrap_or_else(|error| panic!("{name}: {error}\n{config}"));
        }
        assert!(Case::named("deployments").is_none() && Case::named("miles/9").is_none());
    }
}

//! Hosts that a config object names.

use std::fmt;

/// Says whether a host may be named.
pub trait HostCheck: fmt::Debug {
    /// Whether requests may be sent below the base URL `url`.
    ///
    /// # Errors
    /// Why not, and what an operator would have to write to allow it.
    fn check(&self, url: &str) -> Result<Named, String>;
}

/// Who answers for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The operator, who wrote it.
    ByOperator,
    /// A client: what the host resolves to is looked at as well.
    ByClient,
}

/// For configs that the operator wrote: any host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnyHost;

impl HostCheck for AnyHost {
    fn check(&self, _: &str) -> Result<Named, String> {
        Ok(Named::ByOperator)
    }
}

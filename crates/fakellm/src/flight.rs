//! A request while it is being answered.

use std::fmt;
use std::sync::Arc;

use crate::provider::Provider;

/// Counts a request as in flight for as long as it lives. One that is dropped before it has landed
/// was cancelled by its client.
pub(crate) struct Flight {
    provider: Arc<Provider>,
    landing: Landing,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Landing {
    /// It was a stream.
    pub(crate) stream: bool,
    /// Completion tokens that were sent.
    pub(crate) delivered: u64,
    /// Its client went away.
    pub(crate) cancelled: bool,
}

impl Flight {
    /// Begins; `provider` has counted it.
    pub(crate) fn new(provider: Arc<Provider>, stream: bool) -> Self {
        Self { provider, landing: Landing { stream, delivered: 0, cancelled: true } }
    }

    /// So many more tokens were sent.
    pub(crate) fn deliver(&mut self, tokens: u64) {
        self.landing.delivered += tokens;
    }

    /// The answer is over, well or not.
    pub(crate) fn land(mut self) {
        self.landing.cancelled = false;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.provider.landed(self.landing);
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flight").field(&self.landing).finish()
    }
}

//! Who asks: closed loops, fixed rates, streams that are held open.

mod closed;
mod held;
mod open;

pub(crate) use closed::Closed;
pub(crate) use held::Held;
pub(crate) use open::at_rate;

use crate::http::{Expected, Request};

/// What is asked, and what must come back.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The request.
    pub(crate) request: Request,
    /// What its answer must be.
    pub(crate) expected: Expected,
}

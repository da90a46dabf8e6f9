//! What the tests are made with.

pub(crate) mod fake;
pub(crate) mod replica;

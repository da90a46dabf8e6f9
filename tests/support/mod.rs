//! What the tests are made with.

pub(crate) mod child;
pub(crate) mod fake;
pub(crate) mod http;
pub(crate) mod live;
pub(crate) mod replica;

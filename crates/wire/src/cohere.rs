//! Cohere's chat, version 2.
//!
//! What a model plans before it calls tools (`tool_plan`) is a thought here, as it is to Cohere: "chain-of-thought style
//! reflection", in words that are not for the user. So it goes back as the plan of the turn whose calls it led to.

mod messages;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;

pub use reply::read_reply;
pub use request::write_request;
pub use stream::Reader;

/// What a loss says about a field that Cohere has no place for.
const UNKNOWN: &str = "is not known to Cohere";

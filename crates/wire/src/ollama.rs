//! Ollama's own chat, `/api/chat`.
//!
//! It speaks `OpenAI`'s format too, but takes there neither the size of its context nor how long to keep a model.

mod messages;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;

pub use reply::read_reply;
pub use request::write_request;
pub use stream::Reader;

/// What a loss says about a field that Ollama has no place for.
const UNKNOWN: &str = "is not known to Ollama";

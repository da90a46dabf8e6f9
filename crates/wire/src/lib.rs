//! Wire formats: what clients and providers write to each other, read and written as values.
//!
//! A format is a module. Where a client and a deployment speak the same one, bytes pass as they came ([`sse`], [`whole`] only
//! look into them). Where they do not, what the client says becomes a [`chat::Chat`], and what the provider says a
//! [`reply::Reply`] or [`reply::Event`]s, and these are written in the other's words. Every module of a format has
//!
//! - `write_request` and `read_reply`, and a `Reader` of its streams: the provider's side;
//! - where clients speak it, `read_request`, `write_reply` and a `Writer` of its streams: the client's side.
//!
//! Nothing here waits, reads a clock or rolls dice.

pub mod anthropic;
pub mod bedrock;
pub mod chat;
mod chunk;
pub mod cohere;
#[cfg(test)]
mod crossings;
pub mod embeddings;
pub mod exchange;
pub mod failure;
pub mod format;
pub mod frames;
pub mod gemini;
pub mod json;
mod lines;
pub mod losses;
pub mod ollama;
pub mod openai;
mod ordered;
pub mod remaining;
pub mod reply;
pub mod responses;
mod retry_after;
#[cfg(test)]
mod samples;
pub mod sse;
pub mod stream;
#[cfg(test)]
mod told;
mod usage;
pub mod whole;

//! Gemini's words, at AI Studio and at Vertex AI.

mod ask;
mod conversation;
mod embeddings;
mod errors;
mod fields;
mod reply;

pub(crate) use ask::read;
pub(crate) use errors::{error_event, refusal};
pub(crate) use reply::{events, whole};

//! Cohere's words, version 2.

mod ask;
mod errors;
mod fields;
mod reply;

pub(crate) use ask::read;
pub(crate) use errors::{error_event, refusal};
pub(crate) use reply::{events, whole};

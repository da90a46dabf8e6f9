//! Anthropic's words: the Messages API.

mod ask;
mod conversation;
mod errors;
mod fields;
mod form;
mod reply;

pub(crate) use ask::read;
pub(crate) use errors::{allowance_headers, error_event, refusal};
pub(crate) use reply::{events, whole};

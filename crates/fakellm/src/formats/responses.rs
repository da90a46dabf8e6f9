//! The words of OpenAI's Responses API.

mod ask;
mod fields;
mod input;
mod reply;
mod stream;

pub(crate) use ask::read;
pub(crate) use reply::whole;
pub(crate) use stream::{error_event, events};

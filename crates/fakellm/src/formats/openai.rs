//! OpenAI's words: what it and Azure do, and all that are compatible with them.

mod ask;
mod chunks;
mod errors;
mod fields;
mod form;
mod operations;
mod reply;

pub(crate) use ask::read;
pub(crate) use chunks::events;
pub(crate) use errors::{allowance_headers, mid_answer, refusal};
pub(crate) use form::check;
pub(crate) use operations::whole;

//! `OpenAI`'s responses API (`POST /v1/responses`), where nothing is kept between requests.
//!
//! A client sends the whole conversation each time: what refers to an earlier response, a stored conversation or a stored
//! prompt is refused. A provider is told to store nothing, and gives its thoughts encrypted instead.
//!
//! A reasoning item is a thought: its summary is the text, its `encrypted_content` the signature. One without any summary
//! is a thought that only the provider can read. A thought whose text is empty but which has a signature has one empty part
//! of summary, so that the two stay apart.

mod echo;
mod item;
mod object;
mod output;
mod parts;
mod read_items;
mod read_request;
mod reader;
#[cfg(test)]
mod tests;
mod tools;
mod write_items;
mod write_reply;
mod write_request;
mod writer;

pub use echo::Echo;
pub use output::read_reply;
pub use read_request::read_request;
pub use reader::Reader;
pub use write_reply::write_reply;
pub use write_request::write_request;
pub use writer::Writer;

/// The top-level fields of requests.
pub const FIELDS: &[&str] = &[
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

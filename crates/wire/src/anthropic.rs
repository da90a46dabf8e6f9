//! Anthropic's messages.

mod content;
mod error;
mod model;
mod part;
#[cfg(test)]
mod properties;
mod read;
mod reader;
mod reply;
mod sampling;
mod thinking;
mod tools;
mod turns;
mod usage;
mod write;
mod writer;

pub use read::read_request;
pub use reader::Reader;
pub use reply::{read_reply, write_reply};
pub use write::write_request;
pub use writer::Writer;

/// The top-level fields of requests, those of betas included.
pub const FIELDS: &[&str] = &[
    "billing_policy",
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "prefill",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "thread",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

//! `OpenAI`'s chat completions: the format that most clients and most providers speak.
//!
//! Where both do, bytes pass as they came and nothing here is asked. Beside `OpenAI`'s own fields these are read and written as
//! others have them: `reasoning_content` and `thinking_blocks` of messages (DeepSeek, `LiteLLM`), `cache_control` of parts
//! (`LiteLLM`), `native_finish_reason` (`OpenRouter`), `extra_content.google.thought_signature` of tool calls (Google).

mod calls;
mod content;
mod messages;
mod parts;
mod read;
mod reply;
mod stream;
mod tools;
mod write;

pub use self::read::{is_set, read_request, set, unset};
pub use self::reply::{read_reply, write_reply};
pub use self::stream::{Reader, Writer};
pub use self::write::write_request;

#[cfg(test)]
mod tests;

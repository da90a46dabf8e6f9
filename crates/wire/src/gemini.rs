//! Google's `generateContent`, of AI Studio (`v1beta`) and Vertex AI (`v1`): the body is the same, only the paths differ.

mod config;
mod contents;
mod extra;
mod logprobs;
mod media;
mod model;
mod path;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod thinking;

pub use path::{path, vertex_host, vertex_path};
pub use reply::read_reply;
pub use request::write_request;
pub use stream::Reader;

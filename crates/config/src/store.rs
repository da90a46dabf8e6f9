//! Where counters live: as the section `state` says, else as `LiteLLM`'s settings do.

pub(crate) mod litellm;
pub(crate) mod reach;

mod address;
#[cfg(test)]
mod tests;
mod tls;
mod url;

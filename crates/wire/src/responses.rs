//! `OpenAI`'s responses.

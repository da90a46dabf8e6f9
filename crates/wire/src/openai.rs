//! `OpenAI`'s chat completions.

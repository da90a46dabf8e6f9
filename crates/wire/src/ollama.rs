//! Ollama's own chat.

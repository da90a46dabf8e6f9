//! In which provider's words a conversation is held.

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenAI, Azure and all that speak as they do.
    OpenAi,
    /// OpenAI's `/responses`.
    Responses,
    /// Anthropic's messages, at Anthropic.
    Anthropic,
    /// Anthropic's messages, at Google.
    VertexAnthropic,
    /// Gemini, at AI Studio.
    Gemini,
    /// Gemini, at Vertex AI.
    Vertex,
    /// Amazon Bedrock.
    Bedrock,
    /// Cohere.
    Cohere,
    /// Ollama.
    Ollama,
}

impl Format {
    /// Whether it is Google that checks credentials and quotas.
    pub(crate) fn is_at_google(self) -> bool {
        matches!(self, Self::Gemini | Self::Vertex | Self::VertexAnthropic)
    }
}

//! Which provider and which operation a path means.

use http::Method;

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The provider's name.
    pub(crate) provider: &'a str,
    /// What is asked of it.
    pub(crate) operation: Operation,
    /// The model, where the path names it as Azure's do.
    pub(crate) deployment: Option<&'a str>,
}

/// What providers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Completions,
    Embeddings,
    Moderations,
    Rerank,
    Images,
    Speech,
    Transcription,
    Models,
    Unknown,
}

/// The provider of paths that name none.
const DEFAULT: &str = "default";

impl<'a> Target<'a> {
    /// Reads a path.
    pub(crate) fn of(path: &'a str) -> Self {
        let path = path.trim_matches('/');
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let plain = |provider, path| Self { provider, operation: Operation::of(path), deployment: None };
        if let Some(rest) = path.strip_prefix("openai/deployments/") {
            Self::azure(DEFAULT, rest)
        } else if first == "v1" {
            plain(DEFAULT, rest)
        } else if let Some(rest) = rest.strip_prefix("openai/deployments/") {
            Self::azure(first, rest)
        } else if let Some(rest) = rest.strip_prefix("v1/").or_else(|| rest.strip_prefix("openai/v1/")) {
            plain(first, rest)
        } else if Operation::of(path) != Operation::Unknown {
            plain(DEFAULT, path)
        } else {
            plain(first, rest)
        }
    }

    fn azure(provider: &'a str, rest: &'a str) -> Self {
        let (model, rest) = rest.split_once('/').unwrap_or((rest, ""));
        Self { provider, operation: Operation::of(rest), deployment: Some(model) }
    }
}

impl Operation {
    /// The one method it has.
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Models => Method::GET,
            _ => Method::POST,
        }
    }

    /// Whether tokens are written in answer, so that it can stream and be cut short.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Chat | Self::Completions)
    }

    fn of(path: &str) -> Self {
        match path {
            "chat/completions" => Self::Chat,
            "completions" => Self::Completions,
            "embeddings" => Self::Embeddings,
            "moderations" => Self::Moderations,
            "rerank" => Self::Rerank,
            "images/generations" | "images/edits" | "images/variations" => Self::Images,
            "audio/speech" => Self::Speech,
            "audio/transcriptions" | "audio/translations" => Self::Transcription,
            "models" => Self::Models,
            _ if path.starts_with("models/") => Self::Models,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, Target};

    fn check(path: &str, provider: &str, operation: Operation, deployment: Option<&str>) {
        assert_eq!(Target::of(path), Target { provider, operation, deployment }, "{path}");
    }

    #[test]
    fn paths() {
        check("/v1/chat/completions", "default", Operation::Chat, None);
        check("/chat/completions", "default", Operation::Chat, None);
        check("/completions", "default", Operation::Completions, None);
        check("/a/v1/chat/completions", "a", Operation::Chat, None);
        check("/a/chat/completions", "a", Operation::Chat, None);
        check("/a/completions", "a", Operation::Completions, None);
        check("/openai/v1/embeddings", "openai", Operation::Embeddings, None);
        check("/a/openai/v1/embeddings", "a", Operation::Embeddings, None);
        check("/a/openai/deployments/gpt-4o/chat/completions", "a", Operation::Chat, Some("gpt-4o"));
        check("/openai/deployments/gpt-4o/audio/translations", "default", Operation::Transcription, Some("gpt-4o"));
        check("/v1/images/edits", "default", Operation::Images, None);
        check("/a/v1/models/gpt-4o", "a", Operation::Models, None);
        check("/a/v1/rerank", "a", Operation::Rerank, None);
        check("/a/v1/audio/speech", "a", Operation::Speech, None);
        check("/a/v1/moderations", "a", Operation::Moderations, None);
        check("/a/v2/chat/completions", "a", Operation::Unknown, None);
        check("/", "", Operation::Unknown, None);
    }
}

//! Which provider a path means, in which format, and for what.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::format::Format;

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The provider's name.
    pub(crate) provider: &'a str,
    /// Whose words are spoken.
    pub(crate) format: Format,
    /// What is asked of it.
    pub(crate) operation: Operation,
    /// The model as the path has it, where the path names it.
    pub(crate) model: Option<&'a str>,
    /// Whether the path is that of a stream.
    pub(crate) stream: bool,
    /// What is asked, where one operation has several forms.
    pub(crate) verb: &'a str,
}

/// What providers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Completions,
    CountTokens,
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
        if first == "openai" && !rest.starts_with("deployments/") {
            return Self::below(first, rest);
        }
        // A path that means something by itself names no provider.
        let whole = Self::below(DEFAULT, path);
        if whole.operation != Operation::Unknown || first == "v1" { whole } else { Self::below(first, rest) }
    }

    /// The model's name, as the path has it.
    pub(crate) fn model(&self) -> Cow<'a, str> {
        self.model.map_or(Cow::Borrowed(""), |model| percent_decode_str(model).decode_utf8_lossy())
    }

    /// Reads what stands below a provider's name.
    fn below(provider: &'a str, path: &'a str) -> Self {
        let plain = |format, operation| Self { provider, format, operation, model: None, stream: false, verb: "" };
        if let Some(rest) = path.strip_prefix("openai/deployments/") {
            let (model, rest) = rest.split_once('/').unwrap_or((rest, ""));
            return Self { model: Some(model), ..plain(Format::OpenAi, Operation::of(rest)) };
        }
        if let Some(rest) = path.strip_prefix("model/") {
            return bedrock(plain(Format::Bedrock, Operation::Unknown), rest);
        }
        let (version, rest) = path.split_once('/').unwrap_or((path, ""));
        let google = version == "v1" || version.starts_with("v1beta");
        match (version, rest) {
            ("api", "chat") => plain(Format::Ollama, Operation::Chat),
            ("api", "embed") => plain(Format::Ollama, Operation::Embeddings),
            ("api", "tags") => plain(Format::Ollama, Operation::Models),
            ("v2", "chat") => plain(Format::Cohere, Operation::Chat),
            ("v2", "embed") => plain(Format::Cohere, Operation::Embeddings),
            ("v2", "rerank") => plain(Format::Cohere, Operation::Rerank),
            ("v1", "messages") => plain(Format::Anthropic, Operation::Chat),
            ("v1", "messages/count_tokens") => plain(Format::Anthropic, Operation::CountTokens),
            _ if google && rest.starts_with("models/") && has_verb(rest) => {
                gemini(plain(Format::Gemini, Operation::Unknown), rest)
            }
            _ if google && rest.starts_with("projects/") => vertex(plain(Format::Vertex, Operation::Unknown), rest),
            _ => {
                let path = path.strip_prefix("openai/").unwrap_or(path);
                let path = path.strip_prefix("v1/").unwrap_or(path);
                let format = if path == "responses" { Format::Responses } else { Format::OpenAi };
                plain(format, Operation::of(path))
            }
        }
    }
}

/// `{model}/{verb}`
fn bedrock<'a>(plain: Target<'a>, rest: &'a str) -> Target<'a> {
    let (model, verb) = rest.rsplit_once('/').unwrap_or((rest, ""));
    let (operation, stream) = match verb {
        "converse" => (Operation::Chat, false),
        "converse-stream" => (Operation::Chat, true),
        "invoke" => (Operation::Embeddings, false),
        _ => (Operation::Unknown, false),
    };
    Target { operation, stream, model: Some(model), verb, ..plain }
}

/// `models/{model}:{verb}`
fn gemini<'a>(plain: Target<'a>, rest: &'a str) -> Target<'a> {
    let (model, verb) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let (operation, stream) = match verb {
        "generateContent" | "rawPredict" => (Operation::Chat, false),
        "streamGenerateContent" | "streamRawPredict" => (Operation::Chat, true),
        "countTokens" => (Operation::CountTokens, false),
        "embedContent" | "batchEmbedContents" | "predict" => (Operation::Embeddings, false),
        _ => (Operation::Unknown, false),
    };
    let model = model.rsplit_once('/').map_or(model, |(_, model)| model);
    Target { operation, stream, model: Some(model), verb, ..plain }
}

/// Whether it is Google's: OpenAI's models have colons too.
fn has_verb(rest: &str) -> bool {
    let verb = rest.rsplit_once(':').map_or("", |(_, verb)| verb);
    verb.starts_with(|first: char| first.is_ascii_lowercase())
        && verb.contains(|letter: char| letter.is_ascii_uppercase())
}

/// `projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:{verb}`
fn vertex<'a>(plain: Target<'a>, rest: &'a str) -> Target<'a> {
    let steps: Vec<_> = rest.split('/').collect();
    let ["projects", _, "locations", _, "publishers", publisher, "models", _] = steps[..] else { return plain };
    let target = gemini(plain, rest);
    let raw = matches!(target.verb, "rawPredict" | "streamRawPredict");
    match publisher {
        "google" if !raw => target,
        "anthropic" if raw && target.model == Some("count-tokens") => {
            Target { format: Format::VertexAnthropic, operation: Operation::CountTokens, model: None, ..target }
        }
        "anthropic" if raw => Target { format: Format::VertexAnthropic, ..target },
        _ => plain,
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
            "chat/completions" | "responses" => Self::Chat,
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
    use crate::format::Format;

    fn check(path: &str, provider: &str, operation: Operation, model: Option<&str>) {
        let target = Target::of(path);
        assert_eq!((target.provider, target.operation, target.model), (provider, operation, model), "{path}");
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
        check("/v1/nothing", "default", Operation::Unknown, None);
        check("/", "", Operation::Unknown, None);
    }

    fn check_format(path: &str, format: Format, operation: Operation, model: &str, stream: bool) {
        let target = Target::of(path);
        assert_eq!((target.provider, target.format, target.operation), ("a", format, operation), "{path}");
        assert_eq!((&*target.model(), target.stream), (model, stream), "{path}");
    }

    #[test]
    fn formats() {
        use Operation::{Chat, CountTokens, Embeddings, Models, Rerank, Unknown};

        check_format("/a/v1/responses", Format::Responses, Chat, "", false);
        check_format("/a/v1/messages", Format::Anthropic, Chat, "", false);
        check_format("/a/v1/messages/count_tokens", Format::Anthropic, CountTokens, "", false);
        check_format("/a/v1beta/models/g-2:generateContent", Format::Gemini, Chat, "g-2", false);
        check_format("/a/v1/models/g-2:streamGenerateContent", Format::Gemini, Chat, "g-2", true);
        check_format("/a/v1beta/models/g:batchEmbedContents", Format::Gemini, Embeddings, "g", false);
        check_format("/a/v1beta/models/g:countTokens", Format::Gemini, CountTokens, "g", false);
        let vertex = |rest: &str| format!("/a/v1/projects/p/locations/l/publishers/{rest}");
        check_format(&vertex("google/models/g:generateContent"), Format::Vertex, Chat, "g", false);
        check_format(&vertex("google/models/g:predict"), Format::Vertex, Embeddings, "g", false);
        check_format(&vertex("google/models/g:rawPredict"), Format::Vertex, Unknown, "", false);
        check_format(&vertex("anthropic/models/c@1:rawPredict"), Format::VertexAnthropic, Chat, "c@1", false);
        check_format(
            &vertex("anthropic/models/count-tokens:rawPredict"),
            Format::VertexAnthropic,
            CountTokens,
            "",
            false,
        );
        check_format(&vertex("anthropic/models/c@1:streamRawPredict"), Format::VertexAnthropic, Chat, "c@1", true);
        check_format("/a/model/c.v1%3A0/converse", Format::Bedrock, Chat, "c.v1:0", false);
        check_format("/a/model/arn:x%2Fy/converse-stream", Format::Bedrock, Chat, "arn:x/y", true);
        check_format("/a/model/titan/invoke", Format::Bedrock, Embeddings, "titan", false);
        check_format("/a/v2/chat", Format::Cohere, Chat, "", false);
        check_format("/a/v2/embed", Format::Cohere, Embeddings, "", false);
        check_format("/a/v2/rerank", Format::Cohere, Rerank, "", false);
        check_format("/a/api/chat", Format::Ollama, Chat, "", false);
        check_format("/a/api/embed", Format::Ollama, Embeddings, "", false);
        check_format("/a/api/tags", Format::Ollama, Models, "", false);
    }
}

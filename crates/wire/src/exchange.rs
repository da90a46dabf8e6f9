//! What passes between a client and a deployment: as it came where both speak the same format, otherwise translated.

use bytes::Bytes;
use std::sync::OnceLock;

use memchr::memmem::Finder;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::provider::Wire;
use weighbridge_domain::request::Operation;

use crate::chat::Chat;
use crate::format::{Client, Format, Labels, Target, Unreadable, Written};
use crate::reply::Reply;
use crate::responses::Echo;
use crate::{anthropic, bedrock, cohere, gemini, ollama, openai, responses};

/// How a client's words become a deployment's and back, for one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Both speak this format: bytes pass as they came.
    Same(Format),
    /// A conversation is said in the other's words.
    Chat {
        /// What the client speaks.
        client: Format,
        /// What the provider speaks.
        provider: Format,
    },
    /// Embeddings, which clients ask for in `OpenAI`'s words.
    Embeddings(Format),
    /// What is not a conversation, and only passes: in `OpenAI`'s words, or in those that several have in common.
    Other,
    /// The same, by the OpenAI-compatible API that a provider of another format has beside its own.
    Compatible,
}

impl Exchange {
    /// What `operation` needs at a deployment that speaks `wire`, and has `/responses` itself when `has_responses`.
    ///
    /// # Errors
    /// `BadRequest` when it cannot be said there.
    pub fn between(operation: Operation, wire: Wire, has_responses: bool) -> Result<Self, Failure> {
        let provider = format_of(wire);
        let is_openais = matches!(provider, Format::OpenAi | Format::Responses);
        let client = match operation {
            Operation::Chat => Format::OpenAi,
            Operation::Messages => Format::Anthropic,
            Operation::Responses => Format::Responses,
            Operation::CountTokens if provider == Format::Anthropic => return Ok(Self::Same(provider)),
            Operation::CountTokens | Operation::Embeddings if is_openais => return Ok(Self::Other),
            Operation::Embeddings if provider != Format::Anthropic => return Ok(Self::Embeddings(provider)),
            Operation::Rerank if provider == Format::Cohere => return Ok(Self::Other),
            Operation::CountTokens | Operation::Embeddings => return Err(cannot(operation)),
            _ if is_openais => return Ok(Self::Other),
            _ if matches!(provider, Format::Gemini | Format::Ollama) => return Ok(Self::Compatible),
            _ => return Err(cannot(operation)),
        };
        if client == provider || (client == Format::Responses && provider == Format::OpenAi && has_responses) {
            return Ok(Self::Same(client));
        }
        Ok(Self::Chat { client, provider })
    }
}

/// Whether a request in `format` holds thoughts of another provider's, which the provider of that format refuses: they came
/// in an answer that was translated. Looked for in the bytes, since nearly no request has any.
pub fn holds_foreign_thoughts(format: Format, body: &[u8]) -> bool {
    // Two keys are found by what they end in: each pass over a long body counts.
    static BLOCKS: Key = Key::new(&["\"thinking"], "_blocks\"");
    static CONTENTS: Key = Key::new(&["\"extra", "\"reasoning"], "_content\"");
    static SIGNATURE: Key = Key::new(&["\""], "signature\"");
    static ENCRYPTED: Key = Key::new(&["\""], "encrypted_content\"");
    match format {
        Format::OpenAi => [&BLOCKS, &CONTENTS].into_iter().any(|key| key.values(body).next().is_some()),
        Format::Anthropic => SIGNATURE.values(body).any(|value| value.starts_with(OPENAIS_PROOF)),
        Format::Responses => {
            let is_proof = |value: &[u8]| value.starts_with(b"\"") && !value.starts_with(b"\"\"");
            ENCRYPTED.values(body).any(|value| is_proof(value) && !value.starts_with(OPENAIS_PROOF))
        }
        Format::Gemini | Format::Bedrock | Format::Cohere | Format::Ollama => false,
    }
}

/// How what `OpenAI` has encrypted begins, its quotation mark included.
const OPENAIS_PROOF: &[u8] = b"\"gAAAA";

/// Keys of objects that end alike, with their quotation marks, and what finds that end: made once, as that takes longer
/// than to look through a short body.
struct Key {
    beginnings: &'static [&'static str],
    end: &'static str,
    finder: OnceLock<Finder<'static>>,
}

impl Key {
    const fn new(beginnings: &'static [&'static str], end: &'static str) -> Self {
        Self { beginnings, end, finder: OnceLock::new() }
    }

    /// What follows every such key of an object in `body`, which is JSON.
    fn values<'a>(&'a self, body: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let finder = self.finder.get_or_init(|| Finder::new(self.end));
        finder.find_iter(body).filter_map(|at| {
            let is_key = self.beginnings.iter().any(|beginning| body[..at].ends_with(beginning.as_bytes()));
            let rest = body[at + self.end.len()..].trim_ascii_start();
            Some(rest.strip_prefix(b":").filter(|_| is_key)?.trim_ascii_start())
        })
    }
}

fn cannot(operation: Operation) -> Failure {
    let what = operation.path().trim_start_matches('/');
    let message = format!("the deployment's provider has no {what}; ask for a model that has");
    Failure::new(FailureKind::BadRequest, message)
}

/// The format that `wire` stands for.
const fn format_of(wire: Wire) -> Format {
    match wire {
        Wire::OpenAi | Wire::Simulated => Format::OpenAi,
        Wire::Responses => Format::Responses,
        Wire::Anthropic => Format::Anthropic,
        Wire::Gemini => Format::Gemini,
        Wire::Bedrock => Format::Bedrock,
        Wire::Cohere => Format::Cohere,
        Wire::Ollama => Format::Ollama,
    }
}

/// Reads a client's request.
///
/// # Errors
/// When it is not one; always for formats that no client speaks here.
pub fn read_request(format: Format, body: &[u8]) -> Result<Chat, Unreadable> {
    match format {
        Format::OpenAi => openai::read_request(body),
        Format::Responses => responses::read_request(body),
        Format::Anthropic => anthropic::read_request(body),
        Format::Gemini | Format::Bedrock | Format::Cohere | Format::Ollama => Err(Unreadable {
            path: "the body".to_owned(),
            problem: "is in a format that only providers speak".to_owned(),
        }),
    }
}

/// Writes `chat` for `target`, who speaks `format`.
pub fn write_request(format: Format, chat: &Chat, target: Target<'_>) -> Written {
    let mut written = written(format, chat, target);
    for tool in &chat.native_tools {
        if format != Format::Anthropic || !tool.is_of_anthropic() {
            written
                .losses
                .note(tool.path.clone(), format!("is of the type {}, which this provider does not have", tool.kind));
        }
    }
    written
}

fn written(format: Format, chat: &Chat, target: Target<'_>) -> Written {
    match format {
        Format::OpenAi => openai::write_request(chat, target),
        Format::Responses => responses::write_request(chat, target),
        Format::Anthropic => anthropic::write_request(chat, target),
        Format::Gemini => gemini::write_request(chat, target),
        Format::Bedrock => bedrock::write_request(chat, target),
        Format::Cohere => cohere::write_request(chat, target),
        Format::Ollama => ollama::write_request(chat, target),
    }
}

/// Reads a provider's reply of status 200.
///
/// # Errors
/// `BrokenReply` when it is not one; what the provider means when it is an error all the same.
pub fn read_reply(format: Format, body: &[u8], labels: &Labels) -> Result<Reply, Failure> {
    match format {
        Format::OpenAi => openai::read_reply(body, labels),
        Format::Responses => responses::read_reply(body, labels),
        Format::Anthropic => anthropic::read_reply(body, labels),
        Format::Gemini => gemini::read_reply(body, labels),
        Format::Bedrock => bedrock::read_reply(body, labels),
        Format::Cohere => cohere::read_reply(body, labels),
        Format::Ollama => ollama::read_reply(body, labels),
    }
}

/// Writes `reply` for `client`, in its format; those that no client speaks here are `OpenAI`'s.
pub fn write_reply(client: Client<'_>, reply: &Reply) -> Bytes {
    match client.format {
        Format::Responses => responses::write_reply(reply, client.labels, &Echo::of(client.request)),
        Format::Anthropic => anthropic::write_reply(reply, client.labels),
        Format::OpenAi | Format::Gemini | Format::Bedrock | Format::Cohere | Format::Ollama => {
            openai::write_reply(reply, client.labels)
        }
    }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::provider::Wire;
    use weighbridge_domain::request::Operation;

    use super::{Exchange, Format, holds_foreign_thoughts};

    #[test]
    fn thoughts_of_others_are_noticed() {
        let rows = [
            (Format::OpenAi, r#"{"messages":[{"content":"thinking_blocks"}]}"#, false),
            (Format::OpenAi, r#"{"messages":[{"reasoning_content":"hm"}]}"#, true),
            (Format::OpenAi, r#"{"messages":[{"tool_calls":[{"extra_content":{}}]}]}"#, true),
            (Format::Anthropic, r#"{"messages":[{"content":[{"signature":"EqQB"}]}]}"#, false),
            (Format::Anthropic, r#"{"messages":[{"content":[{"signature": "gAAAAB"}]}]}"#, true),
            (Format::Responses, r#"{"input":[{"encrypted_content" : "gAAAAB"},{"encrypted_content":null}]}"#, false),
            (
                Format::Responses,
                r#"{"include":["reasoning.encrypted_content"],"input":[{"encrypted_content":""}]}"#,
                false,
            ),
            (Format::Responses, r#"{"input":[{"encrypted_content":"gAAAAB"},{"encrypted_content":"EqQB"}]}"#, true),
        ];
        for (format, body, expected) in rows {
            assert_eq!(holds_foreign_thoughts(format, body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn what_both_speak_passes_and_the_rest_is_translated() {
        let same = |format| Ok(Exchange::Same(format));
        let chat = |client, provider| Ok(Exchange::Chat { client, provider });
        let rows = [
            (Operation::Chat, Wire::OpenAi, false, same(Format::OpenAi)),
            (Operation::Chat, Wire::Simulated, false, same(Format::OpenAi)),
            (Operation::Chat, Wire::Gemini, false, chat(Format::OpenAi, Format::Gemini)),
            (Operation::Messages, Wire::Anthropic, false, same(Format::Anthropic)),
            (Operation::Messages, Wire::OpenAi, false, chat(Format::Anthropic, Format::OpenAi)),
            (Operation::Messages, Wire::Bedrock, false, chat(Format::Anthropic, Format::Bedrock)),
            (Operation::Responses, Wire::OpenAi, true, same(Format::Responses)),
            (Operation::Responses, Wire::OpenAi, false, chat(Format::Responses, Format::OpenAi)),
            (Operation::Responses, Wire::Responses, false, same(Format::Responses)),
            (Operation::Chat, Wire::Responses, false, chat(Format::OpenAi, Format::Responses)),
            (Operation::Messages, Wire::Responses, true, chat(Format::Anthropic, Format::Responses)),
            (Operation::Embeddings, Wire::Responses, false, Ok(Exchange::Other)),
            (Operation::Responses, Wire::Cohere, true, chat(Format::Responses, Format::Cohere)),
            (Operation::CountTokens, Wire::Anthropic, false, same(Format::Anthropic)),
            (Operation::CountTokens, Wire::Simulated, false, Ok(Exchange::Other)),
            (Operation::Embeddings, Wire::OpenAi, false, Ok(Exchange::Other)),
            (Operation::Embeddings, Wire::Ollama, false, Ok(Exchange::Embeddings(Format::Ollama))),
            (Operation::Embeddings, Wire::Anthropic, false, Err("embeddings")),
            (Operation::Rerank, Wire::Cohere, false, Ok(Exchange::Other)),
            (Operation::Rerank, Wire::Gemini, false, Ok(Exchange::Compatible)),
            (Operation::ImageGenerations, Wire::Gemini, false, Ok(Exchange::Compatible)),
            (Operation::Completions, Wire::Ollama, false, Ok(Exchange::Compatible)),
            (Operation::Completions, Wire::Bedrock, false, Err("completions")),
            (Operation::Speech, Wire::OpenAi, false, Ok(Exchange::Other)),
            (Operation::Speech, Wire::Anthropic, false, Err("audio/speech")),
        ];
        for (operation, wire, has_responses, expected) in rows {
            let found = Exchange::between(operation, wire, has_responses);
            match expected {
                Ok(exchange) => assert_eq!(found.unwrap(), exchange, "{operation:?} {wire:?}"),
                Err(what) => assert!(found.unwrap_err().message.contains(what), "{operation:?} {wire:?}"),
            }
        }
    }
}

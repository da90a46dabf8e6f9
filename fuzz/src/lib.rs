//! What any bytes are put through, whichever format they are taken for.

use bytes::Bytes;
use weighbridge_wire::exchange;
use weighbridge_wire::format::{Client, Format, Labels, StreamOptions, Target};
use weighbridge_wire::stream::{StreamReader, Translator};

const CLIENTS: [Format; 3] = [Format::OpenAi, Format::Responses, Format::Anthropic];
const PROVIDERS: [Format; 7] = [
    Format::OpenAi,
    Format::Responses,
    Format::Anthropic,
    Format::Gemini,
    Format::Bedrock,
    Format::Cohere,
    Format::Ollama,
];

pub fn labels() -> Labels {
    Labels { request_id: "fuzz".into(), model: "m".into(), created: 1 }
}

/// A client that asked `request`, parts of which some formats repeat.
fn listener<'a>(format: Format, labels: &'a Labels, request: &'a [u8]) -> Client<'a> {
    Client { format, labels, options: StreamOptions { include_usage: true }, request }
}

/// Reads `data` as everything that `format` reads, and says what was understood in every other format.
pub fn exercise(format: Format, data: &[u8]) {
    if let Ok(chat) = exchange::read_request(format, data) {
        for provider in PROVIDERS {
            for model in ["m", "gpt-5", "claude-sonnet-4-5", "claude-opus-5", "gemini-3-pro", "amazon.nova-pro-v1:0"] {
                let written = exchange::write_request(provider, &chat, Target { model, max_output_tokens: Some(100) });
                is_json(&written.body);
            }
        }
    }
    if let Ok(reply) = exchange::read_reply(format, data, &labels()) {
        for client in CLIENTS {
            is_json(&exchange::write_reply(listener(client, &labels(), data), &reply));
        }
    }
    // The first byte says how the stream is cut.
    let Some((size, stream)) = data.split_first() else { return };
    for client in CLIENTS {
        let labels = labels();
        let mut reader = StreamReader::Translated(Box::new(Translator::new(listener(client, &labels, stream), format)));
        let mut told = Vec::new();
        for chunk in stream.chunks(usize::from(*size).max(1)) {
            told.extend(reader.feed(Bytes::copy_from_slice(chunk)).into_iter().flat_map(|piece| piece.bytes));
        }
        told.extend(reader.end().rest.into_iter().flat_map(|piece| piece.bytes));
        let told = std::str::from_utf8(&told).unwrap();
        let is_field = |line: &str| line.is_empty() || line.starts_with("event: ") || line.starts_with("data: ");
        assert!(told.split('\n').all(is_field), "{told}");
    }
}

fn is_json(body: &[u8]) {
    assert!(serde_json::from_slice::<serde_json::Value>(body).is_ok(), "{}", String::from_utf8_lossy(body));
}

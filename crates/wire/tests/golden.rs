//! Every client's format against every provider's, case by case, held against files.
//!
//! `golden/clients/<client>/<case>.json` is what a client sends, `golden/providers/<provider>/<case>.reply.json` and `.stream` what
//! a provider answers. `golden/matrix/<client>-<provider>/<case>.txt` is what becomes of both on their way through. After a change
//! that is meant, `UPDATE_EXPECT=1 cargo test -p weighbridge-wire --test golden` writes those anew.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use weighbridge_wire::format::{Client, Format, Labels, StreamOptions, Target};
use weighbridge_wire::sse::Piece;
use weighbridge_wire::stream::{StreamReader, Translator};
use weighbridge_wire::{exchange, failure};

const CLIENTS: [(&str, Format); 3] =
    [("openai", Format::OpenAi), ("responses", Format::Responses), ("anthropic", Format::Anthropic)];
const PROVIDERS: [(&str, Format); 7] = [
    ("openai", Format::OpenAi),
    ("responses", Format::Responses),
    ("anthropic", Format::Anthropic),
    ("gemini", Format::Gemini),
    ("bedrock", Format::Bedrock),
    ("cohere", Format::Cohere),
    ("ollama", Format::Ollama),
];
/// What is asked, and which answer it gets.
const CASES: [(&str, &str); 9] = [
    ("text", "text"),
    ("stream", "text"),
    ("tools", "tools"),
    ("parallel_tools", "parallel_tools"),
    ("image", "image"),
    ("document", "text"),
    ("json_schema", "json_schema"),
    ("thinking", "thinking"),
    ("length", "length"),
];
/// Cases that a client does not ask in words of its own.
const ASKED_AS: [(&str, &str); 1] = [("length", "text")];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn labels() -> Labels {
    Labels { request_id: "0f9a6c1e-7d42".into(), model: "asked-model".into(), created: 1_764_000_000 }
}

/// The bytes of a stream: as they stand in the file, or messages of AWS made of its lines.
fn stream_of(provider: &str, case: &str) -> Vec<u8> {
    let directory = golden().join("providers").join(provider);
    if provider != "bedrock" {
        return read(&directory.join(format!("{case}.stream")));
    }
    let lines = String::from_utf8(read(&directory.join(format!("{case}.stream.jsonl")))).unwrap();
    let mut bytes = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let kind = json["type"].as_str().unwrap().to_owned();
        let is_exception = kind.ends_with("Exception");
        let (name, message_type) =
            if is_exception { (":exception-type", "exception") } else { (":event-type", "event") };
        let header = |name: &'static str, value: String| Header::new(name, HeaderValue::String(value.into()));
        let message = Message::new(json["payload"].to_string().into_bytes())
            .add_header(header(":message-type", message_type.to_owned()))
            .add_header(header(name, kind))
            .add_header(header(":content-type", "application/json".to_owned()));
        write_message_to(&message, &mut bytes).unwrap();
    }
    bytes
}

/// What `client` asks in `case`.
fn request_of(client: (&str, Format), case: &str) -> Vec<u8> {
    let asked = ASKED_AS.iter().find(|(name, _)| *name == case).map_or(case, |(_, other)| other);
    read(&golden().join("clients").join(client.0).join(format!("{asked}.json")))
}

/// Who asked `request` in `format` and waits for the answer.
fn listener<'a>(format: Format, labels: &'a Labels, request: &'a [u8]) -> Client<'a> {
    Client { format, labels, options: StreamOptions { include_usage: true }, request }
}

/// What the client that asked `request` gets of a stream that arrives as `parts`, and how it ended.
fn translated(client: Format, request: &[u8], provider: Format, parts: &[&[u8]]) -> String {
    let labels = labels();
    let listener = listener(client, &labels, request);
    let mut reader = StreamReader::Translated(Box::new(Translator::new(listener, provider)));
    let mut text = String::new();
    let mut usage = None;
    let mut failure = None;
    let mut take = |piece: Piece| {
        text.push_str(std::str::from_utf8(&piece.bytes).unwrap());
        usage = piece.usage.or(usage);
        failure = piece.failure.or(failure.take());
    };
    for part in parts {
        reader.feed(Bytes::copy_from_slice(part)).into_iter().for_each(&mut take);
    }
    let end = reader.end();
    end.rest.into_iter().for_each(&mut take);
    failure = failure.or(end.failure);
    let is_field = |line: &str| line.is_empty() || line.starts_with("event: ") || line.starts_with("data: ");
    assert!(text.lines().all(is_field), "{text}");
    let usage = usage.map_or("none".to_owned(), |usage| {
        format!(
            "{} in ({} read, {} written), {} out ({} reasoning)",
            usage.prompt_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.completion_tokens,
            usage.reasoning_tokens
        )
    });
    let failure = failure.map_or("none".to_owned(), |failure| format!("{} {}", failure.kind.label(), failure.message));
    format!("{text}== usage: {usage}; failure: {failure}\n")
}

/// JSON with a line for each member, in the order it was written.
fn pretty(json: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for letter in json.chars() {
        if is_text {
            out.push(letter);
            (is_text, is_escaped) = (is_escaped || letter != '"', !is_escaped && letter == '\\');
            continue;
        }
        match letter {
            '{' | '[' => {
                depth += 1;
                out.push(letter);
                out.push_str(&format!("\n{}", "  ".repeat(depth)));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                out.push_str(&format!("\n{}{letter}", "  ".repeat(depth)));
            }
            ',' => {
                out.push_str(&format!(",\n{}", "  ".repeat(depth)));
            }
            _ => {
                is_text = letter == '"';
                out.push(letter);
            }
        }
    }
    out
}

/// What becomes of one case between two formats.
fn journey(client: (&str, Format), provider: (&str, Format), case: (&str, &str)) -> String {
    let request = request_of(client, case.0);
    let mut chat =
        exchange::read_request(client.1, &request).unwrap_or_else(|error| panic!("{} {}: {error}", client.0, case.0));
    let model = match provider.1 {
        Format::Bedrock => "anthropic.claude-sonnet-4-5-20250929-v1:0",
        Format::Gemini => "gemini-3-pro-preview",
        Format::Anthropic => "claude-sonnet-4-5",
        Format::Cohere => "command-a-03-2025",
        Format::Ollama => "qwen3:8b",
        Format::OpenAi | Format::Responses => "gpt-5",
    };
    chat.stream = case.0 == "stream";
    let written = exchange::write_request(provider.1, &chat, Target { model, max_output_tokens: Some(64_000) });
    let sent = std::str::from_utf8(&written.body).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(sent).is_ok(), "{sent}");
    let lost: String = written.losses.iter().map(|loss| format!("lost: {loss}\n")).collect();

    let reply = read(&golden().join("providers").join(provider.0).join(format!("{}.reply.json", case.1)));
    let reply = exchange::read_reply(provider.1, &reply, &labels())
        .unwrap_or_else(|failure| panic!("{} {}: {failure:?}", provider.0, case.1));
    let told = exchange::write_reply(listener(client.1, &labels(), &request), &reply);
    let stream = stream_of(provider.0, case.1);
    format!(
        "== sent\n{}\n{lost}== reply\n{}\n== stream\n{}",
        pretty(sent),
        pretty(std::str::from_utf8(&told).unwrap()),
        translated(client.1, &request, provider.1, &[&stream])
    )
}

#[test]
fn every_client_understands_every_provider() {
    for client in CLIENTS {
        for provider in PROVIDERS {
            for case in CASES {
                let path = golden().join("matrix").join(format!("{}-{}", client.0, provider.0));
                fs::create_dir_all(&path).unwrap();
                let journey = journey(client, provider, case);
                expect_test::expect_file![path.join(format!("{}.txt", case.0))].assert_eq(&journey);
            }
        }
    }
}

/// An error as a provider sends it.
#[derive(serde::Deserialize)]
struct ErrorFile {
    status: u16,
    headers: std::collections::BTreeMap<String, String>,
    body: serde_json::Value,
}

#[test]
fn rate_limits_are_known_whoever_words_them() {
    for (provider, _) in PROVIDERS {
        let file = read(&golden().join("providers").join(provider).join("error.json"));
        let file: ErrorFile = serde_json::from_slice(&file).unwrap();
        let headers = file.headers.iter().map(|(name, value)| {
            (http::HeaderName::from_bytes(name.as_bytes()).unwrap(), http::HeaderValue::from_str(value).unwrap())
        });
        let body = Bytes::from(file.body.to_string());
        let now = weighbridge_domain::time::Timestamp::from_millis(1_764_000_000_000);
        let failure = failure::classify(file.status, &headers.collect(), &body, now);
        assert_eq!((failure.kind.label(), failure.http_status()), ("rate_limited", 429), "{provider}: {failure:?}");
    }
}

#[test]
fn errors_in_streams_end_them_in_the_clients_words() {
    for client in CLIENTS {
        let request = request_of(client, "text");
        for provider in PROVIDERS {
            let path = golden().join("matrix").join(format!("{}-{}", client.0, provider.0));
            fs::create_dir_all(&path).unwrap();
            let told = translated(client.1, &request, provider.1, &[&stream_of(provider.0, "error")]);
            assert!(!told.contains("failure: none") && !told.contains("[DONE]"), "{}: {told}", provider.0);
            expect_test::expect_file![path.join("error.txt")].assert_eq(&told);
        }
    }
}

#[test]
fn streams_mean_the_same_wherever_they_are_cut() {
    for client in CLIENTS {
        for provider in PROVIDERS {
            for case in ["text", "parallel_tools", "thinking"] {
                let request = request_of(client, case);
                let stream = stream_of(provider.0, case);
                let told = |parts: &[&[u8]]| translated(client.1, &request, provider.1, parts);
                let whole = told(&[&stream]);
                for at in 0..stream.len() {
                    let (start, end) = stream.split_at(at);
                    assert_eq!(told(&[start, end]), whole, "{} {case} at {at}", provider.0);
                }
                let bytes: Vec<&[u8]> = stream.chunks(1).collect();
                assert_eq!(told(&bytes), whole, "{} {case}", provider.0);
            }
        }
    }
}

#[test]
fn a_stream_that_is_cut_is_never_whole() {
    for client in CLIENTS {
        let request = request_of(client, "text");
        for provider in PROVIDERS {
            let stream = stream_of(provider.0, "text");
            let told = translated(client.1, &request, provider.1, &[&stream[..stream.len() / 2]]);
            assert!(told.contains("failure: broken_reply"), "{}: {told}", provider.0);
        }
    }
}

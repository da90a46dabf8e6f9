//! A deployment's stream on its way to the client: passed on as it came, or said in the client's words.

use bytes::{Bytes, BytesMut};
use weighbridge_domain::failure::{Failure, FailureKind};

use crate::chunk::tokens;
use crate::format::{Client, Format, Frame, Labels, StreamOptions};
use crate::frames::{Frames, Framing};
use crate::reply::Event;
use crate::responses::Echo;
use crate::sse::{End, EventReader, Piece};
use crate::{anthropic, bedrock, cohere, gemini, ollama, openai, responses};

/// Reads a deployment's stream, and hands back what the client is to get.
#[derive(Debug)]
pub enum StreamReader {
    /// Events pass as they came.
    Relayed(EventReader),
    /// They are said in the client's words.
    Translated(Box<Translator>),
}

impl StreamReader {
    /// Takes what arrived; hands back what is whole.
    pub fn feed(&mut self, chunk: Bytes) -> Vec<Piece> {
        match self {
            Self::Relayed(reader) => reader.feed(chunk),
            Self::Translated(translator) => translator.feed(&chunk).into_iter().collect(),
        }
    }

    /// The stream is over.
    pub fn end(&mut self) -> End {
        match self {
            Self::Relayed(reader) => reader.end(),
            Self::Translated(translator) => translator.end(),
        }
    }

    /// `failure` as the last event that the client gets.
    pub fn last_words(&mut self, failure: &Failure) -> Bytes {
        match self {
            Self::Relayed(reader) => {
                let labels = Labels { request_id: String::new(), model: String::new(), created: 0 };
                let (format, options) = (reader.format(), StreamOptions::default());
                Writer::new(Client { format, labels: &labels, options, request: b"{}" }).fail(failure)
            }
            Self::Translated(translator) => translator.writer.fail(failure),
        }
    }
}

/// Says a stream in other words.
#[derive(Debug)]
pub struct Translator {
    frames: Frames,
    reader: Reader,
    writer: Writer,
    events: Vec<Event>,
    is_failed: bool,
}

impl Translator {
    /// A translator from `provider`'s format to that of `client`.
    pub fn new(client: Client<'_>, provider: Format) -> Self {
        Self {
            frames: Frames::new(framing(provider)),
            reader: Reader::new(provider, client.labels),
            writer: Writer::new(client),
            events: Vec::new(),
            is_failed: false,
        }
    }

    fn feed(&mut self, chunk: &[u8]) -> Option<Piece> {
        if self.is_failed {
            return None;
        }
        let Self { frames, reader, events, .. } = self;
        let fed = frames.feed(chunk, &mut |frame| reader.read(frame, events));
        let mut piece = self.say();
        if let (Err(failure), false) = (fed, self.is_failed) {
            self.is_failed = true;
            piece.failure = Some(failure);
        }
        (piece != Piece::default()).then_some(piece)
    }

    fn end(&mut self) -> End {
        let Self { frames, reader, events, .. } = self;
        frames.end(&mut |frame| reader.read(frame, events));
        let mut piece = self.say();
        let failure = (!self.is_failed && !self.reader.is_complete())
            .then(|| Failure::new(FailureKind::BrokenReply, "the provider's stream broke off before its end"));
        if failure.is_none() && !self.is_failed {
            let mut out = BytesMut::from(piece.bytes);
            self.writer.end(&mut out);
            piece.bytes = out.freeze();
        }
        End { rest: (piece != Piece::default()).then_some(piece), failure }
    }

    /// What was read, said and counted.
    fn say(&mut self) -> Piece {
        let mut piece = Piece::default();
        let mut out = BytesMut::new();
        for event in std::mem::take(&mut self.events) {
            match &event {
                Event::Delta { delta, .. } => {
                    piece.content_events += 1;
                    piece.delivered_tokens = piece.delivered_tokens.saturating_add(tokens(delta));
                }
                Event::Finish { .. } => piece.content_events += 1,
                Event::Usage(usage) => piece.usage = Some(*usage),
                Event::Failure(failure) => {
                    self.is_failed = true;
                    self.writer.write(&event, &mut out);
                    piece.failure = Some(Failure::clone(failure));
                    break;
                }
                Event::Start { .. } => {}
            }
            self.writer.write(&event, &mut out);
        }
        piece.bytes = out.freeze();
        piece
    }
}

/// How `format` cuts its streams.
const fn framing(format: Format) -> Framing {
    match format {
        Format::OpenAi | Format::Responses | Format::Anthropic | Format::Gemini | Format::Cohere => Framing::Events,
        Format::Ollama => Framing::Lines,
        Format::Bedrock => Framing::AwsMessages,
    }
}

/// A reader of any format.
#[derive(Debug)]
pub(crate) enum Reader {
    OpenAi(openai::Reader),
    Responses(responses::Reader),
    Anthropic(anthropic::Reader),
    Gemini(gemini::Reader),
    Bedrock(bedrock::Reader),
    Cohere(cohere::Reader),
    Ollama(ollama::Reader),
}

impl Reader {
    pub(crate) fn new(format: Format, labels: &Labels) -> Self {
        match format {
            Format::OpenAi => Self::OpenAi(openai::Reader::new(labels)),
            Format::Responses => Self::Responses(responses::Reader::new(labels)),
            Format::Anthropic => Self::Anthropic(anthropic::Reader::new(labels)),
            Format::Gemini => Self::Gemini(gemini::Reader::new(labels)),
            Format::Bedrock => Self::Bedrock(bedrock::Reader::new(labels)),
            Format::Cohere => Self::Cohere(cohere::Reader::new(labels)),
            Format::Ollama => Self::Ollama(ollama::Reader::new(labels)),
        }
    }

    pub(crate) fn read(&mut self, frame: Frame<'_>, events: &mut Vec<Event>) {
        match self {
            Self::OpenAi(reader) => reader.read(frame, events),
            Self::Responses(reader) => reader.read(frame, events),
            Self::Anthropic(reader) => reader.read(frame, events),
            Self::Gemini(reader) => reader.read(frame, events),
            Self::Bedrock(reader) => reader.read(frame, events),
            Self::Cohere(reader) => reader.read(frame, events),
            Self::Ollama(reader) => reader.read(frame, events),
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::OpenAi(reader) => reader.is_complete(),
            Self::Responses(reader) => reader.is_complete(),
            Self::Anthropic(reader) => reader.is_complete(),
            Self::Gemini(reader) => reader.is_complete(),
            Self::Bedrock(reader) => reader.is_complete(),
            Self::Cohere(reader) => reader.is_complete(),
            Self::Ollama(reader) => reader.is_complete(),
        }
    }
}

/// A writer of any format that clients speak.
#[derive(Debug)]
enum Writer {
    OpenAi(openai::Writer),
    Responses(Box<responses::Writer>),
    Anthropic(anthropic::Writer),
}

impl Writer {
    fn new(client: Client<'_>) -> Self {
        let Client { format, labels, options, request } = client;
        match format {
            Format::Responses => Self::Responses(Box::new(responses::Writer::new(labels, Echo::of(request)))),
            Format::Anthropic => Self::Anthropic(anthropic::Writer::new(labels, options)),
            Format::OpenAi | Format::Gemini | Format::Bedrock | Format::Cohere | Format::Ollama => {
                Self::OpenAi(openai::Writer::new(labels, options))
            }
        }
    }

    fn write(&mut self, event: &Event, out: &mut BytesMut) {
        match self {
            Self::OpenAi(writer) => writer.write(event, out),
            Self::Responses(writer) => writer.write(event, out),
            Self::Anthropic(writer) => writer.write(event, out),
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        match self {
            Self::OpenAi(writer) => writer.end(out),
            Self::Responses(writer) => writer.end(out),
            Self::Anthropic(writer) => writer.end(out),
        }
    }

    fn fail(&mut self, failure: &Failure) -> Bytes {
        let mut out = BytesMut::new();
        self.write(&Event::Failure(Box::new(failure.clone())), &mut out);
        out.freeze()
    }
}

//! What an upstream answers, read as far as the client is shown nothing yet.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::Instant;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;
use weighbridge_providers::transport::{BodyStream, UpstreamResponse};
use weighbridge_wire::embeddings::{self, Embed};
use weighbridge_wire::exchange::{self, Exchange};
use weighbridge_wire::format::{Client, Format, Labels, StreamOptions};
use weighbridge_wire::losses::Losses;
use weighbridge_wire::sse::{EventReader, ReaderOptions};
use weighbridge_wire::stream::{StreamReader, Translator};
use weighbridge_wire::{failure, whole};

use crate::attempt::{Call, Reply, ReplyBody};
use crate::stream;
use crate::world::World;

/// The longest whole reply that is read, in bytes.
const LONGEST_REPLY: usize = 64 << 20;
/// The longest error body that is read, in bytes.
const LONGEST_ERROR: usize = 64 << 10;
/// What replies are that were written here.
const JSON: &str = "application/json";

/// An answer about to be read.
pub(crate) struct Reading<'a> {
    pub(crate) call: &'a Call<'a>,
    pub(crate) exchange: Exchange,
    /// What was to be embedded; nothing where the exchange is about something else.
    pub(crate) embed: Embed,
    pub(crate) labels: Labels,
    /// When the request was sent.
    pub(crate) sent: Instant,
}

impl Reading<'_> {
    /// Reads a whole reply, or a stream to its first content.
    ///
    /// # Errors
    /// The provider's failure, whether it comes with a status or in the clothes of an answer.
    pub(crate) async fn read(&self, response: UpstreamResponse, world: &World) -> Result<Reply, Failure> {
        let (parts, body) = response.into_parts();
        self.call.hear(&parts.headers, world);
        if !parts.status.is_success() {
            let bytes = collect(body, LONGEST_ERROR).await.unwrap_or_default();
            return Err(failure::classify(parts.status.as_u16(), &parts.headers, &bytes, world.now()));
        }
        let content_type = header(&parts.headers, "content-type").unwrap_or(JSON);
        let headers = passed_on(&parts.headers);
        if let Some(reader) = self.stream_reader(content_type) {
            let opened = stream::open(body, reader, self.sent).await?;
            let body = ReplyBody::Stream(Box::new(opened));
            return Ok(Reply { losses: Losses::default(), content_type: content_type.to_owned(), headers, body });
        }
        let bytes = collect(body, LONGEST_REPLY).await?;
        let (bytes, usage) = self.whole(bytes)?;
        let passes = matches!(self.exchange, Exchange::Same(_) | Exchange::Other | Exchange::Compatible);
        let content_type = if passes { content_type } else { JSON }.to_owned();
        let body = ReplyBody::Whole { bytes, usage, took: self.sent.elapsed() };
        Ok(Reply { losses: Losses::default(), content_type, headers, body })
    }

    /// The reader of a stream of `content_type`; `None` when the reply is whole.
    fn stream_reader(&self, content_type: &str) -> Option<StreamReader> {
        let request = self.call.request;
        let is_events = content_type.starts_with("text/event-stream");
        if !request.stream {
            return None;
        }
        match self.exchange {
            Exchange::Same(format) if is_events => {
                let asked = format == Format::OpenAi && self.call.deployment.endpoint.stream_usage;
                let strip_usage = asked && !request.stream_usage;
                Some(StreamReader::Relayed(EventReader::new(ReaderOptions { strip_usage, format })))
            }
            // Legacy completions.
            Exchange::Other | Exchange::Compatible if is_events => {
                let strip_usage = self.call.deployment.endpoint.stream_usage && !request.stream_usage;
                Some(StreamReader::Relayed(EventReader::new(ReaderOptions { strip_usage, format: Format::OpenAi })))
            }
            Exchange::Chat { client, provider } if !content_type.starts_with(JSON) => {
                Some(StreamReader::Translated(Box::new(Translator::new(self.client(client), provider))))
            }
            _ => None,
        }
    }

    /// The client, who speaks `format`.
    fn client(&self, format: Format) -> Client<'_> {
        let request = self.call.request;
        Client {
            format,
            labels: &self.labels,
            options: StreamOptions { include_usage: request.stream_usage },
            request: request.payload.json().map_or(b"{}", |object| object.bytes()),
        }
    }

    /// A whole reply as the client gets it, and what it used.
    fn whole(&self, bytes: Bytes) -> Result<(Bytes, Option<Usage>), Failure> {
        let request = self.call.request;
        match self.exchange {
            Exchange::Same(_) | Exchange::Other | Exchange::Compatible => {
                let facts = whole::read(&bytes, request.operation)?;
                Ok((bytes, facts.usage))
            }
            Exchange::Chat { client, provider } => {
                let reply = exchange::read_reply(provider, &bytes, &self.labels)?;
                if request.stream {
                    let message = "the provider answered with a whole reply in place of a stream";
                    return Err(Failure::new(FailureKind::BrokenReply, message));
                }
                Ok((exchange::write_reply(self.client(client), &reply), reply.usage))
            }
            Exchange::Embeddings(provider) => {
                let vectors = embeddings::read_reply(provider, &bytes, &self.embed, &self.labels)?;
                Ok((embeddings::write_reply(&vectors, &self.embed, &self.labels), vectors.usage))
            }
        }
    }
}

/// A body in one piece, `limit` bytes at most.
async fn collect(mut body: BodyStream, limit: usize) -> Result<Bytes, Failure> {
    let mut first = match body.next().await {
        None => return Ok(Bytes::new()),
        Some(chunk) => chunk?,
    };
    let mut all: Option<BytesMut> = None;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        let all = all.get_or_insert_with(|| BytesMut::from(std::mem::take(&mut first)));
        if all.len() + chunk.len() > limit {
            return Err(Failure::new(FailureKind::BrokenReply, "the provider's reply is too long"));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.map_or(first, BytesMut::freeze))
}

fn header<'a>(headers: &'a http::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The provider's headers a client has a use for.
fn passed_on(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let wanted = |name: &str| {
        name.starts_with("x-ratelimit-")
            || name.starts_with("anthropic-ratelimit-")
            || name == "openai-processing-ms"
            || name == "content-disposition"
    };
    headers
        .iter()
        .filter(|(name, _)| wanted(name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

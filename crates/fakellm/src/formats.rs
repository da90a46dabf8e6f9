//! The providers' words: here each format has its say.

mod anthropic;
mod bedrock;
mod cohere;
mod gemini;
mod ollama;
mod openai;
mod responses;
mod shared;

use std::time::Duration;

use crate::ask::{Ask, Asked};
use crate::event::{Event, Framing};
use crate::fault::Fault;
use crate::format::Format;
use crate::meters::Allowance;
use crate::refusal::Refusal;
use crate::replies::Reply;
use crate::stream::Events;
use crate::strict;
use crate::target::Target;

/// Reads a request, and refuses what its provider does.
pub(crate) fn read(asked: &Asked<'_>) -> Result<Ask, Refusal> {
    strict::check_headers(asked)?;
    match asked.target.format {
        Format::Anthropic | Format::VertexAnthropic => anthropic::read(asked),
        Format::Bedrock => bedrock::read(asked),
        Format::Cohere => cohere::read(asked),
        Format::Ollama => ollama::read(asked),
        Format::Responses => responses::read(asked),
        Format::Gemini | Format::Vertex => gemini::read(asked),
        Format::OpenAi => {
            let ask = openai::read(asked)?;
            if asked.script.strict {
                openai::check(asked, &ask)?;
            }
            Ok(ask)
        }
    }
}

/// A whole body and its content type. `path` is that of the request.
pub(crate) fn whole(reply: &Reply<'_>, target: Target<'_>, path: &str) -> (Vec<u8>, &'static str) {
    match target.format {
        Format::Anthropic | Format::VertexAnthropic => anthropic::whole(reply),
        Format::Bedrock => bedrock::whole(reply),
        Format::Cohere => cohere::whole(reply),
        Format::Ollama => ollama::whole(reply),
        Format::Responses => responses::whole(reply),
        Format::Gemini | Format::Vertex => gemini::whole(reply, target),
        Format::OpenAi => openai::whole(reply, path),
    }
}

/// The events of a streamed reply.
pub(crate) fn events(format: Format, reply: &Reply<'_>) -> Events {
    match format {
        Format::Anthropic | Format::VertexAnthropic => anthropic::events(reply),
        Format::Bedrock => bedrock::events(reply),
        Format::Cohere => cohere::events(reply),
        Format::Ollama => ollama::events(reply),
        Format::Responses => responses::events(reply),
        Format::Gemini | Format::Vertex => gemini::events(reply),
        Format::OpenAi => openai::events(reply),
    }
}

/// How a stream is framed, given the query.
pub(crate) fn framing(format: Format, query: &str) -> Framing {
    match format {
        Format::Bedrock => Framing::Messages,
        Format::Ollama => Framing::Lines,
        Format::Gemini | Format::Vertex if !query.split('&').any(|pair| pair == "alt=sse") => Framing::Array,
        _ => Framing::Sse,
    }
}

/// What a provider says to a fault.
pub(crate) fn refusal(format: Format, fault: Fault<'_>) -> Refusal {
    match format {
        Format::Anthropic => anthropic::refusal(fault),
        // Who may ask, and how often, is Google's affair; the rest is Claude's.
        Format::VertexAnthropic if fault.is_about_access() => gemini::refusal(format, fault),
        Format::VertexAnthropic => anthropic::refusal(fault),
        Format::Bedrock => bedrock::refusal(fault),
        Format::Cohere => cohere::refusal(fault),
        Format::Ollama => ollama::refusal(fault),
        Format::Gemini | Format::Vertex => gemini::refusal(format, fault),
        Format::OpenAi | Format::Responses => openai::refusal(fault),
    }
}

/// An error in a stream that began well.
pub(crate) fn error_event(format: Format) -> Event {
    match format {
        Format::Anthropic | Format::VertexAnthropic => anthropic::error_event(),
        Format::Bedrock => bedrock::error_event(),
        Format::Cohere => cohere::error_event(),
        Format::Ollama => ollama::error_event(),
        Format::Responses => responses::error_event(),
        Format::Gemini | Format::Vertex => gemini::error_event(format),
        Format::OpenAi => Event::data(openai::mid_answer().to_string()),
    }
}

/// The headers that say what is left of the limits. `now` is the time since 1970.
pub(crate) fn allowance_headers(format: Format, left: &[Allowance], now: Duration) -> Vec<(&'static str, String)> {
    match format {
        Format::OpenAi | Format::Responses => left.iter().flat_map(openai::allowance_headers).collect(),
        Format::Anthropic => left.iter().flat_map(|left| anthropic::allowance_headers(left, now)).collect(),
        _ => Vec::new(),
    }
}

/// The header that names a request.
pub(crate) fn request_id(format: Format, number: u64) -> Option<(&'static str, String)> {
    let name = match format {
        Format::OpenAi | Format::Responses => "x-request-id",
        Format::Anthropic => "request-id",
        Format::Bedrock => "x-amzn-requestid",
        Format::Cohere => "x-debug-trace-id",
        _ => return None,
    };
    Some((name, format!("req_{number:012x}")))
}

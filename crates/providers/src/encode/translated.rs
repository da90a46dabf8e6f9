//! A client's request in the words of a deployment that speaks another format.

use std::borrow::Cow;

use bytes::Bytes;
use weighbridge_domain::deployment::Paths;
use weighbridge_domain::drop_path::DropStep;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::{CONTROL_FIELDS, Operation};
use weighbridge_wire::chat::Chat;
use weighbridge_wire::format::{Format, Target, Unreadable};
use weighbridge_wire::losses::Losses;
use weighbridge_wire::{embeddings as vectors, exchange, openai};

use super::{Outgoing, body};

/// A conversation, from `client`'s format to `provider`'s.
///
/// # Errors
/// `BadRequest` when the client's body cannot be read.
pub(super) fn chat(
    outgoing: &Outgoing<'_>,
    object: &JsonObject,
    client: Format,
    provider: Format,
) -> Result<(Bytes, Losses), Failure> {
    let mut chat = if client == Format::OpenAi {
        openai::read_request(&body::json(outgoing, object, Format::OpenAi)).map_err(|error| refused(&error))?
    } else {
        said_otherwise(outgoing, object, client)?
    };
    chat.stream = outgoing.stream;
    let written = exchange::write_request(provider, &chat, target(outgoing));
    Ok((finished(outgoing, provider, written.body), written.losses))
}

/// Embeddings, in `provider`'s format.
///
/// # Errors
/// `BadRequest` when the client's body cannot be read, or the provider has no such thing.
pub(super) fn embeddings(
    outgoing: &Outgoing<'_>,
    object: &JsonObject,
    provider: Format,
) -> Result<(Bytes, Losses), Failure> {
    let embed =
        vectors::read_request(&body::json(outgoing, object, Format::OpenAi)).map_err(|error| refused(&error))?;
    let written = vectors::write_request(&embed, provider, target(outgoing)).map_err(|error| refused(&error))?;
    Ok((written.body, written.losses))
}

fn target<'a>(outgoing: &Outgoing<'a>) -> Target<'a> {
    Target { model: outgoing.model, max_output_tokens: outgoing.deployment.max_output_tokens }
}

fn refused(error: &Unreadable) -> Failure {
    Failure::new(FailureKind::BadRequest, error.to_string())
}

/// What a client with another format than `OpenAI`'s wants, and what configuration sets, which is named as `OpenAI` has it.
fn said_otherwise(outgoing: &Outgoing<'_>, object: &JsonObject, client: Format) -> Result<Chat, Failure> {
    let plain = object.rewrite(&[], |key| CONTROL_FIELDS.contains(&key));
    let mut chat = exchange::read_request(client, &plain).map_err(|error| refused(&error))?;
    let (deployment, options) = (outgoing.deployment, outgoing.options);
    let dropped = options.drops.iter().filter_map(|path| match path.as_slice() {
        [DropStep::Member(name)] => Some(name),
        _ => None,
    });
    for key in deployment.body_drops.iter().chain(dropped) {
        openai::unset(&mut chat, key);
    }
    let overrides = options.overrides.iter();
    let defaults = options.defaults.iter().chain(&deployment.body_defaults);
    let missing: Vec<_> = defaults.filter(|(key, _)| !openai::is_set(&chat, key)).collect();
    for (key, value) in missing.into_iter().rev().chain(overrides) {
        openai::set(&mut chat, key, value.get()).map_err(|error| refused(&error))?;
    }
    Ok(chat)
}

/// `body`, which is in `provider`'s format, with what the provider wants beyond that.
pub(super) fn finished(outgoing: &Outgoing<'_>, provider: Format, body: Bytes) -> Bytes {
    let endpoint = &outgoing.deployment.endpoint;
    match (provider, &endpoint.paths) {
        (Format::OpenAi, _) if outgoing.operation == Operation::Chat => body,
        (Format::OpenAi, _) if outgoing.stream && endpoint.stream_usage => {
            rewritten(body, &[("stream_options", r#"{"include_usage":true}"#)], "")
        }
        // Vertex has the model in its path and refuses it in the body; for counting it is the other way round.
        (Format::Anthropic, Paths::Vertex { .. }) => {
            let model = if outgoing.operation == Operation::CountTokens { "" } else { "model" };
            rewritten(body, &[("anthropic_version", r#""vertex-2023-10-16""#)], model)
        }
        _ => body,
    }
}

fn rewritten(body: Bytes, set: &[(&str, &str)], dropped: &str) -> Bytes {
    let set: Vec<_> = set.iter().map(|(key, value)| (*key, Cow::Borrowed(*value))).collect();
    match JsonObject::parse(body.clone()) {
        Ok(object) => object.rewrite(&set, |key| key == dropped),
        Err(_) => body,
    }
}

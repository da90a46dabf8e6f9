//! A client's request in the words of a deployment that speaks another format.

use std::borrow::Cow;

use bytes::Bytes;
use weighbridge_domain::deployment::Paths;
use weighbridge_domain::drop_path::DropStep;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::{CONTROL_FIELDS, Operation};
use weighbridge_wire::chat::Chat;
use weighbridge_wire::embeddings::{self as vectors, Embed};
use weighbridge_wire::format::{Format, Target, Unreadable};
use weighbridge_wire::losses::Losses;
use weighbridge_wire::{exchange, openai};

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
    let body = asking_usage(outgoing, provider, written.body);
    Ok((as_addressed(outgoing, provider, body), written.losses))
}

/// What is to be embedded, with what configuration sets.
///
/// # Errors
/// `BadRequest` when the client's body cannot be read.
pub(super) fn embed(outgoing: &Outgoing<'_>, object: &JsonObject) -> Result<Embed, Failure> {
    vectors::read_request(&body::json(outgoing, object, Format::OpenAi)).map_err(|error| refused(&error))
}

/// Embeddings, in `provider`'s format.
///
/// # Errors
/// `BadRequest` when the provider has no such thing.
pub(super) fn embeddings(outgoing: &Outgoing<'_>, embed: &Embed, provider: Format) -> Result<(Bytes, Losses), Failure> {
    let written = match outgoing.deployment.endpoint.paths {
        Paths::Vertex { .. } => vectors::write_vertex_request(embed, outgoing.model),
        _ => vectors::write_request(embed, provider, target(outgoing)).map_err(|error| refused(&error))?,
    };
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

/// `body`, which was written for `provider`, with usage asked for where the format leaves that open.
fn asking_usage(outgoing: &Outgoing<'_>, provider: Format, body: Bytes) -> Bytes {
    if provider == Format::OpenAi && outgoing.stream && outgoing.deployment.endpoint.stream_usage {
        return rewritten(body, &[("stream_options", r#"{"include_usage":true}"#)], "");
    }
    body
}

/// `body`, which is in `provider`'s format, as it is said at the address of the deployment.
pub(super) fn as_addressed(outgoing: &Outgoing<'_>, provider: Format, body: Bytes) -> Bytes {
    match (provider, &outgoing.deployment.endpoint.paths) {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::value::RawValue;
    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate, Paths};
    use weighbridge_domain::drop_path::parse;
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::plan::StopOptions;
    use weighbridge_domain::provider::Wire;
    use weighbridge_domain::request::{Operation, Payload};
    use weighbridge_wire::exchange::Exchange;

    use crate::encode::{Outgoing, encode};

    fn members(text: &str) -> Vec<(String, Box<RawValue>)> {
        let object = JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        object.keys().map(|key| (key.to_owned(), object.get(key).unwrap().unwrap())).collect()
    }

    struct Case<'a> {
        operation: Operation,
        wire: Wire,
        paths: Paths,
        stream: bool,
        body: &'a str,
    }

    impl Case<'_> {
        /// What is sent, the deployment having a default and a drop of its own, and what is lost.
        fn sent(&self, overrides: &str, drops: &str, refuses: bool) -> Result<String, String> {
            let endpoint =
                Endpoint { wire: self.wire, paths: self.paths.clone(), ..Endpoint::new("p", "https://h/v1") };
            let mut deployment = Deployment::new("d", "g", ModelTemplate::new("claude-3-5-haiku"), endpoint);
            deployment.body_defaults = members(r#"{"max_tokens":77,"temperature":0.5,"seed":7}"#);
            deployment.body_drops = vec!["user".to_owned()];
            deployment.refuses_losses = refuses;
            let options = StopOptions {
                overrides: members(overrides),
                drops: drops.split_whitespace().map(|path| parse(path).unwrap()).collect(),
                ..StopOptions::default()
            };
            let outgoing = Outgoing {
                deployment: &deployment,
                model: "claude-3-5-haiku",
                operation: self.operation,
                payload: &Payload::Json(JsonObject::parse(Bytes::copy_from_slice(self.body.as_bytes())).unwrap()),
                stream: self.stream,
                options: &options,
                headers: &[],
                format_headers: &[("anthropic-beta".to_owned(), "b".to_owned())],
                request_id: "r",
            };
            let wire = deployment.endpoint.wire_of("claude-3-5-haiku");
            let exchange = Exchange::between(self.operation, wire, false).unwrap();
            let encoded = encode(&outgoing, exchange).map_err(|failure| failure.message)?;
            let lost: Vec<String> = encoded.losses.iter().map(ToString::to_string).collect();
            let headers = encoded.request.headers();
            let beta = if headers.contains_key("anthropic-beta") { " beta" } else { "" };
            let version = if headers.contains_key("anthropic-version") { " version" } else { "" };
            let body = std::str::from_utf8(encoded.request.body()).unwrap();
            Ok(format!("{body}{beta}{version} {lost:?}"))
        }
    }

    fn chat(wire: Wire, body: &str) -> Case<'_> {
        Case { operation: Operation::Chat, wire, paths: Paths::Plain, stream: false, body }
    }

    fn messages(wire: Wire, body: &str) -> Case<'_> {
        Case { operation: Operation::Messages, ..chat(wire, body) }
    }

    const CHAT: &str = r#"{"model":"g","messages":[{"role":"user","content":"hi"}],"user":"u","num_retries":1}"#;
    const MESSAGES: &str = r#"{"model":"g","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"metadata":{"user_id":"u"},"num_retries":1}"#;

    #[test]
    fn what_configuration_sets_is_said_in_the_providers_words() {
        assert_eq!(
            chat(Wire::Anthropic, CHAT).sent("{}", "", false).unwrap(),
            r#"{"model":"claude-3-5-haiku","max_tokens":77,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"temperature":0.5} version ["seed is not known to Anthropic"]"#
        );
        assert_eq!(
            chat(Wire::Anthropic, CHAT).sent(r#"{"max_tokens":5}"#, "seed temperature", false).unwrap(),
            r#"{"model":"claude-3-5-haiku","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]} version []"#
        );
        assert_eq!(
            messages(Wire::OpenAi, MESSAGES).sent(r#"{"temperature":0.1}"#, "", false).unwrap(),
            r#"{"model":"claude-3-5-haiku","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"temperature":0.1,"seed":7} []"#
        );
    }

    #[test]
    fn what_both_speak_passes_with_what_the_format_knows() {
        assert_eq!(
            messages(Wire::Anthropic, MESSAGES).sent("{}", "", false).unwrap(),
            r#"{"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"metadata":{"user_id":"u"},"model":"claude-3-5-haiku","temperature":0.5} beta version []"#
        );
        let paths = Paths::Vertex { project: "p".to_owned(), location: "l".to_owned() };
        let vertex = Case { paths, ..messages(Wire::Gemini, MESSAGES) };
        assert_eq!(
            vertex.sent("{}", "temperature", false).unwrap(),
            r#"{"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"metadata":{"user_id":"u"},"anthropic_version":"vertex-2023-10-16"} beta []"#
        );
    }

    #[test]
    fn streams_ask_for_usage_where_the_format_leaves_it_open() {
        let streamed = Case { stream: true, ..messages(Wire::OpenAi, MESSAGES) };
        let sent = streamed.sent("{}", "seed temperature", false).unwrap();
        assert!(sent.contains(r#""stream":true,"stream_options":{"include_usage":true}"#), "{sent}");
        let streamed = Case { stream: true, ..chat(Wire::Anthropic, CHAT) };
        assert!(!streamed.sent("{}", "", false).unwrap().contains("stream_options"));
    }

    #[test]
    fn losses_are_refused_where_that_is_asked() {
        let refused = chat(Wire::Anthropic, CHAT).sent("{}", "", true).unwrap_err();
        assert_eq!(
            refused,
            "seed is not known to Anthropic; leave it out, or set drop_params: true for this deployment"
        );
        assert!(chat(Wire::Anthropic, CHAT).sent("{}", "seed", true).is_ok());
        let wrong = messages(Wire::OpenAi, r#"{"messages":[{"role":"robot","content":"x"}]}"#).sent("{}", "", false);
        assert!(wrong.unwrap_err().starts_with("messages[0].role"));
    }
}

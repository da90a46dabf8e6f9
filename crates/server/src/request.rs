//! Reads a client's request: body, path and headers into one [`Request`].

use std::sync::Arc;

use axum::BoxError;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use weighbridge_config::objects::leaves_model_open;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::{Estimate, Operation, Payload, Request};
use weighbridge_domain::table::RoutingTable;
use weighbridge_engine::Engine;

use crate::configs::Configs;
use crate::controls::{self, wrong};
use crate::refusal::Refusal;
use crate::{id, multipart, portkey};

/// A request as it arrived.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Names it in headers, logs and errors.
    pub id: Arc<str>,
    /// What is to be done.
    pub operation: Operation,
    /// The path of its URL.
    pub path: &'a str,
    /// The model, when the path names it; it wins over the body's.
    pub path_model: Option<String>,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What a request is read against.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The table in force.
    pub table: &'a RoutingTable,
    /// Who knows which hosts clients may name, and what was saved.
    pub engine: &'a Engine,
    /// Config objects that were read before.
    pub configs: &'a Configs,
}

/// Reads a request that is to be sent on.
///
/// # Errors
/// 400 with the field that is missing or wrong.
pub fn read(arrival: Arrival<'_>, setting: Setting<'_>) -> Result<Request, Refusal> {
    let request = outline(arrival, setting)?;
    if let Some(body) = request.payload.json() {
        match request.operation {
            Operation::Chat | Operation::Messages | Operation::CountTokens => require_messages(body)?,
            Operation::Responses => require_all_of_it(body)?,
            _ => {}
        }
    }
    Ok(request)
}

/// Reads a request that is only asked about: it may lack what a provider would need.
///
/// # Errors
/// 400 with the field that is missing or wrong.
pub fn outline(arrival: Arrival<'_>, setting: Setting<'_>) -> Result<Request, Refusal> {
    let content_type = arrival.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match content_type.filter(|content_type| multipart::is_form(content_type)) {
        Some(content_type) => {
            let content_type = content_type.to_owned();
            form(arrival, content_type, setting)
        }
        None => json(arrival, setting),
    }
}

/// The bytes of `body`.
///
/// # Errors
/// 413 when there are more than `length_max`, 400 when they do not arrive.
pub(crate) async fn collect<B>(body: B, length_max: usize) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let too_long = || {
        let message = format!("The request body is longer than {length_max} bytes, which is all this router takes.");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message).about("request_body")
    };
    // A length that is announced is not waited for.
    if body.size_hint().lower() > u64::try_from(length_max).unwrap_or(u64::MAX) {
        return Err(too_long());
    }
    match Limited::new(body, length_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_long()),
        Err(_) => Err(Refusal::bad("request_body", "The request body broke off.")),
    }
}

fn json(arrival: Arrival<'_>, setting: Setting<'_>) -> Result<Request, Refusal> {
    let config = portkey::read(arrival.headers, arrival.path, setting)?;
    let body = JsonObject::parse(arrival.body).map_err(|error| Refusal::bad("request_body", sentence(&error)))?;
    let model = match arrival.path_model {
        Some(model) => model,
        None if config.is_some() => body_model_if_any(&body)?,
        None => body_model(&body)?,
    };
    let mut controls = controls::read(Some(&body), arrival.headers, &model, &setting.table.routing)?;
    controls.timeout = portkey::timeout(arrival.headers)?.or(controls.timeout);
    controls.config = config;
    let stream = arrival.operation.may_stream() && flag(&body, "stream")?;
    Ok(Request {
        trace_id: id::trace_id(arrival.headers).map_or_else(|| Arc::clone(&arrival.id), Arc::from),
        id: arrival.id,
        operation: arrival.operation,
        model,
        stream,
        stream_usage: stream && wants_usage(&body)?,
        estimate: estimate(arrival.operation, &body),
        controls,
        format_headers: format_headers(arrival.operation, arrival.headers),
        payload: Payload::Json(body),
    })
}

fn form(arrival: Arrival<'_>, content_type: String, setting: Setting<'_>) -> Result<Request, Refusal> {
    let config = portkey::read(arrival.headers, arrival.path, setting)?;
    let form = multipart::read(arrival.body, content_type, arrival.path_model.as_deref())?;
    let model = match arrival.path_model {
        Some(model) => model,
        None => match std::str::from_utf8(&form.bytes[form.model.clone()]).map(str::trim) {
            Ok("") | Err(_) => return Err(Refusal::bad("model", "The form's `model` is no name.")),
            Ok(model) => model.to_owned(),
        },
    };
    let mut controls = controls::read(None, arrival.headers, &model, &setting.table.routing)?;
    controls.timeout = portkey::timeout(arrival.headers)?.or(controls.timeout);
    controls.config = config;
    Ok(Request {
        trace_id: id::trace_id(arrival.headers).map_or_else(|| Arc::clone(&arrival.id), Arc::from),
        id: arrival.id,
        operation: arrival.operation,
        model,
        payload: Payload::Form(form),
        stream: false,
        stream_usage: false,
        estimate: Estimate::default(),
        controls,
        format_headers: Vec::new(),
    })
}

fn body_model(body: &JsonObject) -> Result<String, Refusal> {
    match body.text("model") {
        Some(model) if !model.is_empty() => Ok(model.into_owned()),
        Some(_) => Err(Refusal::bad("model", "`model` is empty.")),
        None if body.has("model") => Err(wrong("model", "a string")),
        None => Err(Refusal::bad("model", "`model` is missing.")),
    }
}

/// The body's model, where a config object may name it instead: nothing when the client leaves it open.
fn body_model_if_any(body: &JsonObject) -> Result<String, Refusal> {
    if !body.has("model") {
        return Ok(String::new());
    }
    let model = body_model(body)?;
    Ok(if leaves_model_open(&model) { String::new() } else { model })
}

fn require_messages(body: &JsonObject) -> Result<(), Refusal> {
    let inner = match body.raw("messages") {
        None | Some("null") => return Err(Refusal::bad("messages", "`messages` is missing.")),
        Some(raw) => raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']')),
    };
    match inner {
        None => Err(wrong("messages", "a list")),
        Some(inner) if inner.trim_ascii().is_empty() => Err(Refusal::bad("messages", "`messages` is empty.")),
        Some(_) => Ok(()),
    }
}

/// Nothing is kept here of earlier responses: a request has to hold the whole conversation.
fn require_all_of_it(body: &JsonObject) -> Result<(), Refusal> {
    for field in ["previous_response_id", "conversation", "prompt"] {
        if body.has(field) {
            let message = format!(
                "`{field}` refers to what is kept at the provider, and this router keeps nothing: send the whole                  conversation as `input`."
            );
            return Err(Refusal::bad(field, message));
        }
    }
    if flag(body, "background")? {
        return Err(Refusal::bad("background", "This router answers while the client waits: leave `background` out."));
    }
    if body.has("input") { Ok(()) } else { Err(Refusal::bad("input", "`input` is missing.")) }
}

/// Headers that belong to the format a client writes in.
fn format_headers(operation: Operation, headers: &HeaderMap) -> Vec<(String, String)> {
    let names: &[&str] = match operation {
        Operation::Messages | Operation::CountTokens => &["anthropic-version", "anthropic-beta"],
        _ => &[],
    };
    let shown = |name: &&str| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.to_owned()));
    names.iter().filter_map(shown).collect()
}

/// What a request will use, by estimate.
fn estimate(operation: Operation, body: &JsonObject) -> Estimate {
    match operation {
        // Counting uses nothing.
        Operation::CountTokens => Estimate { input: 0, output: Some(0) },
        _ => weighbridge_routing::estimate::estimate(body),
    }
}

fn flag(body: &JsonObject, field: &'static str) -> Result<bool, Refusal> {
    body.get(field).map(Option::unwrap_or_default).map_err(|_| wrong(field, "true or false"))
}

fn wants_usage(body: &JsonObject) -> Result<bool, Refusal> {
    #[derive(Deserialize, Default)]
    struct StreamOptions {
        #[serde(default)]
        include_usage: Option<bool>,
    }
    let options: Option<StreamOptions> = body
        .get("stream_options")
        .map_err(|_| wrong("stream_options", "an object whose `include_usage` is true or false"))?;
    Ok(options.and_then(|options| options.include_usage).unwrap_or_default())
}

/// An error's text as a sentence.
fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_ascii_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{Arrival, Setting, collect, outline, read};
    use crate::configs::Configs;
    use crate::testkit;
    use axum::body::Body;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use weighbridge_domain::request::{Operation, Request};

    fn arrival<'a>(operation: Operation, path_model: Option<&str>, headers: &'a HeaderMap, body: &str) -> Arrival<'a> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let path = operation.path();
        Arrival { id: "id".into(), operation, path, path_model: path_model.map(str::to_owned), headers, body }
    }

    fn check(operation: Operation, path_model: Option<&str>, body: &str) -> Result<Request, String> {
        let (engine, configs) = (testkit::engine(testkit::table()), Configs::default());
        let setting = Setting { table: &engine.table(), engine: &engine, configs: &configs };
        read(arrival(operation, path_model, &HeaderMap::new(), body), setting)
            .map_err(|refusal| format!("{} {}", refusal.status().as_u16(), refusal.param().unwrap_or_default()))
    }

    const CHAT: &str = r#"{"model":"gpt","messages":[{"role":"user","content":"hi"}]"#;

    #[test]
    fn chats_are_read() {
        let plain = check(Operation::Chat, None, &format!("{CHAT}}}")).unwrap();
        assert_eq!((plain.model.as_str(), plain.stream, plain.stream_usage), ("gpt", false, false));
        assert!(plain.estimate.input > 0 && plain.estimate.output.is_none());

        let stream = check(Operation::Chat, None, &format!(r#"{CHAT},"stream":true,"max_tokens":9}}"#)).unwrap();
        assert_eq!((stream.stream, stream.stream_usage, stream.estimate.output), (true, false, Some(9)));

        let usage = format!(r#"{CHAT},"stream":true,"stream_options":{{"include_usage":true}}}}"#);
        assert!(check(Operation::Chat, None, &usage).unwrap().stream_usage);
        let usage = usage.replace("true,", "false,");
        assert!(!check(Operation::Chat, None, &usage).unwrap().stream_usage);

        assert_eq!(check(Operation::Chat, Some("azure"), &format!("{CHAT}}}")).unwrap().model, "azure");
        assert_eq!(check(Operation::Embeddings, Some("azure"), "{}").unwrap().model, "azure");
        assert!(!check(Operation::Speech, None, r#"{"model":"tts","stream":true}"#).unwrap().stream);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (body, expected) in [
            ("", "400 request_body"),
            ("nonsense", "400 request_body"),
            ("[]", "400 request_body"),
            ("{}", "400 model"),
            (r#"{"model":""}"#, "400 model"),
            (r#"{"model":7}"#, "400 model"),
            (r#"{"model":null}"#, "400 model"),
            (r#"{"model":"gpt"}"#, "400 messages"),
            (r#"{"model":"gpt","messages":null}"#, "400 messages"),
            (r#"{"model":"gpt","messages":"hi"}"#, "400 messages"),
            (r#"{"model":"gpt","messages":{}}"#, "400 messages"),
            (r#"{"model":"gpt","messages":[ ]}"#, "400 messages"),
            (r#"{"model":"gpt","messages":[1],"stream":"yes"}"#, "400 stream"),
            (r#"{"model":"gpt","messages":[1],"stream":true,"stream_options":1}"#, "400 stream_options"),
            (r#"{"model":"gpt","messages":[1],"num_retries":"x"}"#, "400 num_retries"),
        ] {
            assert_eq!(check(Operation::Chat, None, body).unwrap_err(), expected, "{body}");
        }
    }

    #[test]
    fn a_question_about_a_request_needs_only_its_model() {
        let headers = HeaderMap::new();
        let (engine, configs) = (testkit::engine(testkit::table()), Configs::default());
        let setting = Setting { table: &engine.table(), engine: &engine, configs: &configs };
        assert_eq!(
            outline(arrival(Operation::Chat, None, &headers, r#"{"model":"gpt"}"#), setting).unwrap().model,
            "gpt"
        );
        assert_eq!(
            outline(arrival(Operation::Chat, None, &headers, "{}"), setting).unwrap_err().param(),
            Some("model")
        );
    }

    #[test]
    fn forms_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("multipart/form-data; boundary=X"));
        headers.insert("x-litellm-num-retries", HeaderValue::from_static("4"));
        let form =
            |model: &str| format!("--X\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--X--\r\n");
        let read = |path_model, body: &str| {
            let (engine, configs) = (testkit::engine(testkit::table()), Configs::default());
            let setting = Setting { table: &engine.table(), engine: &engine, configs: &configs };
            read(arrival(Operation::Transcriptions, path_model, &headers, body), setting)
        };
        let request = read(None, &form("whisper")).unwrap();
        assert_eq!((request.model.as_str(), request.controls.num_retries), ("whisper", Some(4)));
        assert_eq!(read(Some("mine"), &form("whisper")).unwrap().model, "mine");
        assert_eq!(read(None, &form("")).unwrap_err().param(), Some("model"));
        assert_eq!(read(None, "--X--").unwrap_err().param(), Some("model"));
    }

    #[tokio::test]
    async fn bodies_have_a_longest_length() {
        assert_eq!(collect(Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(collect(Body::from("123456"), 5).await.unwrap_err().status().as_u16(), 413);
        let chunks = ["123", "456"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes())));
        let body = Body::from_stream(futures_util::stream::iter(chunks));
        assert_eq!(collect(body, 5).await.unwrap_err().status().as_u16(), 413);
        let broken = Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
        assert_eq!(collect(broken, 5).await.unwrap_err().status().as_u16(), 400);
    }
}

//! The client's JSON with what is set filled in and what is dropped left out; where nothing changes, its own bytes.

use std::borrow::Cow;

use bytes::Bytes;
use weighbridge_domain::drop_path::DropStep;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::{CONTROL_FIELDS, quoted};

use weighbridge_wire::format::Format;
use weighbridge_wire::{anthropic, responses};

use super::Outgoing;
use super::drops::without;

/// `OpenRouter` has fields of its own under names that steer this router elsewhere.
const OPENROUTER_FIELDS: &[&str] = &["models", "route", "provider", "session_id", "plugins", "transforms"];

/// The body for `outgoing`, whose client sent `object`, in `format`: first defaults, then overrides, then drops.
pub(super) fn json(outgoing: &Outgoing<'_>, object: &JsonObject, format: Format) -> Bytes {
    let deployment = outgoing.deployment;
    let is_openrouter = deployment.endpoint.provider.as_str() == "openrouter";
    let is_left_out = |key: &str| {
        let is_control = CONTROL_FIELDS.contains(&key) && !(is_openrouter && OPENROUTER_FIELDS.contains(&key));
        is_control || deployment.body_drops.iter().any(|drop| drop == key)
    };
    let mut set = settings(outgoing, object, format);
    for path in &outgoing.options.drops {
        let [DropStep::Member(name), rest @ ..] = path.as_slice() else { continue };
        let raw = set.get(name).or_else(|| object.raw(name).filter(|_| !is_left_out(name)));
        if let Some(value) = raw.and_then(|raw| without(raw, rest)) {
            set.put(name, Cow::Owned(value));
        }
    }
    let is_dropped = |key: &str| {
        let is_it = |path: &Vec<DropStep>| matches!(path.as_slice(), [DropStep::Member(name)] if name == key);
        outgoing.options.drops.iter().any(is_it)
    };
    set.0.retain(|(key, _)| !is_dropped(key));
    object.rewrite(&set.0, |key| is_left_out(key) || is_dropped(key))
}

/// What the body of `outgoing` is to have otherwise than `object`.
fn settings<'a>(outgoing: &Outgoing<'a>, object: &'a JsonObject, format: Format) -> Settings<'a> {
    let (deployment, options) = (outgoing.deployment, outgoing.options);
    let mut set = Settings(Vec::with_capacity(4));
    let is_same_model = object.text("model").is_some_and(|model| model == outgoing.model);
    // Azure takes the model from the path; its name in the body is ignored there.
    if !is_same_model {
        set.put("model", quoted(outgoing.model));
    }
    // Configuration names fields as `OpenAI` does; in another format only those go that it has as well.
    let is_known = |key: &str| match format {
        Format::Anthropic => anthropic::FIELDS.contains(&key),
        Format::Responses => responses::FIELDS.contains(&key),
        Format::OpenAi | Format::Gemini | Format::Bedrock | Format::Cohere | Format::Ollama => true,
    };
    for (key, value) in options.overrides.iter().filter(|(key, _)| is_known(key)) {
        set.put(key, Cow::Borrowed(value.get()));
    }
    for (key, value) in options.defaults.iter().filter(|(key, _)| is_known(key)) {
        // A client that sends null has said something.
        if object.raw(key).is_none() {
            set.put_new(key, value.get());
        }
    }
    for (key, value) in deployment.body_defaults.iter().filter(|(key, _)| is_known(key)) {
        if !object.has(key) {
            set.put_new(key, value.get());
        }
    }
    if format == Format::Responses {
        // What was kept with one deployment's key another could not go on from.
        set.put("store", Cow::Borrowed("false"));
    }
    let may_ask = format == Format::OpenAi && outgoing.operation.may_stream() && deployment.endpoint.stream_usage;
    if outgoing.stream && may_ask {
        let asked = with_usage(set.get("stream_options").or_else(|| object.raw("stream_options")));
        set.put("stream_options", asked);
    }
    set
}

/// Members and their JSON text, each key once.
struct Settings<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Settings<'a> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| &**value)
    }

    fn put(&mut self, key: &'a str, value: Cow<'a, str>) {
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    fn put_new(&mut self, key: &'a str, value: &'a str) {
        if self.get(key).is_none() {
            self.0.push((key, Cow::Borrowed(value)));
        }
    }
}

/// `stream_options` with usage asked for, its other members kept.
fn with_usage(options: Option<&str>) -> Cow<'static, str> {
    let ask = Cow::Borrowed(r#"{"include_usage":true}"#);
    let Some(options) = options.filter(|raw| *raw != "null") else { return ask };
    let Ok(object) = JsonObject::parse(Bytes::copy_from_slice(options.as_bytes())) else { return ask };
    let asked = object.rewrite(&[("include_usage", Cow::Borrowed("true"))], |_| false);
    String::from_utf8(asked.into()).map_or(ask, Cow::Owned)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::value::RawValue;
    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
    use weighbridge_domain::drop_path::parse;
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::plan::StopOptions;
    use weighbridge_domain::request::{Operation, Payload};

    use super::{Format, Outgoing, json};

    fn members(text: &str) -> Vec<(String, Box<RawValue>)> {
        let object = JsonObject::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        object.keys().map(|key| (key.to_owned(), object.get(key).unwrap().unwrap())).collect()
    }

    /// What is sent of `body` with these defaults and overrides, and with what the `drops` lead to taken out.
    fn sent(defaults: &str, overrides: &str, drops: &str, body: &str, stream: bool) -> Bytes {
        let options = StopOptions {
            defaults: members(defaults),
            overrides: members(overrides),
            drops: drops.split_whitespace().map(|path| parse(path).unwrap()).collect(),
            ..StopOptions::default()
        };
        let mut deployment =
            Deployment::new("d", "g", ModelTemplate::new("up"), Endpoint::new("openai", "http://host/v1"));
        deployment.body_defaults = members(r#"{"n":1}"#);
        deployment.body_drops = vec!["seed".to_owned()];
        let object = JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let outgoing = Outgoing {
            deployment: &deployment,
            model: "up",
            operation: Operation::Chat,
            payload: &Payload::Json(object.clone()),
            stream,
            options: &options,
            headers: &[],
            format_headers: &[],
            request_id: "r",
        };
        json(&outgoing, &object, Format::OpenAi)
    }

    #[test]
    fn defaults_then_overrides_then_drops() {
        let rows = [
            // Defaults give way to the client, to null as well, and to overrides; they come before the deployment's own.
            (r#"{"a":1}"#, "{}", "", r#"{"model":"up","n":2}"#, r#"{"model":"up","n":2,"a":1}"#),
            (r#"{"a":1}"#, "{}", "", r#"{"model":"up","n":2,"a":5}"#, r#"{"model":"up","n":2,"a":5}"#),
            (r#"{"a":1}"#, "{}", "", r#"{"model":"up","n":2,"a":null}"#, r#"{"model":"up","n":2,"a":null}"#),
            (r#"{"a":1}"#, r#"{"a":2}"#, "", r#"{"model":"up","n":2}"#, r#"{"model":"up","n":2,"a":2}"#),
            (r#"{"n":7}"#, "{}", "", r#"{"model":"up"}"#, r#"{"model":"up","n":7}"#),
            ("{}", r#"{"model":"o"}"#, "", r#"{"model":"g","n":2}"#, r#"{"n":2,"model":"o"}"#),
            // Drops reach everything.
            ("{}", "{}", "b", r#"{"model":"up","n":2,"b":1}"#, r#"{"model":"up","n":2}"#),
            (r#"{"a":1}"#, r#"{"b":2}"#, "a b n c", r#"{"model":"up"}"#, r#"{"model":"up"}"#),
            ("{}", r#"{"t":{"x":1,"y":2}}"#, "t.x", r#"{"model":"up","n":2}"#, r#"{"model":"up","n":2,"t":{"y":2}}"#),
            (
                "{}",
                "{}",
                "t[*].x t[0].y",
                r#"{"t":[{"x":1,"y":1},{"y":2}],"model":"up","n":2}"#,
                r#"{"model":"up","n":2,"t":[{},{"y":2}]}"#,
            ),
            // What is gone does not come back by a path into it.
            ("{}", "{}", "t t.x", r#"{"model":"up","n":2,"t":{"x":1,"y":1}}"#, r#"{"model":"up","n":2}"#),
            ("{}", "{}", "t.x t", r#"{"model":"up","n":2,"t":{"x":1,"y":1}}"#, r#"{"model":"up","n":2}"#),
            (
                "{}",
                "{}",
                "seed.x tags[0]",
                r#"{"model":"up","n":2,"seed":{"x":1},"tags":["a","b"]}"#,
                r#"{"model":"up","n":2}"#,
            ),
        ];
        for (defaults, overrides, drops, body, expected) in rows {
            assert_eq!(
                sent(defaults, overrides, drops, body, false),
                expected,
                "{defaults} {overrides} {drops} {body}"
            );
        }
    }

    #[test]
    fn what_nothing_changes_is_sent_as_it_came() {
        let body = r#"{ "model": "up",  "n" : 2, "t": [ 1.0 ] }"#;
        assert_eq!(sent(r#"{"n":1}"#, "{}", "x t.y t[3] n.m u[*].v", body, false), body);
    }

    #[test]
    fn usage_is_asked_for_unless_it_is_dropped() {
        let body = r#"{"model":"up","n":2}"#;
        let asked = |options: &str| format!(r#"{{"model":"up","n":2,"stream_options":{options}}}"#);
        assert_eq!(sent("{}", "{}", "", body, true), asked(r#"{"include_usage":true}"#));
        assert_eq!(
            sent("{}", r#"{"stream_options":{"x":1}}"#, "", body, true),
            asked(r#"{"x":1,"include_usage":true}"#)
        );
        assert_eq!(sent("{}", "{}", "stream_options", body, true), body);
    }
}

//! What a request wants otherwise than the configuration says: from its body, and from its
//! headers, which win.

use std::time::Duration;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::Controls;
use weighbridge_domain::settings::RoutingSettings;

use crate::headers::sends;
use crate::refusal::Refusal;
use crate::{baggage, choice, fallbacks, preferences};

/// Longer than anybody waits, and short enough to be added to any instant.
const SPAN_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a body's `router_settings_override` may set.
const OVERRIDABLE: [&str; 5] =
    ["num_retries", "timeout", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks"];

/// The controls of a request for `model` with the fields of `body`.
///
/// # Errors
/// 400 with the name of a field or header that cannot be used.
pub(crate) fn read(
    body: Option<&JsonObject>,
    headers: &HeaderMap,
    model: &str,
    routing: &RoutingSettings,
) -> Result<Controls, Refusal> {
    let mut controls = Controls::default();
    if let Some(body) = body {
        // Taken first, so that the body's own fields win.
        if let Some(settings) = settings_override(body)? {
            for key in settings.keys().filter(|key| OVERRIDABLE.contains(key)) {
                take_field(&mut controls, key, &settings, model)?;
            }
        }
        for key in body.keys() {
            take_field(&mut controls, key, body, model)?;
            if routing.client_mocks {
                take_mock(&mut controls, key, body)?;
            } else {
                refuse_mock(key, body)?;
            }
        }
        controls.models = choice::read(body, model)?;
    }
    controls.preferences = preferences::read(body, headers)?;
    // Whoever stays with the first means it, unless the request itself names others.
    if controls.preferences.as_ref().is_some_and(|wants| wants.stays) {
        controls.disable_fallbacks |= controls.models.is_none() && controls.fallbacks.is_none();
    }
    take_headers(&mut controls, headers)?;
    drop_doubles(&mut controls.tags);
    Ok(controls)
}

fn settings_override(body: &JsonObject) -> Result<Option<JsonObject>, Refusal> {
    let raw = body.raw("router_settings_override").filter(|raw| *raw != "null");
    let parse = |raw: &str| {
        JsonObject::parse(raw.to_owned().into()).map_err(|_| wrong("router_settings_override", "an object"))
    };
    raw.map(parse).transpose()
}

/// Takes the value at `key` when it controls the router.
fn take_field(controls: &mut Controls, key: &str, body: &JsonObject, model: &str) -> Result<(), Refusal> {
    match key {
        "num_retries" => controls.num_retries = count(body, "num_retries")?,
        "max_fallbacks" => controls.max_fallbacks = count(body, "max_fallbacks")?,
        "disable_fallbacks" => controls.disable_fallbacks = flag(body, "disable_fallbacks")?,
        // By model, beside `models`.
        "timeout" if body.has("models") && body.raw(key).is_some_and(|raw| raw.starts_with('{')) => {}
        "timeout" => controls.timeout = span(body, "timeout")?.or(controls.timeout),
        // LiteLLM's other word for it; `timeout` wins when both are there.
        "request_timeout" => controls.timeout = controls.timeout.or(span(body, "request_timeout")?),
        "stream_timeout" => controls.stream_timeout = span(body, "stream_timeout")?,
        "cooldown_time" => controls.cooldown_time = span_or_zero(body, "cooldown_time")?,
        "fallbacks" => controls.fallbacks = fallbacks::read(body, model)?,
        "context_window_fallbacks" => {
            let names = fallbacks::by_model(body, "context_window_fallbacks", model)?;
            controls.context_window_fallbacks = names.or(controls.context_window_fallbacks.take());
        }
        "context_window_fallback_dict" => {
            let names = fallbacks::by_model(body, "context_window_fallback_dict", model)?;
            controls.context_window_fallbacks = controls.context_window_fallbacks.take().or(names);
        }
        "content_policy_fallbacks" => {
            controls.content_policy_fallbacks = fallbacks::by_model(body, "content_policy_fallbacks", model)?;
        }
        "tags" => controls.tags.extend(tags(body, "tags", "tags")?),
        "metadata" => take_metadata(controls, body)?,
        "allowed_model_region" => controls.region = text(body, "allowed_model_region")?,
        "api_key" | "api_base" | "base_url" => controls.credentials = fallbacks::credentials(body)?,
        _ => {}
    }
    Ok(())
}

/// Takes a canned reply or a failure to be made up.
fn take_mock(controls: &mut Controls, key: &str, body: &JsonObject) -> Result<(), Refusal> {
    if key == "mock_response" {
        controls.mock_response = text(body, "mock_response")?;
    } else if let Some((field, kind)) = mock_switch(key)
        && flag(body, field)?
    {
        controls.mock_failure = Some(kind);
    }
    Ok(())
}

/// A canned reply is ignored where clients may not have one, but a test that silently tests
/// nothing is told so.
fn refuse_mock(key: &str, body: &JsonObject) -> Result<(), Refusal> {
    match mock_switch(key) {
        Some((field, _)) if flag(body, field)? => {
            let message = format!("`{field}` has no effect here: this router does not let clients make up failures.");
            Err(Refusal::bad(field, message))
        }
        Some(_) | None => Ok(()),
    }
}

/// The failure that one of `LiteLLM`'s switches makes up.
fn mock_switch(key: &str) -> Option<(&'static str, FailureKind)> {
    Some(match key {
        "mock_testing_fallbacks" => ("mock_testing_fallbacks", FailureKind::ServerError),
        "mock_testing_context_fallbacks" => ("mock_testing_context_fallbacks", FailureKind::ContextWindow),
        "mock_testing_content_policy_fallbacks" => {
            ("mock_testing_content_policy_fallbacks", FailureKind::ContentPolicy)
        }
        "mock_testing_rate_limit_error" => ("mock_testing_rate_limit_error", FailureKind::RateLimited),
        "mock_timeout" => ("mock_timeout", FailureKind::Timeout),
        _ => return None,
    })
}

fn take_metadata(controls: &mut Controls, body: &JsonObject) -> Result<(), Refusal> {
    let Some(raw) = body.get::<Box<RawValue>>("metadata").map_err(|_| wrong("metadata", "an object"))? else {
        return Ok(());
    };
    let fields = JsonObject::parse(raw.get().to_owned().into()).map_err(|_| wrong("metadata", "an object"))?;
    controls.tags.extend(tags(&fields, "tags", "metadata.tags")?);
    controls.metadata = Some(raw);
    Ok(())
}

/// Takes what headers say, in place of the body's word.
fn take_headers(controls: &mut Controls, headers: &HeaderMap) -> Result<(), Refusal> {
    if sends(headers, "x-litellm-") {
        take_litellm_headers(controls, headers)?;
    }
    // Portkey takes what is no object for an empty one, so it is not an error here either.
    if sends(headers, "x-portkey-")
        && let Some(metadata) =
            headers.get("x-portkey-metadata").and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        && JsonObject::parse(metadata.to_owned().into()).is_ok()
    {
        controls.metadata = RawValue::from_string(metadata.trim().to_owned()).ok();
    }
    controls.metadata = baggage::under(controls.metadata.take(), headers);
    controls.user_agent =
        headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(())
}

fn take_litellm_headers(controls: &mut Controls, headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(retries) = header(headers, "x-litellm-num-retries", |text| text.parse().ok())? {
        controls.num_retries = Some(retries);
    }
    if let Some(timeout) = header(headers, "x-litellm-timeout", seconds_text)? {
        controls.timeout = Some(timeout);
    }
    if let Some(timeout) = header(headers, "x-litellm-stream-timeout", seconds_text)? {
        controls.stream_timeout = Some(timeout);
    }
    if let Some(tags) = headers.get("x-litellm-tags").and_then(|value| value.to_str().ok()) {
        controls.tags.extend(tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned));
    }
    Ok(())
}

/// What `parse` makes of a header's text.
fn header<T>(headers: &HeaderMap, name: &'static str, parse: fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str().ok().and_then(|text| parse(text.trim())) {
        Some(value) => Ok(Some(value)),
        None => Err(Refusal::bad(name, format!("The header `{name}` must be a number that is not negative."))),
    }
}

fn seconds_text(text: &str) -> Option<Duration> {
    seconds(text.parse().ok()?).filter(|span| !span.is_zero())
}

/// `number` of seconds; `None` for negative ones and what is no number.
fn seconds(number: f64) -> Option<Duration> {
    (number >= 0.0).then(|| Duration::try_from_secs_f64(number).unwrap_or(SPAN_MAX).min(SPAN_MAX))
}

/// A number, which some clients write as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Text(String),
}

fn number(body: &JsonObject, field: &'static str, expected: &str) -> Result<Option<f64>, Refusal> {
    match body.get::<Number>(field).map_err(|_| wrong(field, expected))? {
        None => Ok(None),
        Some(Number::Plain(number)) => Ok(Some(number)),
        Some(Number::Text(text)) => text.trim().parse().map(Some).map_err(|_| wrong(field, expected)),
    }
}

/// Seconds, or `None` when the field is null.
fn span_or_zero(body: &JsonObject, field: &'static str) -> Result<Option<Duration>, Refusal> {
    let expected = "a number of seconds that is not negative";
    match number(body, field, expected)? {
        None => Ok(None),
        Some(number) => seconds(number).map(Some).ok_or_else(|| wrong(field, expected)),
    }
}

/// Seconds of which there must be some.
pub(crate) fn span(body: &JsonObject, field: &'static str) -> Result<Option<Duration>, Refusal> {
    match span_or_zero(body, field)? {
        Some(span) if span.is_zero() => Err(wrong(field, "a number of seconds above 0")),
        span => Ok(span),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held against the range just before")]
fn count(body: &JsonObject, field: &'static str) -> Result<Option<u32>, Refusal> {
    let expected = "a whole number that is not negative";
    match number(body, field, expected)? {
        None => Ok(None),
        Some(number) if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) => {
            Ok(Some(number as u32))
        }
        Some(_) => Err(wrong(field, expected)),
    }
}

fn flag(body: &JsonObject, field: &'static str) -> Result<bool, Refusal> {
    body.get(field).map(Option::unwrap_or_default).map_err(|_| wrong(field, "true or false"))
}

fn text(body: &JsonObject, field: &'static str) -> Result<Option<String>, Refusal> {
    body.get(field).map_err(|_| wrong(field, "a string"))
}

fn tags(fields: &JsonObject, key: &str, name: &'static str) -> Result<Vec<String>, Refusal> {
    fields.get(key).map(Option::unwrap_or_default).map_err(|_| wrong(name, "a list of strings"))
}

pub(crate) fn wrong(field: &'static str, expected: &str) -> Refusal {
    Refusal::bad(field, format!("`{field}` must be {expected}."))
}

/// Keeps the first of equal tags.
fn drop_doubles(tags: &mut Vec<String>) {
    let mut at = 0;
    while at < tags.len() {
        if tags[..at].contains(&tags[at]) {
            tags.remove(at);
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use weighbridge_domain::failure::FailureKind;
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::request::Controls;
    use weighbridge_domain::settings::RoutingSettings;

    fn read(body: &str, headers: &[(&str, &str)], client_mocks: bool) -> Result<Controls, String> {
        let body = JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let routing = RoutingSettings { client_mocks, ..RoutingSettings::default() };
        super::read(Some(&body), &headers, "gpt", &routing)
            .map_err(|refusal| format!("{} {}", refusal.status().as_u16(), refusal.param().unwrap_or_default()))
    }

    fn from_body(body: &str) -> Controls {
        read(body, &[], true).unwrap()
    }

    #[test]
    fn bodies_are_read() {
        let controls = from_body(
            r#"{"num_retries":3,"timeout":0.5,"stream_timeout":"2","cooldown_time":0,"max_fallbacks":1,
                "disable_fallbacks":true,"allowed_model_region":"eu","mock_response":"hi",
                "tags":["a","b"],"metadata":{"tags":["b","c"],"user":1},"api_key":"k",
                "context_window_fallback_dict":{"gpt":"long"},"fallbacks":["x"]}"#,
        );
        assert_eq!(controls.num_retries, Some(3));
        assert_eq!(controls.timeout, Some(Duration::from_millis(500)));
        assert_eq!(controls.stream_timeout, Some(Duration::from_secs(2)));
        assert_eq!(controls.cooldown_time, Some(Duration::ZERO));
        assert_eq!(controls.max_fallbacks, Some(1));
        assert!(controls.disable_fallbacks);
        assert_eq!(controls.region.as_deref(), Some("eu"));
        assert_eq!(controls.mock_response.as_deref(), Some("hi"));
        assert_eq!(controls.tags, ["a", "b", "c"]);
        assert_eq!(controls.metadata.unwrap().get(), r#"{"tags":["b","c"],"user":1}"#);
        assert_eq!(controls.credentials.unwrap().api_key.unwrap().reveal(), "k");
        assert_eq!(controls.context_window_fallbacks.unwrap(), ["long"]);
        assert_eq!(controls.fallbacks.unwrap().len(), 1);
        assert_eq!(from_body(r#"{"request_timeout":9,"timeout":4}"#).timeout, Some(Duration::from_secs(4)));
        assert_eq!(from_body(r#"{"timeout":4,"request_timeout":9}"#).timeout, Some(Duration::from_secs(4)));
        assert_eq!(from_body(r#"{"request_timeout":9}"#).timeout, Some(Duration::from_secs(9)));
        assert_eq!(from_body(r#"{"timeout":1e300}"#).timeout, Some(super::SPAN_MAX));
    }

    #[test]
    fn nulls_say_nothing() {
        let controls = from_body(
            r#"{"num_retries":null,"timeout":null,"fallbacks":null,"tags":null,"metadata":null,
                "disable_fallbacks":null,"mock_response":null,"api_key":null}"#,
        );
        assert_eq!(format!("{controls:?}"), format!("{:?}", Controls::default()));
    }

    #[test]
    fn headers_win() {
        let headers = [
            ("x-litellm-num-retries", "5"),
            ("x-litellm-timeout", "0.25"),
            ("x-litellm-stream-timeout", "7"),
            ("x-litellm-tags", "b, c,,"),
            ("x-portkey-metadata", r#"{"user":"u"}"#),
            ("user-agent", "curl/8"),
        ];
        let body = r#"{"num_retries":1,"timeout":9,"tags":["a","b"],"metadata":{"user":"other"}}"#;
        let controls = read(body, &headers, true).unwrap();
        assert_eq!(controls.num_retries, Some(5));
        assert_eq!(controls.timeout, Some(Duration::from_millis(250)));
        assert_eq!(controls.stream_timeout, Some(Duration::from_secs(7)));
        assert_eq!(controls.tags, ["a", "b", "c"]);
        assert_eq!(controls.metadata.unwrap().get(), r#"{"user":"u"}"#);
        assert_eq!(controls.user_agent.as_deref(), Some("curl/8"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, expected) in [
            (r#"{"num_retries":-1}"#, "400 num_retries"),
            (r#"{"num_retries":1.5}"#, "400 num_retries"),
            (r#"{"num_retries":"many"}"#, "400 num_retries"),
            (r#"{"timeout":0}"#, "400 timeout"),
            (r#"{"timeout":"NaN"}"#, "400 timeout"),
            (r#"{"request_timeout":[]}"#, "400 request_timeout"),
            (r#"{"cooldown_time":-3}"#, "400 cooldown_time"),
            (r#"{"disable_fallbacks":1}"#, "400 disable_fallbacks"),
            (r#"{"fallbacks":"a"}"#, "400 fallbacks"),
            (r#"{"tags":"a"}"#, "400 tags"),
            (r#"{"metadata":"a"}"#, "400 metadata"),
            (r#"{"metadata":{"tags":1}}"#, "400 metadata.tags"),
            (r#"{"api_key":1}"#, "400 api_key"),
            (r#"{"mock_response":{}}"#, "400 mock_response"),
        ] {
            assert_eq!(read(body, &[], true).unwrap_err(), expected, "{body}");
        }
        for name in ["x-litellm-num-retries", "x-litellm-timeout", "x-litellm-stream-timeout"] {
            assert_eq!(read("{}", &[(name, "soon")], true).unwrap_err(), format!("400 {name}"));
        }
        assert!(read("{}", &[("x-portkey-metadata", "nonsense")], true).unwrap().metadata.is_none());
    }

    #[test]
    fn failures_are_made_up_where_that_is_allowed() {
        for (field, kind) in [
            ("mock_testing_fallbacks", FailureKind::ServerError),
            ("mock_testing_context_fallbacks", FailureKind::ContextWindow),
            ("mock_testing_content_policy_fallbacks", FailureKind::ContentPolicy),
            ("mock_testing_rate_limit_error", FailureKind::RateLimited),
            ("mock_timeout", FailureKind::Timeout),
        ] {
            let on = format!(r#"{{"{field}":true}}"#);
            let off = format!(r#"{{"{field}":false}}"#);
            assert_eq!(read(&on, &[], true).unwrap().mock_failure, Some(kind));
            assert_eq!(read(&off, &[], true).unwrap().mock_failure, None);
            assert_eq!(read(&on, &[], false).unwrap_err(), format!("400 {field}"));
            assert_eq!(read(&off, &[], false).unwrap().mock_failure, None);
        }
        assert_eq!(read(r#"{"mock_response":"hi"}"#, &[], false).unwrap().mock_response, None);
    }
}

//! A request as the bytes a provider wants.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use weighbridge_domain::deployment::{Auth, Deployment, Paths};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::plan::StopOptions;
use weighbridge_domain::request::{CONTROL_FIELDS, Operation, Payload, quoted};
use weighbridge_domain::secret::Secret;

/// One call: what is sent, to whom, and what differs from the client's words.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Whom to call.
    pub deployment: &'a Deployment,
    /// The model's name there.
    pub model: &'a str,
    /// What is to be done.
    pub operation: Operation,
    /// The client's words.
    pub payload: &'a Payload,
    /// Whether the reply should be a stream.
    pub stream: bool,
    /// What the stop sets otherwise.
    pub options: &'a StopOptions,
    /// Travels along, so that both sides' logs can be matched.
    pub request_id: &'a str,
}

/// `OpenRouter` has fields of its own under names that steer this router elsewhere.
const OPENROUTER_FIELDS: &[&str] = &["models", "route", "provider", "session_id", "plugins", "transforms"];

/// The HTTP request for `outgoing`. Nothing of the client's headers is in it; the body is the
/// client's but for the model's name, the router's own fields, and what configuration sets.
///
/// # Errors
/// `BadRequest` when the deployment's URL or a header cannot be sent, which configuration rules out
/// except for bases that clients bring.
pub fn encode(outgoing: &Outgoing<'_>) -> Result<http::Request<Bytes>, Failure> {
    let (body, content_type) = match outgoing.payload {
        Payload::Json(object) => (json_body(outgoing, object), HeaderValue::from_static("application/json")),
        Payload::Form(form) => (form.with_model(outgoing.model), header_value(&form.content_type)?),
    };
    let mut request = http::Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url(outgoing)?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::ACCEPT, HeaderValue::from_static(if outgoing.stream { "text/event-stream" } else { "*/*" }));
    headers.insert(HeaderName::from_static("x-request-id"), header_value(outgoing.request_id)?);
    for (name, value) in &outgoing.deployment.endpoint.headers {
        headers.insert(header_name(name)?, secret_value(value)?);
    }
    if let Some((name, value)) = credential(outgoing)? {
        headers.insert(name, value);
    }
    Ok(request)
}

/// The client's object with everything set, filled in and dropped.
fn json_body(outgoing: &Outgoing<'_>, object: &JsonObject) -> Bytes {
    let deployment = outgoing.deployment;
    let mut set: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(4);
    let is_same_model = object.text("model").is_some_and(|model| model == outgoing.model);
    // Azure takes the model from the path; its name in the body is ignored there.
    if !is_same_model {
        set.push(("model", quoted(outgoing.model)));
    }
    for (key, value) in &outgoing.options.overrides {
        set.push((key, Cow::Borrowed(value.get())));
    }
    for (key, value) in &deployment.body_defaults {
        if !object.has(key) && !set.iter().any(|(name, _)| name == key) {
            set.push((key, Cow::Borrowed(value.get())));
        }
    }
    if outgoing.stream && outgoing.operation.may_stream() && deployment.endpoint.stream_usage {
        set.push(("stream_options", with_usage(object.raw("stream_options"))));
    }
    let is_openrouter = deployment.endpoint.provider.as_str() == "openrouter";
    object.rewrite(&set, |key| {
        let is_control = CONTROL_FIELDS.contains(&key) && !(is_openrouter && OPENROUTER_FIELDS.contains(&key));
        is_control || deployment.body_drops.iter().any(|drop| drop == key)
    })
}

/// `stream_options` with usage asked for, its other members kept.
fn with_usage(options: Option<&str>) -> Cow<'static, str> {
    let ask = Cow::Borrowed(r#"{"include_usage":true}"#);
    let Some(options) = options.filter(|raw| *raw != "null") else { return ask };
    let Ok(object) = JsonObject::parse(Bytes::copy_from_slice(options.as_bytes())) else { return ask };
    let asked = object.rewrite(&[("include_usage", Cow::Borrowed("true"))], |_| false);
    String::from_utf8(asked.into()).map_or(ask, Cow::Owned)
}

fn url(outgoing: &Outgoing<'_>) -> Result<Uri, Failure> {
    let endpoint = &outgoing.deployment.endpoint;
    let own = outgoing.options.credentials.as_ref().and_then(|credentials| credentials.api_base.as_deref());
    let base = own.unwrap_or(&endpoint.base_url).trim_end_matches('/');
    let path = outgoing.operation.path();
    let url = match &endpoint.paths {
        Paths::OpenAi => format!("{base}{path}"),
        Paths::AzureDeployment { api_version } => {
            let model = escaped(outgoing.model);
            format!("{base}/openai/deployments/{model}{path}?api-version={}", escaped(api_version))
        }
        Paths::AzureV1 { api_version: None } => format!("{base}/openai/v1{path}"),
        Paths::AzureV1 { api_version: Some(version) } => {
            format!("{base}/openai/v1{path}?api-version={}", escaped(version))
        }
    };
    let is_http = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
    match url.parse::<Uri>() {
        Ok(uri) if is_http(&uri) => Ok(uri),
        _ => Err(Failure::new(FailureKind::BadRequest, "the provider's base URL is not an http(s) URL")),
    }
}

/// `text` as one segment of a path or one value of a query.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':');
    if text.bytes().all(is_safe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if is_safe(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(out)
}

/// The header that proves who is calling: the client's own key where one was brought.
fn credential(outgoing: &Outgoing<'_>) -> Result<Option<(HeaderName, HeaderValue)>, Failure> {
    let auth = &outgoing.deployment.endpoint.auth;
    let own = outgoing.options.credentials.as_ref();
    let own_key = own.and_then(|credentials| credentials.api_key.as_ref());
    // A base that a client brought must never see the deployment's key.
    if own_key.is_none() && own.is_some_and(|credentials| credentials.api_base.is_some()) {
        return Ok(None);
    }
    match auth {
        Auth::Header { name, secret } => Ok(Some((header_name(name)?, secret_value(own_key.unwrap_or(secret))?))),
        Auth::Bearer(secret) => Ok(Some((header::AUTHORIZATION, bearer(own_key.unwrap_or(secret))?))),
        Auth::None => match own_key {
            Some(key) => Ok(Some((header::AUTHORIZATION, bearer(key)?))),
            None => Ok(None),
        },
    }
}

fn bearer(secret: &Secret) -> Result<HeaderValue, Failure> {
    sensitive(&format!("Bearer {}", secret.reveal()))
}

fn secret_value(secret: &Secret) -> Result<HeaderValue, Failure> {
    sensitive(secret.reveal())
}

/// A header value that no log prints.
fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = header_value(text)?;
    value.set_sensitive(true);
    Ok(value)
}

fn header_value(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|_| {
        Failure::new(FailureKind::BadRequest, "a header for the provider holds characters it must not hold")
    })
}

fn header_name(text: &str) -> Result<HeaderName, Failure> {
    HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| Failure::new(FailureKind::BadRequest, "a header for the provider has a name it must not have"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weighbridge_domain::deployment::{Auth, Deployment, Endpoint, ModelTemplate, Paths};
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::plan::{Credentials, StopOptions};
    use weighbridge_domain::request::{Operation, Payload};
    use weighbridge_domain::secret::Secret;

    use super::{Outgoing, encode};

    fn deployment(provider: &str, paths: Paths, auth: Auth) -> Deployment {
        let headers = vec![("x-extra".to_owned(), Secret::new("e"))];
        let endpoint = Endpoint { paths, auth, headers, ..Endpoint::new(provider, "http://host/v1") };
        Deployment::new("d", "g", ModelTemplate::new("up"), endpoint)
    }

    fn send(deployment: &Deployment, body: &str, stream: bool, options: &StopOptions) -> http::Request<Bytes> {
        let payload = Payload::Json(JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap());
        let operation = Operation::Chat;
        encode(&Outgoing { deployment, model: "up", operation, payload: &payload, stream, options, request_id: "r" })
            .unwrap()
    }

    fn bearer() -> Auth {
        Auth::Bearer(Secret::new("sk-own"))
    }

    #[test]
    fn paths_follow_the_provider() {
        let azure = |version: &str| Paths::AzureDeployment { api_version: version.to_owned() };
        let rows = [
            (Paths::OpenAi, "http://host/v1/chat/completions"),
            (azure("2024-10-21"), "http://host/v1/openai/deployments/up/chat/completions?api-version=2024-10-21"),
            (Paths::AzureV1 { api_version: None }, "http://host/v1/openai/v1/chat/completions"),
            (
                Paths::AzureV1 { api_version: Some("preview".to_owned()) },
                "http://host/v1/openai/v1/chat/completions?api-version=preview",
            ),
        ];
        for (paths, url) in rows {
            let sent = send(&deployment("azure", paths, Auth::None), "{}", false, &StopOptions::default());
            assert_eq!(sent.uri().to_string(), url);
        }
    }

    #[test]
    fn bodies_lose_our_fields_and_nothing_else() {
        let mut plain = deployment("openai", Paths::OpenAi, bearer());
        plain.body_defaults = vec![("temperature".to_owned(), serde_json::value::to_raw_value(&0.5).unwrap())];
        plain.body_drops = vec!["seed".to_owned()];
        let rows = [
            (r#"{"model":"g","new_field":[1, 2]}"#, false, r#"{"new_field":[1, 2],"model":"up","temperature":0.5}"#),
            (r#"{"model":"up","temperature":1}"#, false, r#"{"model":"up","temperature":1}"#),
            (
                r#"{"model":"up","temperature":1,"fallbacks":["x"],"num_retries":1,"seed":3}"#,
                false,
                r#"{"model":"up","temperature":1}"#,
            ),
            (
                r#"{"model":"up","temperature":1,"stream":true}"#,
                true,
                r#"{"model":"up","temperature":1,"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"model":"up","temperature":1,"stream_options":{"x":1,"include_usage":false}}"#,
                true,
                r#"{"model":"up","temperature":1,"stream_options":{"x":1,"include_usage":true}}"#,
            ),
        ];
        for (body, stream, sent) in rows {
            assert_eq!(send(&plain, body, stream, &StopOptions::default()).body(), sent, "{body}");
        }
        let body = r#"{"model":"up","models":["a"],"provider":{},"num_retries":1}"#;
        let openrouter = deployment("openrouter", Paths::OpenAi, bearer());
        assert_eq!(
            send(&openrouter, body, false, &StopOptions::default()).body(),
            r#"{"model":"up","models":["a"],"provider":{}}"#
        );
    }

    #[test]
    fn a_key_goes_only_where_it_belongs() {
        let seen = |auth: Auth, credentials: Option<Credentials>| {
            let options = StopOptions { credentials, ..StopOptions::default() };
            let sent = send(&deployment("openai", Paths::OpenAi, auth), "{}", false, &options);
            assert!(sent.headers().get("authorization").is_none_or(http::HeaderValue::is_sensitive));
            let header = |name: &str| sent.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
            format!("{} {} {}", sent.uri().authority().unwrap(), header("authorization"), header("api-key"))
        };
        let own = |key: Option<&str>, base: Option<&str>| {
            Some(Credentials { api_key: key.map(Secret::new), api_base: base.map(str::to_owned) })
        };
        let azure = || Auth::Header { name: "api-key".to_owned(), secret: Secret::new("az") };
        assert_eq!(seen(bearer(), None), "host Bearer sk-own -");
        assert_eq!(seen(azure(), None), "host - az");
        assert_eq!(seen(azure(), own(Some("theirs"), None)), "host - theirs");
        assert_eq!(seen(bearer(), own(Some("theirs"), Some("http://other"))), "other Bearer theirs -");
        // Our key never travels to a base that a client named.
        assert_eq!(seen(bearer(), own(None, Some("http://other"))), "other - -");
        assert_eq!(seen(Auth::None, own(Some("theirs"), None)), "host Bearer theirs -");
    }
}

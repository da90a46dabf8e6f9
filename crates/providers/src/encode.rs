//! A request as the bytes a provider wants.

mod body;
mod drops;
mod headers;
mod prepared;
mod translated;
mod url;

use std::borrow::Cow;

use bytes::Bytes;
use http::Method;
use weighbridge_domain::deployment::{Auth, Deployment};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::plan::StopOptions;
use weighbridge_domain::request::{Operation, Payload};
use weighbridge_wire::embeddings::Embed;
use weighbridge_wire::exchange::{Exchange, holds_foreign_thoughts};
use weighbridge_wire::format::Format;
use weighbridge_wire::losses::Losses;

use self::prepared::Heads;

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
    /// The client's headers, of which the stop may send some on.
    pub headers: &'a [(String, String)],
    /// Those of them that belong to the format it writes in.
    pub format_headers: &'a [(String, String)],
    /// Travels along, so that both sides' logs can be matched.
    pub request_id: &'a str,
}

impl<'a> Outgoing<'a> {
    /// What proves who is calling: the client's own key where one was brought.
    pub fn auth(&self) -> Cow<'a, Auth> {
        let auth = &self.deployment.endpoint.auth;
        let Some(own) = self.options.credentials.as_ref() else { return Cow::Borrowed(auth) };
        match &own.api_key {
            Some(key) => Cow::Owned(match auth {
                Auth::Header { name, .. } => Auth::Header { name: name.clone(), secret: key.clone() },
                Auth::Query { name, .. } => Auth::Query { name: name.clone(), secret: key.clone() },
                Auth::None | Auth::Bearer(_) | Auth::Aws(_) | Auth::Google(_) | Auth::Entra(_) => {
                    Auth::Bearer(key.clone())
                }
            }),
            // A base that a client brought must never see the deployment's key.
            None if own.api_base.is_some() => Cow::Owned(Auth::None),
            None => Cow::Borrowed(auth),
        }
    }
}

/// A request ready to be sent.
#[derive(Debug)]
pub struct Encoded {
    /// The request.
    pub request: http::Request<Bytes>,
    /// What the client asked for and the deployment's format cannot say.
    pub losses: Losses,
    /// What is to be embedded, where the reply will have to be translated; else nothing.
    pub embed: Embed,
}

/// The HTTP request for `outgoing`. Nothing of the client's headers is in it but what the stop sends on; the body is the
/// client's but for the model's name, the router's own fields, and what configuration sets and drops, in the deployment's words. Signatures and
/// fetched tokens are not in it: [`crate::credentials::Credentials::authorize`] adds them.
///
/// # Errors
/// `BadRequest` when the deployment's URL or a header cannot be sent, which configuration rules out
/// except for bases that clients bring; when the client's body cannot be read, where it has to be; when the deployment is to
/// refuse what its format cannot say.
pub fn encode(outgoing: &Outgoing<'_>, exchange: Exchange) -> Result<Encoded, Failure> {
    let mut embed = Embed::default();
    let (body, losses) = match (outgoing.payload, exchange) {
        (Payload::Form(form), _) => (form.with_model(outgoing.model), Losses::default()),
        (Payload::Json(object), Exchange::Same(format)) if must_be_cleaned(outgoing, object, format) => {
            translated::chat(outgoing, object, format, format)?
        }
        (Payload::Json(object), Exchange::Same(format)) => {
            let body = body::json(outgoing, object, format);
            (translated::as_addressed(outgoing, format, body), Losses::default())
        }
        (Payload::Json(object), Exchange::Other | Exchange::Compatible) => {
            (body::json(outgoing, object, Format::OpenAi), Losses::default())
        }
        (Payload::Json(object), Exchange::Chat { client, provider }) => {
            translated::chat(outgoing, object, client, provider)?
        }
        (Payload::Json(object), Exchange::Embeddings(provider)) => {
            embed = translated::embed(outgoing, object)?;
            translated::embeddings(outgoing, &embed, provider)?
        }
    };
    if outgoing.deployment.refuses_losses
        && let Some(loss) = losses.iter().next()
    {
        let message = format!("{loss}; leave it out, or set drop_params: true for this deployment");
        return Err(Failure::new(FailureKind::BadRequest, message));
    }
    let head = Heads::of(outgoing, exchange)?;
    let mut request = http::Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = head.url.clone();
    *request.headers_mut() = headers::all(outgoing, exchange, &head.headers)?;
    Ok(Encoded { request, losses, embed })
}

/// Whether the client repeats thoughts that its provider would refuse. Compatible servers may be what they came from.
fn must_be_cleaned(outgoing: &Outgoing<'_>, object: &JsonObject, format: Format) -> bool {
    let provider = outgoing.deployment.endpoint.provider.as_str();
    let is_strict = format != Format::OpenAi || matches!(provider, "openai" | "azure");
    is_strict && holds_foreign_thoughts(format, object.bytes())
}

/// What `outgoing` is written in at the deployment.
fn format(exchange: Exchange) -> Format {
    match exchange {
        Exchange::Same(format) | Exchange::Chat { provider: format, .. } | Exchange::Embeddings(format) => format,
        Exchange::Other | Exchange::Compatible => Format::OpenAi,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use weighbridge_domain::credential::GoogleCredential;
    use weighbridge_domain::deployment::{Auth, Deployment, Endpoint, ModelTemplate, Paths};
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::plan::{Credentials, StopOptions};
    use weighbridge_domain::request::{Operation, Payload};
    use weighbridge_domain::secret::Secret;

    use weighbridge_wire::exchange::Exchange;
    use weighbridge_wire::format::Format;

    use super::{Outgoing, encode};

    fn deployment(provider: &str, paths: Paths, auth: Auth) -> Deployment {
        let headers = vec![("x-extra".to_owned(), Secret::new("e"))];
        let endpoint = Endpoint { paths, auth, headers, ..Endpoint::new(provider, "http://host/v1") };
        Deployment::new("d", "g", ModelTemplate::new("up"), endpoint)
    }

    fn send(deployment: &Deployment, body: &str, stream: bool, options: &StopOptions) -> http::Request<Bytes> {
        let payload = Payload::Json(JsonObject::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap());
        let operation = Operation::Chat;
        let outgoing = Outgoing {
            deployment,
            model: "up",
            operation,
            payload: &payload,
            stream,
            options,
            headers: &[],
            format_headers: &[],
            request_id: "r",
        };
        encode(&outgoing, Exchange::Same(Format::OpenAi)).unwrap().request
    }

    fn bearer() -> Auth {
        Auth::Bearer(Secret::new("sk-own"))
    }

    #[test]
    fn paths_follow_the_provider() {
        let azure = |version: &str| Paths::AzureDeployment { api_version: version.to_owned() };
        let rows = [
            (Paths::Plain, "http://host/v1/chat/completions"),
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
        let mut plain = deployment("openai", Paths::Plain, bearer());
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
        let openrouter = deployment("openrouter", Paths::Plain, bearer());
        assert_eq!(
            send(&openrouter, body, false, &StopOptions::default()).body(),
            r#"{"model":"up","models":["a"],"provider":{}}"#
        );
    }

    #[test]
    fn thoughts_of_another_provider_do_not_reach_one_that_refuses_them() {
        let body = concat!(
            r#"{"model":"up","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho","#,
            r#""reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"EqQB"}]},"#,
            r#"{"role":"user","content":"so"}],"stream":true,"stream_options":{"include_usage":true}}"#
        );
        let cleaned = concat!(
            r#"{"model":"up","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"},"#,
            r#"{"role":"user","content":"so"}],"stream":true,"stream_options":{"include_usage":true}}"#
        );
        for (provider, expected) in [("openai", cleaned), ("deepseek", body)] {
            let sent = send(&deployment(provider, Paths::Plain, bearer()), body, true, &StopOptions::default());
            assert_eq!(sent.body(), expected, "{provider}");
        }
    }

    #[test]
    fn a_key_goes_only_where_it_belongs() {
        let seen = |auth: Auth, credentials: Option<Credentials>| {
            let options = StopOptions { credentials, ..StopOptions::default() };
            let sent = send(&deployment("openai", Paths::Plain, auth), "{}", false, &options);
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
        let tokens = || Auth::Google(Arc::new(GoogleCredential::Metadata("m".to_owned())));
        assert_eq!(seen(tokens(), None), "host - -");
        assert_eq!(seen(tokens(), own(Some("theirs"), None)), "host Bearer theirs -");
    }

    #[test]
    fn a_key_may_stand_in_the_query() {
        let key = |secret: &str| Auth::Query { name: "key".to_owned(), secret: Secret::new(secret) };
        let own = |api_key: Option<&str>, api_base: Option<&str>| {
            Some(Credentials { api_key: api_key.map(Secret::new), api_base: api_base.map(str::to_owned) })
        };
        let azure = || Paths::AzureDeployment { api_version: "1".to_owned() };
        let rows = [
            (Paths::Plain, None, "http://host/v1/chat/completions?key=a%2Fb"),
            (azure(), None, "http://host/v1/openai/deployments/up/chat/completions?api-version=1&key=a%2Fb"),
            (Paths::Plain, own(Some("t"), None), "http://host/v1/chat/completions?key=t"),
            (Paths::Plain, own(None, Some("http://other")), "http://other/chat/completions"),
        ];
        for (paths, credentials, url) in rows {
            let options = StopOptions { credentials, ..StopOptions::default() };
            let sent = send(&deployment("p", paths, key("a/b")), "{}", false, &options);
            assert_eq!(sent.uri().to_string(), url);
        }
    }

    #[test]
    fn nobody_signs_for_a_key_or_a_host_that_a_client_brought() {
        let deployment = deployment("p", Paths::Plain, Auth::Google(Arc::new(GoogleCredential::Metadata("m".into()))));
        let auth = |credentials: Option<Credentials>| {
            let options = StopOptions { credentials, ..StopOptions::default() };
            let payload = Payload::Json(JsonObject::parse(Bytes::from_static(b"{}")).unwrap());
            let outgoing = Outgoing {
                deployment: &deployment,
                model: "up",
                operation: Operation::Chat,
                payload: &payload,
                stream: false,
                options: &options,
                headers: &[],
                format_headers: &[],
                request_id: "r",
            };
            outgoing.auth().into_owned()
        };
        let key = Some(Secret::new("t"));
        assert_eq!(auth(None), deployment.endpoint.auth);
        assert_eq!(auth(Some(Credentials { api_key: key, api_base: None })), Auth::Bearer(Secret::new("t")));
        assert_eq!(auth(Some(Credentials { api_key: None, api_base: Some("http://o".into()) })), Auth::None);
    }
}

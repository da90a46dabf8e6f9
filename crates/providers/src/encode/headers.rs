//! The headers a provider gets: ours, the operator's, and those of the client that are to be sent on.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use weighbridge_domain::deployment::{Auth, Paths};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::request::Payload;
use weighbridge_domain::secret::Secret;
use weighbridge_wire::exchange::Exchange;
use weighbridge_wire::format::Format;

use super::Outgoing;

/// What belongs to a connection or to how a body travels, and so is never the client's to say. `proxy-…` too.
const OURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Without it Anthropic refuses a request.
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Where clients and providers carry keys.
const CREDENTIALS: &[&str] = &["api-key", "authorization", "x-amz-security-token", "x-api-key", "x-goog-api-key"];

/// The headers of the request for `outgoing`: what it has in `common` with others, and what is its own.
///
/// # Errors
/// `BadRequest` when one of ours or of the operator's cannot be sent.
pub(super) fn all(outgoing: &Outgoing<'_>, exchange: Exchange, common: &HeaderMap) -> Result<HeaderMap, Failure> {
    let mut headers = common.clone();
    let is_operators = |name: &HeaderName| {
        outgoing.deployment.endpoint.headers.iter().any(|(known, _)| name.as_str().eq_ignore_ascii_case(known))
    };
    if !is_operators(&REQUEST_ID) {
        headers.insert(REQUEST_ID, header_value(outgoing.request_id)?);
    }
    // One that is sent on takes the place of ours, and the operator's take the place of both.
    if exchange == Exchange::Same(super::format(exchange)) {
        for (name, value) in outgoing.format_headers {
            let (name, value) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
            if let (Ok(name), Ok(value)) = (name, value)
                && !is_operators(&name)
            {
                headers.insert(name, value);
            }
        }
    }
    let mut forwarded = forwarded(outgoing);
    for name in outgoing.options.forward_headers.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
    {
        if is_operators(&name) {
            forwarded.remove(name);
        }
    }
    headers.extend(forwarded);
    Ok(headers)
}

/// What the headers of all requests like `outgoing` have in common.
///
/// # Errors
/// `BadRequest` when one of ours or of the operator's cannot be sent.
pub(super) fn common(outgoing: &Outgoing<'_>, exchange: Exchange) -> Result<HeaderMap, Failure> {
    let content_type = match outgoing.payload {
        Payload::Json(_) => HeaderValue::from_static("application/json"),
        Payload::Form(form) => header_value(&form.content_type)?,
    };
    // Room for what is added to each.
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::ACCEPT, HeaderValue::from_static(if outgoing.stream { "text/event-stream" } else { "*/*" }));
    // Its place: each request has its own.
    headers.insert(REQUEST_ID, HeaderValue::from_static(""));
    if super::format(exchange) == Format::Anthropic && outgoing.deployment.endpoint.paths == Paths::Plain {
        headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
    }
    for (name, value) in &outgoing.deployment.endpoint.headers {
        headers.insert(header_name(name)?, secret_value(value)?);
    }
    if let Some((name, value)) = credential(outgoing, exchange)? {
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Those of the client's headers that the stop sends on. One that cannot be sent is left out.
fn forwarded(outgoing: &Outgoing<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let wanted = &outgoing.options.forward_headers;
    if wanted.is_empty() {
        return headers;
    }
    for (name, value) in outgoing.headers {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        if !wanted.iter().any(|wanted| wanted == name.as_str()) || !may_forward(name.as_str(), outgoing) {
            continue;
        }
        if let Ok(mut value) = HeaderValue::from_bytes(value.as_bytes()) {
            value.set_sensitive(true);
            headers.append(name, value);
        }
    }
    headers
}

/// Whether the client's header `name`, in lower case, may reach a provider at all.
fn may_forward(name: &str, outgoing: &Outgoing<'_>) -> bool {
    // Two keys in one request would leave it to the provider whose it is.
    let has_key = outgoing.deployment.endpoint.auth != Auth::None || *outgoing.auth() != Auth::None;
    let is_settled = has_key && CREDENTIALS.contains(&name);
    !is_settled && !OURS.contains(&name) && !name.starts_with("proxy-") && !name.starts_with("x-portkey-")
}

/// The header that proves who is calling, where it is known already.
fn credential(outgoing: &Outgoing<'_>, exchange: Exchange) -> Result<Option<(HeaderName, HeaderValue)>, Failure> {
    match outgoing.auth().as_ref() {
        // OpenAI-compatible APIs take keys as OpenAI does.
        Auth::Header { secret, .. } if exchange == Exchange::Compatible => {
            Ok(Some((header::AUTHORIZATION, bearer(secret)?)))
        }
        Auth::Header { name, secret } => Ok(Some((header_name(name)?, secret_value(secret)?))),
        Auth::Bearer(secret) => Ok(Some((header::AUTHORIZATION, bearer(secret)?))),
        Auth::None | Auth::Query { .. } | Auth::Aws(_) | Auth::Google(_) | Auth::Entra(_) => Ok(None),
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
    use weighbridge_domain::deployment::{Auth, Deployment, Endpoint, ModelTemplate};
    use weighbridge_domain::json::JsonObject;
    use weighbridge_domain::plan::{Credentials, StopOptions};
    use weighbridge_domain::request::{Operation, Payload};
    use weighbridge_domain::secret::Secret;

    use super::{CREDENTIALS, Exchange, Format, OURS, Outgoing, all, common};

    /// What a provider with `auth` gets when `forward` is sent on of what the client `sent`, a line a header; `content-type`,
    /// `accept` and `x-request-id` only where they are not ours.
    fn got(auth: Auth, credentials: Option<Credentials>, forward: &[&str], sent: &[(&str, &str)]) -> String {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let endpoint = Endpoint {
            auth,
            headers: vec![("x-team".to_owned(), Secret::new("operators"))],
            ..Endpoint::new("openai", "http://host/v1")
        };
        let forward_headers = forward.iter().map(|name| (*name).to_owned()).collect();
        let outgoing = Outgoing {
            deployment: &Deployment::new("d", "g", ModelTemplate::new("up"), endpoint),
            model: "up",
            operation: Operation::Chat,
            payload: &Payload::Json(JsonObject::parse(Bytes::from_static(b"{}")).unwrap()),
            stream: false,
            options: &StopOptions { forward_headers, credentials, ..StopOptions::default() },
            headers: &sent.iter().map(owned).collect::<Vec<_>>(),
            format_headers: &[],
            request_id: "r",
        };
        let exchange = Exchange::Same(Format::OpenAi);
        let headers = all(&outgoing, exchange, &common(&outgoing, exchange).unwrap()).unwrap();
        let is_ours =
            |line: &String| ["content-type: application/json", "accept: */*", "x-request-id: r"].contains(&&**line);
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
        };
        let mut lines: Vec<String> = headers.iter().map(line).filter(|line| !is_ours(line)).collect();
        lines.sort();
        lines.join("\n")
    }

    #[test]
    fn only_what_is_named_is_sent_on() {
        let sent =
            [("X-Tenant", "a"), ("x-tenant", "b"), ("x-other", "c"), ("accept", "text/plain"), ("x-bad", "a\nb")];
        assert_eq!(got(Auth::None, None, &[], &sent), "x-team: operators");
        assert_eq!(
            got(Auth::None, None, &["x-tenant", "accept", "x-bad", "x-missing"], &sent),
            "accept: text/plain\nx-team: operators\nx-tenant: a\nx-tenant: b"
        );
        assert_eq!(got(Auth::None, None, &["x-name"], &[("x-name", "né")]), "x-name: né\nx-team: operators");
    }

    #[test]
    fn what_frames_a_message_or_steers_a_router_is_not_sent_on() {
        let never =
            OURS.iter().chain(&["proxy-authorization", "proxy-connection", "x-portkey-api-key", "x-portkey-config"]);
        for name in never.copied() {
            assert_eq!(got(Auth::None, None, &[name], &[(name, "x")]), "x-team: operators", "{name}");
        }
    }

    #[test]
    fn the_operators_headers_win() {
        assert_eq!(got(Auth::None, None, &["x-team"], &[("x-team", "mine")]), "x-team: operators");
        let auths =
            || [Auth::Bearer(Secret::new("own")), Auth::Header { name: "api-key".into(), secret: Secret::new("own") }];
        for name in CREDENTIALS {
            let lines = got(Auth::None, None, &[name], &[(name, "theirs")]);
            assert_eq!(lines, format!("{name}: theirs\nx-team: operators"));
            for auth in auths() {
                let lines = got(auth, None, &[name], &[(name, "theirs")]);
                assert!(lines.contains("own") && !lines.contains("theirs"), "{lines}");
            }
        }
        let brought = Credentials { api_key: Some(Secret::new("brought")), api_base: None };
        let lines = got(Auth::None, Some(brought), &["authorization"], &[("authorization", "theirs")]);
        assert_eq!(lines, "authorization: Bearer brought\nx-team: operators");
    }
}

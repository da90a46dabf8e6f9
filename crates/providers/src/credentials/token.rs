//! The exchange that all token endpoints know: a form or a question for a token and the time it holds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http::{HeaderValue, Method, header};
use serde::Deserialize;
use weighbridge_domain::failure::Failure;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::time::Timestamp;

use super::kept::Lease;
use crate::transport::{Reach, Transport};

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const LONGEST: usize = 64 << 10;
/// How long a token holds whose endpoint does not say.
const UNSAID: u64 = 300;

/// A form to be posted to `url`.
pub(super) fn form(url: &str, fields: &[(&str, &str)]) -> Option<http::Request<Bytes>> {
    let mut body = String::new();
    for (name, value) in fields {
        if !body.is_empty() {
            body.push('&');
        }
        body.push_str(&format!("{name}={}", escaped(value)));
    }
    let mut request = request(Method::POST, url, body.into())?;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    Some(request)
}

/// A request without a body, or with one; `None` when `url` is none.
pub(super) fn request(method: Method, url: &str, body: Bytes) -> Option<http::Request<Bytes>> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().ok()?;
    let is_http = matches!(request.uri().scheme_str(), Some("http" | "https")) && request.uri().host().is_some();
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    is_http.then_some(request)
}

/// Asks for a token. What went wrong is told in a few words that hold no secret.
pub(super) async fn ask(
    transport: &dyn Transport,
    request: http::Request<Bytes>,
    now: Timestamp,
) -> Result<Lease<Secret>, String> {
    let answer = async {
        let response = transport.send(request, Reach::Configured).await.map_err(|failure| plain(&failure))?;
        let status = response.status();
        let body = read(response.into_body()).await?;
        Ok::<_, String>((status, body))
    };
    let (status, body) =
        tokio::time::timeout(PATIENCE, answer).await.map_err(|_| "the token endpoint does not answer".to_owned())??;
    if !status.is_success() {
        return Err(format!("the token endpoint answers {}{}", status.as_u16(), codes(&body)));
    }
    let granted: Granted =
        serde_json::from_slice(&body).map_err(|_| "the token endpoint answers with no token".to_owned())?;
    let holds = granted.expires_in.as_ref().and_then(seconds).unwrap_or(UNSAID);
    let until = now + Duration::from_secs(holds);
    Ok(Lease { value: Secret::new(granted.access_token), from: now, until })
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<serde_json::Value>,
}

/// Some endpoints write the number as a text.
fn seconds(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[derive(Deserialize)]
struct Refused {
    error: Option<String>,
    error_description: Option<String>,
}

/// The endpoint's own code of an error, and Entra's number of it. The rest of its words may repeat what was sent.
fn codes(body: &[u8]) -> String {
    let Ok(refused) = serde_json::from_slice::<Refused>(body) else { return String::new() };
    let is_code = |text: &&str| {
        (1..=48).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    let number = refused.error_description.as_deref().and_then(|text| text.split(':').next());
    let number = number.filter(|text| text.starts_with("AADSTS"));
    let codes: Vec<&str> = [refused.error.as_deref(), number].into_iter().flatten().filter(is_code).collect();
    if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) }
}

/// A failure of the transport, which speaks of providers.
fn plain(failure: &Failure) -> String {
    failure.message.replace("the provider", "the token endpoint")
}

/// The whole of a short body.
pub(super) async fn read(mut body: crate::transport::BodyStream) -> Result<Bytes, String> {
    let mut whole = BytesMut::new();
    while let Some(part) = body.try_next().await.map_err(|failure| plain(&failure))? {
        if whole.len() + part.len() > LONGEST {
            return Err("the token endpoint's answer is too long".to_owned());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

/// `text` as a value of a form.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{codes, form};

    #[test]
    fn codes_are_told_and_nothing_else() {
        let rows = [
            (r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#, " (invalid_grant)"),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret sk-1"}"#,
                " (invalid_client, AADSTS7000215)",
            ),
            (r#"{"error":"the secret sk-1 is wrong"}"#, ""),
            (r#"{"error":{"code":1}}"#, ""),
            ("<html>", ""),
        ];
        for (body, told) in rows {
            assert_eq!(codes(body.as_bytes()), told, "{body}");
        }
    }

    #[test]
    fn forms_are_escaped() {
        let sent = form("https://host/token", &[("a", "b c&d"), ("e", "~f")]).unwrap();
        assert_eq!(sent.body(), "a=b%20c%26d&e=~f");
        for url in ["", "host/token", "ftp://host/", "https://", "https://a b/"] {
            assert!(form(url, &[]).is_none(), "{url}");
        }
    }
}

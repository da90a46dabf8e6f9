//! Signatures of AWS (version 4), verified from the request as it came.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use crate::script::AwsKey;

/// How far the signer's clock may be off.
const SKEW: Duration = Duration::from_secs(15 * 60);
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const BLOCK: usize = 64;

/// AWS's name for what is wrong, and its words.
type Wrong = (&'static str, String);

/// Refuses a request that is not signed with `key`. `now` is the time since 1970.
pub(crate) fn verify(key: &AwsKey, parts: &Parts, body: &[u8], now: Duration) -> Result<(), Wrong> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let missing = |message: &str| ("MissingAuthenticationTokenException", message.to_owned());
    let authorization = header("authorization").ok_or_else(|| missing("Missing Authentication Token"))?;
    let claim = Claim::read(authorization)?;
    let unknown =
        || ("UnrecognizedClientException", "The security token included in the request is invalid.".to_owned());
    if claim.access_key_id != key.access_key_id || header("x-amz-security-token") != key.session_token.as_deref() {
        return Err(unknown());
    }
    let date = header("x-amz-date").ok_or_else(|| {
        incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    })?;
    check_date(date, now)?;
    claim.check_scope(date)?;
    check_signed_headers(&claim, parts)?;
    let payload = hex(&Sha256::digest(body));
    if let Some(said) = header("x-amz-content-sha256")
        && said != payload
    {
        return Err(invalid("The value passed in x-amz-content-sha256 does not match the body."));
    }
    let canonical = canonical_request(parts, &claim.signed_headers, &payload);
    let scope = &claim.scope;
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let signing_key = scope
        .split('/')
        .fold(format!("AWS4{}", key.secret_access_key).into_bytes(), |key, step| hmac(&key, step.as_bytes()).to_vec());
    if hex(&hmac(&signing_key, to_sign.as_bytes())) == claim.signature {
        return Ok(());
    }
    Err(invalid(&format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. The Canonical String for this request should have been\n'{canonical}'\n\n\
         The String-to-Sign should have been\n'{to_sign}'\n"
    )))
}

/// What the `Authorization` header claims.
struct Claim<'a> {
    access_key_id: &'a str,
    /// `20260101/us-east-1/bedrock/aws4_request`
    scope: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn read(authorization: &'a str) -> Result<Self, Wrong> {
        let rest = authorization
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| incomplete("Authorization header requires 'AWS4-HMAC-SHA256'."))?;
        let fields: BTreeMap<_, _> = rest.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let field = |name: &str| {
            let missing = || incomplete(&format!("Authorization header requires '{name}' parameter."));
            fields.get(name).copied().ok_or_else(missing)
        };
        let credential = field("Credential")?;
        let (access_key_id, scope) = credential
            .split_once('/')
            .ok_or_else(|| incomplete("Credential must have exactly 5 slash-delimited elements."))?;
        let signed_headers = field("SignedHeaders")?.split(';').collect();
        Ok(Self { access_key_id, scope, signed_headers, signature: field("Signature")? })
    }

    fn check_scope(&self, date: &str) -> Result<(), Wrong> {
        let steps: Vec<_> = self.scope.split('/').collect();
        let [day, region, service, "aws4_request"] = steps[..] else {
            return Err(invalid("Credential should be scoped with a valid terminator: 'aws4_request'."));
        };
        if !date.starts_with(day) || day.len() != 8 {
            return Err(invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
            ));
        }
        if service != "bedrock" {
            return Err(invalid("Credential should be scoped to correct service: 'bedrock'."));
        }
        if region.is_empty() {
            return Err(invalid("Credential should be scoped to a valid region."));
        }
        Ok(())
    }
}

fn check_date(date: &str, now: Duration) -> Result<(), Wrong> {
    let wrong = || incomplete("Date must be in ISO-8601 'basic format'.");
    // `20260101T000000Z`, to the form that has dashes and colons.
    if date.len() != 16 || !date.is_ascii() {
        return Err(wrong());
    }
    let [year, month, day, hour, minute, second] =
        [&date[0..4], &date[4..6], &date[6..8], &date[9..11], &date[11..13], &date[13..15]];
    let extended = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let signed = DateTime::from_str(&extended, Format::DateTime).map_err(|_| wrong())?;
    let signed = Duration::from_secs(signed.secs().unsigned_abs());
    if signed.abs_diff(now) <= SKEW {
        return Ok(());
    }
    let side = if signed < now { "expired: the request is too old" } else { "not yet current" };
    Err(invalid(&format!("Signature {side}: {date} is more than 15 minutes from the present time.")))
}

/// Refuses a signature that leaves out the host, or a header of AWS.
fn check_signed_headers(claim: &Claim<'_>, parts: &Parts) -> Result<(), Wrong> {
    let own = parts.headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
    match own.chain(["host"]).find(|name| !claim.signed_headers.contains(name)) {
        Some(name) => Err(invalid(&format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))),
        None if !claim.signed_headers.is_sorted() => Err(invalid("SignedHeaders must be in alphabetical order.")),
        None => Ok(()),
    }
}

/// The request in the form that is signed.
fn canonical_request(parts: &Parts, signed_headers: &[&str], payload: &str) -> String {
    // All services but S3 encode the path as it is sent once more.
    let path: Vec<_> = parts.uri.path().split('/').map(|step| encode(step.as_bytes())).collect();
    let mut query: Vec<_> = parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let again = |text: &str| encode(&percent_decode_str(text).collect::<Vec<_>>());
            format!("{}={}", again(name), again(value))
        })
        .collect();
    query.sort();
    let mut text = format!("{}\n{}\n{}\n", parts.method, path.join("/"), query.join("&"));
    for name in signed_headers {
        let values = parts.headers.get_all(*name).iter().map(|value| trimmed(value.as_bytes()));
        let mut value = values.collect::<Vec<_>>().join(",");
        // Over HTTP/2 the host stands in the URI.
        if value.is_empty() && *name == "host" {
            value = parts.uri.authority().map_or_else(String::new, ToString::to_string);
        }
        text += &format!("{name}:{value}\n");
    }
    text + &format!("\n{}\n{payload}", signed_headers.join(";"))
}

/// A header's value without blanks around it, and with single ones in it.
fn trimmed(value: &[u8]) -> String {
    String::from_utf8_lossy(value).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything but unreserved characters as `%XX`.
fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            _ => text += &format!("%{byte:02X}"),
        }
        text
    })
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn invalid(message: &str) -> Wrong {
    ("InvalidSignatureException", message.to_owned())
}

fn incomplete(message: &str) -> Wrong {
    ("IncompleteSignatureException", message.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;
    use http::request::Parts;

    use super::{hex, hmac, verify};
    use crate::script::AwsKey;

    /// 2026-01-01T00:00:00Z
    const NOW: Duration = Duration::from_secs(1_767_225_600);
    const BODY: &str = r#"{"messages":[]}"#;

    fn key() -> AwsKey {
        AwsKey { access_key_id: "AKIDEXAMPLE".into(), secret_access_key: "wJalr/+KEY".into(), session_token: None }
    }

    /// A request that botocore signed.
    fn signed() -> Parts {
        let request = Request::post("/p/model/anthropic.c-v1%3A0/converse?b=2&a=x%20y")
            .header("host", "bedrock.invalid:81")
            .header("content-type", "application/json")
            .header("x-amz-date", "20260101T000000Z")
            .header("authorization", SIGNED);
        request.body(()).unwrap().into_parts().0
    }

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5e7b36e8904a140ed48db7e1d4a8bff4374d3031a6fa215a4c1a37f943ea94d6";

    fn check(change: impl Fn(&mut Parts), body: &str, now: Duration, expected: &str) {
        let mut parts = signed();
        change(&mut parts);
        let kind = verify(&key(), &parts, body.as_bytes(), now).map_or_else(|(kind, _)| kind, |()| "");
        assert_eq!(kind, expected);
    }

    #[test]
    fn signatures() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let invalid = "InvalidSignatureException";
        check(|_| (), BODY, NOW, "");
        check(|_| (), BODY, NOW + minutes(15), "");
        check(|_| (), BODY, NOW + minutes(16), invalid);
        check(|_| (), BODY, NOW - minutes(16), invalid);
        check(|_| (), "{}", NOW, invalid);
        check(|parts| parts.uri = "/p/model/other/converse?b=2&a=x%20y".parse().unwrap(), BODY, NOW, invalid);
        check(
            |parts| parts.uri = "/p/model/anthropic.c-v1:0/converse?b=2&a=x%20y".parse().unwrap(),
            BODY,
            NOW,
            invalid,
        );
        let set = |name: &'static str, value: &'static str| {
            move |parts: &mut Parts| _ = parts.headers.insert(name, value.parse().unwrap())
        };
        check(set("host", "other.invalid"), BODY, NOW, invalid);
        check(set("x-amz-content-sha256", "00"), BODY, NOW, invalid);
        check(set("x-amz-security-token", "t"), BODY, NOW, "UnrecognizedClientException");
        check(set("x-amz-date", "2026"), BODY, NOW, "IncompleteSignatureException");
        check(set("authorization", "AWS4-HMAC-SHA256 Credential=a"), BODY, NOW, "IncompleteSignatureException");
    }

    #[test]
    fn hmac_is_as_the_standard_has_it() {
        let short = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}

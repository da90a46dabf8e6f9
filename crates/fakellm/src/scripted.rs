//! An answer that the script dictates instead of a reply.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A dictated answer. In a script: `503`, or a map with `status` and more.
///
/// A status below 300 without a body is an ordinary reply.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptedStatus {
    /// The HTTP status, from 200 to 599.
    pub status: u16,
    /// `Retry-After`: seconds, or an HTTP date.
    pub retry_after: Option<String>,
    /// `retry-after-ms`.
    pub retry_after_ms: Option<u64>,
    /// The body: JSON, or text if it is a string. By default an error as the provider words it.
    pub body: Option<Value>,
    /// Further headers.
    pub headers: BTreeMap<String, String>,
}

impl ScriptedStatus {
    /// Whether the request is to be served as usual.
    pub(crate) fn is_reply(&self) -> bool {
        self.status < 300 && self.body.is_none()
    }

    /// When to come back, unless that is a date.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let seconds = || self.retry_after.as_ref()?.parse().ok().map(Duration::from_secs);
        self.retry_after_ms.map(Duration::from_millis).or_else(seconds)
    }

    /// All headers it asks for.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let seconds = self.retry_after.as_ref().and_then(|text| header("retry-after", text));
        let millis = self.retry_after_ms.and_then(|ms| header("retry-after-ms", &ms.to_string()));
        seconds.into_iter().chain(millis).chain(headers(&self.headers))
    }
}

impl From<u16> for ScriptedStatus {
    fn from(status: u16) -> Self {
        Self { status, retry_after: None, retry_after_ms: None, body: None, headers: BTreeMap::new() }
    }
}

/// The headers of a script. What HTTP does not allow was refused when the script was read; a script
/// made in code loses it here.
pub(crate) fn headers(map: &BTreeMap<String, String>) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    map.iter().filter_map(|(name, value)| header(name, value))
}

/// A header, if HTTP allows it.
pub(crate) fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStatus {
    status: u16,
    retry_after: Option<Value>,
    retry_after_ms: Option<u64>,
    body: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl TryFrom<RawStatus> for ScriptedStatus {
    type Error = &'static str;

    fn try_from(raw: RawStatus) -> Result<Self, Self::Error> {
        let retry_after = match raw.retry_after {
            None => None,
            Some(Value::String(date)) => Some(date),
            Some(Value::Number(seconds)) => Some(seconds.to_string()),
            Some(_) => return Err("retry_after is seconds or an HTTP date"),
        };
        if !(200..600).contains(&raw.status) {
            return Err("a status lies between 200 and 599");
        }
        Ok(Self {
            status: raw.status,
            retry_after,
            retry_after_ms: raw.retry_after_ms,
            body: raw.body,
            headers: raw.headers,
        })
    }
}

impl<'de> Deserialize<'de> for ScriptedStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StatusOrMap;

        impl<'de> Visitor<'de> for StatusOrMap {
            type Value = ScriptedStatus;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status or a map with `status`")
            }

            fn visit_u64<E: Error>(self, status: u64) -> Result<ScriptedStatus, E> {
                match u16::try_from(status) {
                    Ok(status) if (200..600).contains(&status) => Ok(status.into()),
                    _ => Err(E::custom("a status lies between 200 and 599")),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScriptedStatus, A::Error> {
                RawStatus::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(StatusOrMap)
    }
}

//! W3C `baggage`: what a caller's tracing says of a request, which counts as metadata.

use std::borrow::Cow;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;
use weighbridge_domain::json::JsonObject;
use weighbridge_domain::request::quoted;

/// The most members that are taken, and the longest header, as the specification has them.
const MOST: usize = 64;
const LONGEST: usize = 8192;

/// `metadata` with what the baggage of `headers` says besides.
pub(crate) fn under(metadata: Option<Box<RawValue>>, headers: &HeaderMap) -> Option<Box<RawValue>> {
    let Some(baggage) = headers.get("baggage").and_then(|value| value.to_str().ok()) else { return metadata };
    if baggage.len() > LONGEST {
        return metadata;
    }
    let known = metadata.as_deref().map_or("{}", RawValue::get).to_owned();
    let Ok(known) = JsonObject::parse(known.into()) else { return metadata };
    let members: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        members(baggage).filter(|(key, _)| !known.keys().any(|known| known == key)).collect();
    if members.is_empty() {
        return metadata;
    }
    let set: Vec<(&str, Cow<'_, str>)> = members.iter().map(|(key, value)| (key.as_ref(), quoted(value))).collect();
    let merged = String::from_utf8(known.rewrite(&set, |_| false).into()).ok();
    merged.and_then(|merged| RawValue::from_string(merged).ok()).or(metadata)
}

/// `key=value` of each member, without its properties.
fn members(baggage: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let member = |member: &'_ str| -> Option<_> {
        let (key, value) = member.split(';').next()?.split_once('=')?;
        let decoded = |text: &'_ str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
        (!key.trim().is_empty()).then(|| (Cow::Owned(decoded(key)), Cow::Owned(decoded(value))))
    };
    baggage.split(',').take(MOST).filter_map(member)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::value::RawValue;

    use super::under;

    fn check(metadata: Option<&str>, baggage: &'static str) -> String {
        let headers = HeaderMap::from_iter([("baggage".parse().unwrap(), HeaderValue::from_static(baggage))]);
        let metadata = metadata.map(|text| RawValue::from_string(text.to_owned()).unwrap());
        under(metadata, &headers).map_or("none".to_owned(), |metadata| metadata.get().to_owned())
    }

    #[test]
    fn baggage_stands_below_metadata() {
        assert_eq!(check(None, "user=u%201;ttl=3, tier = gold"), r#"{"user":"u 1","tier":"gold"}"#);
        assert_eq!(check(Some(r#"{"user":"own"}"#), "user=theirs,tier=gold"), r#"{"user":"own","tier":"gold"}"#);
        assert_eq!(check(Some(r#"{"user":"own"}"#), "nonsense,=x"), r#"{"user":"own"}"#);
        assert_eq!(check(None, "nonsense"), "none");
        assert_eq!(check(None, "a=\"b\""), r#"{"a":"\"b\""}"#);
    }
}

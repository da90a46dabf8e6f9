//! When a provider says to come back, in every dialect that is spoken.

use std::time::Duration;

use http::HeaderMap;
use weighbridge_domain::time::{Timestamp, millis};

/// Nobody is believed who asks for more: a wrong clock must not bench a deployment for years.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long the provider asks to be left alone. Looks at, in this order: `retry-after-ms`,
/// `retry-after` in seconds or as a date, the reset of a limit that is used up
/// (`x-ratelimit-reset-…` or `anthropic-ratelimit-…-reset` beside a `remaining` of 0), `retryDelay` in a Google error, and the
/// words "try again in 20s".
pub(crate) fn retry_after(headers: &HeaderMap, body: &[u8], message: &str, now: Timestamp) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let in_ms = || header("retry-after-ms").and_then(positive).map(|ms| ms / 1000.0);
    let in_seconds = || header("retry-after").and_then(|text| positive(text).or_else(|| until_date(text, now)));
    let at_reset = || {
        ["requests", "tokens"].into_iter().find_map(|what| {
            let is_used_up = header(&format!("x-ratelimit-remaining-{what}")) == Some("0");
            let reset = header(&format!("x-ratelimit-reset-{what}")).filter(|_| is_used_up)?;
            positive(reset).or_else(|| go_duration(reset))
        })
    };
    let at_anthropics_reset = || {
        ["requests", "tokens", "input-tokens", "output-tokens"].into_iter().find_map(|what| {
            let is_used_up = header(&format!("anthropic-ratelimit-{what}-remaining")) == Some("0");
            let reset = header(&format!("anthropic-ratelimit-{what}-reset")).filter(|_| is_used_up)?;
            seconds_until(humantime::parse_rfc3339_weak(reset).ok()?, now)
        })
    };
    let seconds = in_ms()
        .or_else(in_seconds)
        .or_else(at_reset)
        .or_else(at_anthropics_reset)
        .or_else(|| google_delay(body))
        .or_else(|| in_words(message))?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST))
}

fn positive(text: &str) -> Option<f64> {
    text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

fn until_date(text: &str, now: Timestamp) -> Option<f64> {
    seconds_until(httpdate::parse_http_date(text).ok()?, now)
}

/// Seconds from `now` until `then`.
#[expect(clippy::cast_precision_loss, reason = "a day of milliseconds is exact")]
fn seconds_until(then: std::time::SystemTime, now: Timestamp) -> Option<f64> {
    let at = then.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(millis(at).saturating_sub(now.as_millis()) as f64 / 1000.0)
}

/// `1s`, `6m0s`, `120ms`, `1h2m3.5s`, as `OpenAI` and `Google` write durations.
pub(crate) fn go_duration(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..end] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Some(total)
}

/// `"retryDelay": "34s"` somewhere in the body.
fn google_delay(body: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("\"retryDelay\"")?;
    go_duration(rest.split('"').nth(1)?)
}

/// "Please try again in 1.2s", "Please retry after 26 seconds".
fn in_words(message: &str) -> Option<f64> {
    let lower = message.to_lowercase();
    let rest = ["try again in ", "retry after ", "retry in "].iter().find_map(|lead| lower.split_once(lead))?.1;
    let mut words = rest.split_whitespace();
    let first = words.next()?.trim_end_matches(['.', ',']);
    go_duration(first).or_else(|| {
        let unit = match words.next().unwrap_or_default() {
            unit if unit.starts_with("second") => 1.0,
            unit if unit.starts_with("minute") => 60.0,
            unit if unit.starts_with("millisecond") => 0.001,
            _ => return None,
        };
        positive(first).map(|number| number * unit)
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use weighbridge_domain::time::Timestamp;

    use super::retry_after;

    /// 2015-10-21 07:28:00 UTC.
    const NOW: Timestamp = Timestamp::from_millis(1_445_412_480_000);

    fn check(headers: &[(&'static str, &'static str)], body: &str, message: &str, expected_ms: Option<u64>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let found = retry_after(&headers, body.as_bytes(), message, NOW).map(|d| u64::try_from(d.as_millis()).unwrap());
        assert_eq!(found, expected_ms, "{headers:?} {body} {message}");
    }

    #[test]
    fn every_dialect_is_understood() {
        check(&[], "", "", None);
        check(&[("retry-after", "3")], "", "", Some(3000));
        check(&[("retry-after", "0.5")], "", "", Some(500));
        check(&[("retry-after-ms", "250"), ("retry-after", "9")], "", "", Some(250));
        check(&[("retry-after", "Wed, 21 Oct 2015 07:28:07 GMT")], "", "", Some(7000));
        check(&[("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")], "", "", Some(0));
        check(&[("retry-after", "soon")], "", "", None);
        check(&[("retry-after", "-3")], "", "", None);
        check(&[("retry-after", "1e300")], "", "", Some(24 * 3600 * 1000));
        check(&[("x-ratelimit-reset-tokens", "6m0s")], "", "", None);
        check(&[("x-ratelimit-reset-tokens", "6m0s"), ("x-ratelimit-remaining-tokens", "0")], "", "", Some(360_000));
        check(&[("x-ratelimit-reset-requests", "120ms"), ("x-ratelimit-remaining-requests", "0")], "", "", Some(120));
        check(&[], r#"{"error":{"details":[{"retryDelay": "34s"}]}}"#, "", Some(34_000));
        check(&[], "", "Rate limit reached. Please try again in 1.2s. Visit …", Some(1200));
        check(&[], "", "Please retry after 26 seconds.", Some(26_000));
        check(&[], "", "Please try again in 2m30s", Some(150_000));
        check(&[], "", "Please try again in a while", None);
    }
}

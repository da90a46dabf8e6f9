//! What a provider's headers say is left of its own limits.
//!
//! `OpenAI` and Azure: `x-ratelimit-remaining-{requests,tokens}` with `x-ratelimit-reset-…` as a
//! duration (`6m0s`), which Azure leaves out. Anthropic: `anthropic-ratelimit-{requests,tokens}-remaining` with
//! `…-reset` as an RFC 3339 date.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use weighbridge_domain::limits::{Feedback, Left};
use weighbridge_domain::time::{Timestamp, millis};

use crate::retry_after::go_duration;

/// Where nothing says when a limit is whole again, its minute is taken to have just begun.
const A_MINUTE: Duration = Duration::from_secs(60);

/// What the headers of a response say at `now`.
pub fn read(headers: &HeaderMap, now: Timestamp) -> Feedback {
    // Most say nothing, and eight look-ups take longer than to see that.
    if !headers.keys().any(|name| name.as_str().contains("ratelimit-")) {
        return Feedback::default();
    }
    Feedback { requests: left(headers, "requests", now), tokens: left(headers, "tokens", now) }
}

fn left(headers: &HeaderMap, what: &str, now: Timestamp) -> Option<Left> {
    let header = |name: String| headers.get(name)?.to_str().ok().map(str::trim);
    let openai = || {
        let amount = amount(header(format!("x-ratelimit-remaining-{what}"))?)?;
        let resets_in = header(format!("x-ratelimit-reset-{what}")).and_then(span).unwrap_or(A_MINUTE);
        Some(Left { amount, resets_in })
    };
    let anthropic = || {
        let amount = amount(header(format!("anthropic-ratelimit-{what}-remaining"))?)?;
        let reset = header(format!("anthropic-ratelimit-{what}-reset"));
        let resets_in = reset.and_then(|text| until(text, now)).unwrap_or(A_MINUTE);
        Some(Left { amount, resets_in })
    };
    openai().or_else(anthropic)
}

/// Azure has been seen to say `-1`, which is not a count.
fn amount(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn span(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().or_else(|| go_duration(text))?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let at = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_millis(millis(at).saturating_sub(now.as_millis())))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use weighbridge_domain::limits::Left;
    use weighbridge_domain::time::Timestamp;

    use super::read;

    /// 2015-10-21 07:28:00 UTC.
    const NOW: Timestamp = Timestamp::from_millis(1_445_412_480_000);

    /// What is left, as `requests/ms tokens/ms`.
    fn check(headers: &[(&'static str, &'static str)], expected: &str) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let feedback = read(&headers, NOW);
        let shown = |left: Option<Left>| {
            left.map_or("-".to_owned(), |left| format!("{}/{}", left.amount, left.resets_in.as_millis()))
        };
        assert_eq!(format!("{} {}", shown(feedback.requests), shown(feedback.tokens)), expected);
    }

    #[test]
    fn what_is_left() {
        check(&[], "- -");
        let openai = [
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0.5s"),
        ];
        check(&openai, "59/1000 149984/360500");
        check(&[("x-ratelimit-remaining-requests", "7")], "7/60000 -");
        check(&[("x-ratelimit-remaining-requests", "-1")], "- -");
        let anthropic = [
            ("anthropic-ratelimit-requests-remaining", "3"),
            ("anthropic-ratelimit-requests-reset", "2015-10-21T07:28:20Z"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
        ];
        check(&anthropic, "3/20000 0/60000");
    }
}

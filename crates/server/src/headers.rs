//! What a response tells in its headers, in the words of three routers.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use weighbridge_config::objects::portkey_name;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::settings::HeaderFamilies;
use weighbridge_engine::AnswerHead;

use crate::error::Shape;
use crate::id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// As Anthropic's SDKs look for it.
const ANTHROPICS_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const DEPLOYMENT: HeaderName = HeaderName::from_static("x-weighbridge-deployment");
const GROUP: HeaderName = HeaderName::from_static("x-weighbridge-group");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-weighbridge-attempts");
const ITINERARY: HeaderName = HeaderName::from_static("x-weighbridge-itinerary");

/// What the request wrote in vain, and what the deployment that answered cannot do.
const WARNINGS: HeaderName = HeaderName::from_static("x-weighbridge-warnings");

const MODEL_ID: HeaderName = HeaderName::from_static("x-litellm-model-id");
const MODEL_GROUP: HeaderName = HeaderName::from_static("x-litellm-model-group");
const MODEL_API_BASE: HeaderName = HeaderName::from_static("x-litellm-model-api-base");
const CALL_ID: HeaderName = HeaderName::from_static("x-litellm-call-id");
const ATTEMPTED_RETRIES: HeaderName = HeaderName::from_static("x-litellm-attempted-retries");
const MAX_RETRIES: HeaderName = HeaderName::from_static("x-litellm-max-retries");
const TIMEOUT: HeaderName = HeaderName::from_static("x-litellm-timeout");
const ATTEMPTED_FALLBACKS: HeaderName = HeaderName::from_static("x-litellm-attempted-fallbacks");
const RESPONSE_COST: HeaderName = HeaderName::from_static("x-litellm-response-cost");
const VERSION: HeaderName = HeaderName::from_static("x-litellm-version");
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("llm_provider-x-request-id");

const PROVIDER: HeaderName = HeaderName::from_static("x-portkey-provider");
const LAST_USED_OPTION: HeaderName = HeaderName::from_static("x-portkey-last-used-option-index");
const RETRY_ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-portkey-retry-attempt-count");
const CACHE_STATUS: HeaderName = HeaderName::from_static("x-portkey-cache-status");
const TRACE_ID: HeaderName = HeaderName::from_static("x-portkey-trace-id");

/// The longest value, in bytes, apart from lists.
const VALUE_LENGTH_MAX: usize = 256;
/// The longest itinerary and the longest list of warnings, in bytes: proxies refuse responses with too much in their headers.
const LIST_LENGTH_MAX: usize = 1024;
/// Room for all there is to say, so that the map does not grow.
const HEADERS_USUAL: usize = 24;

/// What every response to one request says.
#[derive(Debug)]
pub(crate) struct Stamp {
    families: HeaderFamilies,
    shape: Shape,
    request_id: HeaderValue,
    trace_id: HeaderValue,
}

impl Stamp {
    /// The stamp of the request `id`, which came with `headers` from a client that reads `shape`.
    pub(crate) fn new(families: HeaderFamilies, id: &str, headers: &HeaderMap, shape: Shape) -> Self {
        // Ids are visible ASCII, which always makes a header.
        let request_id = HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("unknown"));
        let trace_id = id::trace_id(headers).and_then(|trace_id| HeaderValue::from_str(trace_id).ok());
        Self { families, shape, trace_id: trace_id.unwrap_or_else(|| request_id.clone()), request_id }
    }

    /// Headers of a response that no head is known for.
    pub(crate) fn refused(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.request_id.clone());
        if self.shape == Shape::Anthropic {
            headers.insert(ANTHROPICS_REQUEST_ID, self.request_id.clone());
        }
        if self.families.litellm {
            headers.insert(CALL_ID, self.request_id.clone());
            headers.insert(VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
        }
        if self.families.portkey {
            headers.insert(TRACE_ID, self.trace_id.clone());
            headers.insert(CACHE_STATUS, HeaderValue::from_static("DISABLED"));
        }
    }

    /// Headers of an answer.
    pub(crate) fn answered(&self, head: &AnswerHead, headers: &mut HeaderMap) {
        headers.reserve(HEADERS_USUAL);
        self.refused(headers);
        self.tell(head, headers);
        if self.families.litellm {
            put(headers, RESPONSE_COST, head.cost.and_then(|cost| HeaderValue::from_str(&cost.to_string()).ok()));
        }
        if self.families.portkey {
            headers.insert(RETRY_ATTEMPT_COUNT, number(head.retries));
        }
    }

    /// Headers of a failure.
    pub(crate) fn failed(&self, head: &AnswerHead, headers: &mut HeaderMap) {
        headers.reserve(HEADERS_USUAL);
        self.refused(headers);
        self.tell(head, headers);
        if self.families.litellm {
            headers.insert(RESPONSE_COST, HeaderValue::from_static("0"));
        }
        if self.families.portkey {
            let count = if head.retries == 0 && !head.gave_up { "0" } else { "-1" };
            headers.insert(RETRY_ATTEMPT_COUNT, HeaderValue::from_static(count));
        }
    }

    /// The provider's own headers that are worth passing on.
    pub(crate) fn upstream(&self, upstream: &[(String, String)], headers: &mut HeaderMap) {
        for (name, value) in upstream.iter().filter(|(name, _)| may_pass(name)) {
            let Ok(value) = HeaderValue::from_str(value) else { continue };
            if name == REQUEST_ID.as_str() {
                if self.families.litellm {
                    headers.insert(UPSTREAM_REQUEST_ID, value);
                }
            } else if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                headers.insert(name, value);
            }
        }
    }

    fn tell(&self, head: &AnswerHead, headers: &mut HeaderMap) {
        let told = head.deployment.as_ref().and_then(|deployment| deployment.told.get_or_make(|| Told::of(deployment)));
        // That of the deployment that answered, as a rule.
        let group = match (&head.group, &head.deployment) {
            (Some(group), Some(deployment)) if *group == deployment.group => told.and_then(|told| told.group.clone()),
            (group, _) => group.as_ref().and_then(|name| printable(name.as_str(), VALUE_LENGTH_MAX)),
        };
        if self.families.litellm {
            put(headers, MODEL_ID, told.and_then(|told| told.id.clone()));
            put(headers, MODEL_GROUP, group.clone());
            put(headers, MODEL_API_BASE, told.and_then(|told| told.api_base.clone()));
            headers.insert(ATTEMPTED_RETRIES, number(head.retries));
            headers.insert(ATTEMPTED_FALLBACKS, number(head.fallbacks));
            put(headers, MAX_RETRIES, head.max_retries.map(HeaderValue::from));
            put(headers, TIMEOUT, head.timeout.and_then(|timeout| timeout_value(timeout, told)));
        }
        if self.families.weighbridge {
            put(headers, DEPLOYMENT, told.and_then(|told| told.id.clone()));
            let calls = head.attempts.iter().filter(|attempt| attempt.deployment.is_some()).count();
            headers.insert(ATTEMPTS, number(u32::try_from(calls).unwrap_or(u32::MAX)));
            let itinerary = match &head.group {
                Some(name) if head.itinerary == name.as_str() => group.clone(),
                _ => printable(&head.itinerary, LIST_LENGTH_MAX),
            };
            put(headers, ITINERARY, itinerary);
            put(headers, GROUP, group);
        }
        if self.families.portkey {
            put(headers, PROVIDER, told.and_then(|told| told.provider.clone()));
            put(headers, LAST_USED_OPTION, path_value(&head.plan_path));
        }
    }
}

/// What responses tell of a deployment, printed once.
struct Told {
    id: Option<HeaderValue>,
    group: Option<HeaderValue>,
    api_base: Option<HeaderValue>,
    provider: Option<HeaderValue>,
    /// How long a call to it may take as a rule.
    timeout: Option<(Duration, HeaderValue)>,
}

impl Told {
    fn of(deployment: &Deployment) -> Self {
        let value = |text: &str| printable(text, VALUE_LENGTH_MAX);
        let usual = deployment.timeouts.whole;
        Self {
            id: value(deployment.id.as_str()),
            group: value(deployment.group.as_str()),
            api_base: value(&public_url(&deployment.endpoint.base_url)),
            provider: value(portkey_name(deployment.endpoint.provider.as_str())),
            timeout: usual.and_then(|timeout| Some((timeout, seconds_value(timeout)?))),
        }
    }
}

fn timeout_value(timeout: Duration, told: Option<&Told>) -> Option<HeaderValue> {
    match told.and_then(|told| told.timeout.as_ref()) {
        Some((usual, value)) if *usual == timeout => Some(value.clone()),
        _ => seconds_value(timeout),
    }
}

/// Seconds with their decimal point, as `LiteLLM` writes them.
fn seconds_value(span: Duration) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{:?}", span.as_secs_f64())).ok()
}

/// A place in a plan; the root of one, as a rule.
fn path_value(path: &str) -> Option<HeaderValue> {
    if path == "config" { Some(HeaderValue::from_static("config")) } else { printable(path, VALUE_LENGTH_MAX) }
}

/// A number that is small, as a rule.
fn number(number: u32) -> HeaderValue {
    match number {
        0 => HeaderValue::from_static("0"),
        1 => HeaderValue::from_static("1"),
        more => HeaderValue::from(more),
    }
}

/// Whether a request has any header of a family. Most have none, and to look for each of its headers takes longer.
pub(crate) fn sends(headers: &HeaderMap, family: &str) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(family))
}

/// Names the request in a response that says nothing else of it.
pub(crate) fn put_request_id(headers: &mut HeaderMap, id: &str) {
    put(headers, REQUEST_ID, HeaderValue::from_str(id).ok());
}

/// Says what had no effect.
pub(crate) fn warn(headers: &mut HeaderMap, warnings: &[String]) {
    put(headers, WARNINGS, printable(&warnings.join("; "), LIST_LENGTH_MAX));
}

pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

/// `text` as one line of ASCII of at most `length_max` bytes; `None` when there is none.
fn printable(text: &str, length_max: usize) -> Option<HeaderValue> {
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.is_empty() {
        return None;
    }
    if text.len() <= length_max && text.bytes().all(is_plain) {
        return HeaderValue::from_str(text).ok();
    }
    let mut line = String::with_capacity(text.len().min(length_max));
    for letter in text.trim_end().chars() {
        let mut bytes = [0; 4];
        let shown = match letter {
            '\n' => "; ".into(),
            '\u{2192}' => "->".into(),
            letter if letter.is_control() => " ".into(),
            letter if letter.is_ascii() => letter.to_string(),
            letter => letter.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect::<String>(),
        };
        if line.len() + shown.len() + 3 > length_max {
            line.push_str("...");
            break;
        }
        line.push_str(&shown);
    }
    HeaderValue::from_str(&line).ok()
}

/// `url` without what may hold a secret: user, password, query and fragment.
fn public_url(url: &str) -> String {
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Whether a provider's header says nothing about the connection and nothing that is ours to say.
fn may_pass(name: &str) -> bool {
    const OURS: [&str; 12] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "keep-alive",
        "retry-after",
        "retry-after-ms",
        "set-cookie",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-should-retry",
    ];
    const FAMILIES: [&str; 3] = ["x-weighbridge-", "x-litellm-", "x-portkey-"];
    !OURS.contains(&name) && !FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use expect_test::{Expect, expect};
    use http::{HeaderMap, HeaderValue};
    use weighbridge_domain::deployment::{Deployment, Endpoint, ModelTemplate};
    use weighbridge_domain::event::AttemptRecord;
    use weighbridge_domain::failure::FailureKind;
    use weighbridge_domain::settings::HeaderFamilies;
    use weighbridge_engine::AnswerHead;

    use super::{Shape, Stamp, printable, public_url};

    fn head() -> AnswerHead {
        let attempt = |id: &str, status, kind| AttemptRecord { deployment: Some(id.into()), status, kind, ms: 3 };
        let endpoint = Endpoint::new("azure", "https://user:pass@eu.example/v1?key=1");
        let deployment = Deployment::new("dep-2", "gpt-4o", ModelTemplate::new("gpt-4o-eu"), endpoint);
        AnswerHead {
            group: Some("gpt-4o".into()),
            deployment: Some(Arc::new(deployment)),
            attempts: vec![attempt("dep-1", 500, Some(FailureKind::ServerError)), attempt("dep-2", 200, None)],
            retries: 1,
            gave_up: false,
            by_config: false,
            max_retries: Some(2),
            timeout: Some(Duration::from_secs(30)),
            fallbacks: 0,
            plan_path: "config.targets[0]".into(),
            itinerary: "1. group gpt-4o\n2. group claude".into(),
            cost: Some(0.000_015),
        }
    }

    fn check(families: HeaderFamilies, fill: impl Fn(&Stamp, &mut HeaderMap), expected: Expect) {
        let mut headers = HeaderMap::new();
        fill(&Stamp::new(families, "req-1", &HeaderMap::new(), Shape::OpenAi), &mut headers);
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
        lines.sort();
        expected.assert_eq(&lines.concat());
    }

    const NONE: HeaderFamilies = HeaderFamilies { weighbridge: false, litellm: false, portkey: false };

    #[test]
    fn an_answer_tells_all() {
        check(
            HeaderFamilies::default(),
            |stamp, headers| stamp.answered(&head(), headers),
            expect![[r#"
                x-litellm-attempted-fallbacks: 0
                x-litellm-attempted-retries: 1
                x-litellm-call-id: req-1
                x-litellm-max-retries: 2
                x-litellm-model-api-base: https://eu.example/v1
                x-litellm-model-group: gpt-4o
                x-litellm-model-id: dep-2
                x-litellm-response-cost: 0.000015
                x-litellm-timeout: 30.0
                x-litellm-version: 0.1.0
                x-portkey-cache-status: DISABLED
                x-portkey-last-used-option-index: config.targets[0]
                x-portkey-provider: azure-openai
                x-portkey-retry-attempt-count: 1
                x-portkey-trace-id: req-1
                x-request-id: req-1
                x-weighbridge-attempts: 2
                x-weighbridge-deployment: dep-2
                x-weighbridge-group: gpt-4o
                x-weighbridge-itinerary: 1. group gpt-4o; 2. group claude
            "#]],
        );
    }

    #[test]
    fn families_are_chosen() {
        check(
            NONE,
            |stamp, headers| stamp.answered(&head(), headers),
            expect![[r#"
            x-request-id: req-1
        "#]],
        );
        check(
            HeaderFamilies { weighbridge: true, ..NONE },
            |stamp, headers| stamp.failed(&AnswerHead::default(), headers),
            expect![[r#"
                x-request-id: req-1
                x-weighbridge-attempts: 0
            "#]],
        );
        check(
            HeaderFamilies { portkey: true, ..NONE },
            |stamp, headers| stamp.failed(&head(), headers),
            expect![[r#"
                x-portkey-cache-status: DISABLED
                x-portkey-last-used-option-index: config.targets[0]
                x-portkey-provider: azure-openai
                x-portkey-retry-attempt-count: -1
                x-portkey-trace-id: req-1
                x-request-id: req-1
            "#]],
        );
    }

    #[test]
    fn anthropics_clients_find_the_id_under_their_name() {
        let mut headers = HeaderMap::new();
        Stamp::new(NONE, "req-1", &HeaderMap::new(), Shape::Anthropic).refused(&mut headers);
        assert_eq!((&headers["request-id"], headers.len()), (&HeaderValue::from_static("req-1"), 2));
    }

    #[test]
    fn a_provider_cannot_speak_for_us() {
        let upstream = [
            ("x-ratelimit-remaining-tokens", "7"),
            ("x-request-id", "theirs"),
            ("x-weighbridge-deployment", "forged"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        check(
            HeaderFamilies { litellm: true, ..NONE },
            |stamp, headers| stamp.upstream(&upstream, headers),
            expect![[r#"
                llm_provider-x-request-id: theirs
                x-ratelimit-remaining-tokens: 7
            "#]],
        );
    }

    #[test]
    fn values_are_one_line_of_ascii() {
        let check = |text: &str, length_max, expected: &str| {
            let value = printable(text, length_max);
            assert_eq!(value.as_ref().map_or("", |value| value.to_str().unwrap()), expected, "{text}");
        };
        check("plain text", 99, "plain text");
        check("", 99, "");
        check("a\nb\r\u{0}c\n", 99, "a; b  c");
        check("gr\u{f6}\u{df}e \u{2192} x", 99, "gr%C3%B6%C3%9Fe -> x");
        check("0123456789", 8, "01234...");
        check("\u{4e2d}\u{6587}", 12, "%E4%B8%AD...");
    }

    #[test]
    fn addresses_lose_their_secrets() {
        assert_eq!(public_url("https://a:b@h.example:8/v1?k=s#f"), "https://h.example:8/v1");
        assert_eq!(public_url("http://h.example"), "http://h.example");
        assert_eq!(public_url("https://a@b@h/x@y"), "https://h/x@y");
        assert_eq!(public_url("simulated"), "simulated");
    }
}

//! What a script may say: how each simulated provider behaves.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::distribution::Distribution;
use crate::limit::Limit;
use crate::scripted::{ScriptedStatus, header};

/// How all providers behave. A provider that is not named behaves by default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Makes every draw repeatable. Without it draws differ from run to run.
    pub seed: Option<u64>,
    /// By the name that stands first in the path: `/{name}/v1/chat/completions`.
    pub providers: BTreeMap<String, ProviderScript>,
}

/// How one provider behaves. By default it answers at once, to everybody, without fault.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderScript {
    /// Until the response headers, in milliseconds. A whole reply takes this and no more.
    #[serde(alias = "latency_ms")]
    pub latency: Distribution,
    /// From the headers of a stream to its first content chunk, in milliseconds.
    pub first_token_ms: Distribution,
    /// Between two content chunks of a stream, in milliseconds.
    pub token_ms: Distribution,
    /// Completion tokens of a reply; without it, the words of `text`. A request's `max_tokens` or
    /// `max_completion_tokens` cuts it short.
    pub tokens: Option<u64>,
    /// The words of a reply, one token each, repeated as often as `tokens` asks for.
    pub text: String,
    /// Further response headers.
    pub headers: BTreeMap<String, String>,
    /// How many of the latest requests are kept for inspection.
    pub record: usize,

    /// The provider's limits.
    pub limits: Vec<Limit>,
    /// Requests served at the same time; one more gets 429.
    pub max_in_flight: Option<u64>,

    /// Share of requests that fail with `error_status`, from 0 to 1.
    pub error_rate: f64,
    /// What a request drawn by `error_rate` gets.
    pub error_status: ScriptedStatus,
    /// Every request gets this.
    pub status: Option<ScriptedStatus>,
    /// One per request, in order; afterwards requests are served as if there were none.
    pub statuses: Vec<ScriptedStatus>,
    /// `statuses` starts again at its end.
    pub statuses_repeat: bool,

    /// The connection breaks after so many content chunks of a stream, but before its end.
    pub cut_after_chunks: Option<usize>,
    /// A stream carries an error frame after so many content chunks, and ends.
    pub error_frame_after: Option<usize>,
    /// A stream falls silent after so many content chunks and stays open.
    pub hang_after_chunks: Option<usize>,
    /// No request is ever answered.
    pub hang: bool,
    /// Streams end their lines with CR LF.
    pub crlf: bool,
    /// Usage is reported: in whole replies, and in streams that ask for it.
    pub usage: bool,
    /// Every content chunk carries the usage so far.
    pub usage_in_every_chunk: bool,
    /// Streams end without `data: [DONE]`.
    pub no_done: bool,
    /// Streams begin with comment lines.
    pub comments: bool,
    /// So many chunks without content stand before the first one of a stream.
    pub empty_first_chunks: usize,
    /// Streams are written in pieces of so many bytes.
    pub split_bytes: Option<usize>,

    /// A whole reply breaks off at half its length.
    pub cut_body: bool,
    /// The reply is not JSON: half a document, complete by its length.
    pub invalid_json: bool,
    /// Status 200 with an error for a body.
    pub error_in_200: bool,

    /// Requests are refused that hold what a provider does not know: control fields and headers
    /// of a router, unknown fields, no `messages`, an Azure path without `api-version`, thoughts
    /// that somebody else signed.
    pub strict: bool,
    /// The credential: others get 401.
    pub key: Option<String>,
    /// Requests to Bedrock are signed with this, or carry `key` as a bearer token if there is one.
    pub aws: Option<AwsKey>,
    /// The models there are: others get 404. All there are when empty.
    pub models: Vec<String>,
    /// A request with tools gets a call of the first one.
    pub tool_calls: bool,
    /// It gets so many calls at once, of its tools in turn.
    pub parallel_tool_calls: usize,
    /// A thought comes before the answer, where the format has such.
    pub thinking: bool,
    /// So many tokens of a prompt, if it has them, came from a cache.
    pub cached_tokens: u64,
    /// In tokens; longer requests get 400 `context_length_exceeded`.
    pub context_window: Option<u64>,
    /// A prompt that holds this text gets 400 `content_filter`.
    pub content_filter: Option<String>,
}

/// What requests to AWS are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsKey {
    /// Names the secret.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// What `x-amz-security-token` holds, for credentials that expire.
    pub session_token: Option<String>,
}

/// Why a script cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Not YAML, or not a script; the message names the line.
    #[error("bad script: {0}")]
    Yaml(#[from] serde_yaml::Error),
    /// A response header that HTTP does not allow.
    #[error("bad script: {provider}: `{name}: {value}` is not a header")]
    Header {
        /// Whose script.
        provider: String,
        /// The header's name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Script {
    /// Reads a script. Nothing but comments is a script too: the default one.
    ///
    /// # Errors
    /// Names the line of what is not understood.
    pub fn from_yaml(text: &str) -> Result<Self, ScriptError> {
        let script: Self = serde_yaml::from_str::<Option<Self>>(text)?.unwrap_or_default();
        script.providers.iter().try_for_each(|(name, provider)| provider.check(name))?;
        Ok(script)
    }
}

impl ProviderScript {
    /// Reads one provider's script, as YAML or JSON.
    ///
    /// # Errors
    /// Names the line of what is not understood.
    pub fn from_yaml(text: &str) -> Result<Self, ScriptError> {
        let script: Self = serde_yaml::from_str::<Option<Self>>(text)?.unwrap_or_default();
        script.check("script")?;
        Ok(script)
    }

    fn check(&self, provider: &str) -> Result<(), ScriptError> {
        let scripted = self.statuses.iter().chain(&self.status).chain([&self.error_status]);
        let mut headers = self.headers.iter().chain(scripted.flat_map(|status| &status.headers));
        match headers.find(|(name, value)| header(name, value).is_none()) {
            None => Ok(()),
            Some((name, value)) => {
                Err(ScriptError::Header { provider: provider.into(), name: name.clone(), value: value.clone() })
            }
        }
    }
}

impl Default for ProviderScript {
    fn default() -> Self {
        Self {
            latency: Distribution::ZERO,
            first_token_ms: Distribution::ZERO,
            token_ms: Distribution::ZERO,
            tokens: None,
            text: "Every load that crosses this bridge is weighed.".into(),
            headers: BTreeMap::new(),
            record: 1000,
            limits: Vec::new(),
            max_in_flight: None,
            error_rate: 0.0,
            error_status: 500.into(),
            status: None,
            statuses: Vec::new(),
            statuses_repeat: false,
            cut_after_chunks: None,
            error_frame_after: None,
            hang_after_chunks: None,
            hang: false,
            crlf: false,
            usage: true,
            usage_in_every_chunk: false,
            no_done: false,
            comments: false,
            empty_first_chunks: 0,
            split_bytes: None,
            cut_body: false,
            invalid_json: false,
            error_in_200: false,
            strict: false,
            key: None,
            aws: None,
            models: Vec::new(),
            tool_calls: false,
            parallel_tool_calls: 0,
            thinking: false,
            cached_tokens: 0,
            context_window: None,
            content_filter: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ProviderScript, Script};

    fn check_error(yaml: &str, expected: &str) {
        let error = Script::from_yaml(yaml).unwrap_err().to_string();
        // Of the fields there are, the first will do.
        let (start, place) = error.split_once(" at line").map_or((&*error, ""), |(start, place)| (start, place));
        let start = start.split_once("`, `").map_or(start, |(start, _)| start);
        assert_eq!(format!("{start}, line{place}"), format!("bad script: {expected}"), "{yaml}");
    }

    #[test]
    fn everything_can_be_said() {
        let script = Script::from_yaml(
            "
seed: 7
providers:
  slow:
    latency: {median_ms: 800, p99_ms: 4000}
    first_token_ms: {min: 5, max: 9}
    token_ms: 2.5
    limits:
      - {discipline: fixed_minute, phase_ms: 250, requests: 10, tokens: 1000, charge: actual}
      - {discipline: token_bucket, window_ms: 1000, requests: 5, burst: 2, enforce: false}
    statuses:
      - 500
      - {status: 429, retry_after: 3}
      - {status: 503, retry_after: 'Wed, 21 Oct 2026 07:28:00 GMT', body: {a: 1}, headers: {x-a: b}}
    headers: {x-served-by: slow}
",
        )
        .unwrap();
        let slow = &script.providers["slow"];
        assert_eq!(script.seed, Some(7));
        assert_eq!(slow.limits.len(), 2);
        assert_eq!(slow.statuses[1].retry_after.as_deref(), Some("3"));
        assert_eq!(slow.statuses[2].headers["x-a"], "b");
        assert!(slow.usage, "what is not said stays at its default");
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(Script::from_yaml("# nothing\n").unwrap(), Script::default());
        assert_eq!(ProviderScript::from_yaml("{}").unwrap(), ProviderScript::default());
        assert_eq!(Script::from_yaml("providers: {a: {}}").unwrap().providers["a"], ProviderScript::default());
    }

    #[test]
    fn errors_name_the_line() {
        let provider = |yaml: &str, expected: &str| {
            check_error(&format!("providers:\n  a:\n    {yaml}\n"), &format!("providers.a{expected}"));
        };
        provider("latncy: 6", ": unknown field `latncy`, expected one of `latency, line 3 column 5");
        provider("tokens: -1", ".tokens: invalid type: integer `-1`, expected u64, line 3 column 13");
        provider("latency: {mean: 5}", ".latency: unknown field `mean`, expected one of `min, line 3 column 15");
        let spread = ".latency: expected {min, max} or {median_ms, p99_ms}, the smaller one first, line 3 column 14";
        provider("latency: {min: 5, p99_ms: 6}", spread);
        provider("latency: {min: 5, max: 4}", spread);
        provider("latency: -1", ".latency: a duration is not negative, line 3 column 14");
        provider("statuses: [200, 99]", ".statuses[1]: a status lies between 200 and 599, line 3 column 21");
        let limit =
            ".limits: phase_ms goes with fixed_minute, burst and burst_tokens with token_bucket, line 3 column 13";
        provider("limits: [{discipline: sliding_log, burst: 1}]", limit);
        provider("limits: [{discipline: token_bucket, phase_ms: 1}]", limit);
        let unknown = ".limits[0].discipline: unknown variant `leaky`, expected one of `fixed_minute, line 3 column 27";
        provider("limits: [{discipline: leaky}]", unknown);
        check_error("providers: {a: {headers: {'x y': z}}}", "a: `x y: z` is not a header, line");
        check_error("providers: [", "providers: invalid type: sequence, expected a map, line 1 column 12");
    }
}

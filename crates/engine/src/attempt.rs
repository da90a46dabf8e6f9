//! One upstream call, from the granted permit to its settlement. Whole replies and streams alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::Instant;
use weighbridge_domain::deployment::{Deployment, MockReply};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::plan::StopOptions;
use weighbridge_domain::policy::{CooldownVerdict, Timeouts};
use weighbridge_domain::provider::Wire;
use weighbridge_domain::request::Request;
use weighbridge_domain::usage::Usage;
use weighbridge_providers::encode::{Outgoing, encode};
use weighbridge_providers::simulated;
use weighbridge_providers::transport::{BodyStream, Reach, UpstreamResponse};
use weighbridge_state::Counted;
use weighbridge_wire::sse::{EventReader, ReaderOptions};
use weighbridge_wire::{failure, remaining, whole};

use crate::stream::{self, Opened};
use crate::world::World;

/// The longest whole reply that is read, in bytes.
const LONGEST_REPLY: usize = 64 << 20;
/// The longest error body that is read, in bytes.
const LONGEST_ERROR: usize = 64 << 10;

/// One call about to be made.
pub(crate) struct Call<'a> {
    pub(crate) deployment: &'a Arc<Deployment>,
    pub(crate) upstream_model: &'a str,
    pub(crate) request: &'a Request,
    pub(crate) options: &'a StopOptions,
    /// What had been counted of the deployment when it was granted.
    pub(crate) counted: Counted,
}

/// What an upstream said, before the client hears of it.
pub(crate) struct Reply {
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: ReplyBody,
}

pub(crate) enum ReplyBody {
    Whole { bytes: Bytes, usage: Option<Usage>, took: Duration },
    Stream(Box<Opened>),
}

impl Call<'_> {
    /// Calls the deployment.
    ///
    /// # Errors
    /// Whatever went wrong before the client was shown anything.
    pub(crate) async fn run(&self, world: &World) -> Result<Reply, Failure> {
        let sent = Instant::now();
        let answer = async {
            let response = self.send(world).await?;
            self.read(response, world, sent).await
        };
        match self.limit() {
            None => answer.await,
            Some(limit) => match tokio::time::timeout(limit, answer).await {
                Ok(result) => result,
                Err(_) => Err(Failure::new(FailureKind::Timeout, self.too_late(limit))),
            },
        }
    }

    /// What a client hears when nothing came within `limit`.
    fn too_late(&self, limit: Duration) -> String {
        // In the words of Portkey's gateway, which its clients know.
        if self.request.controls.config.is_some() && (self.caller_set_timeout() || self.options.timeout.is_some()) {
            return format!("Request exceeded the timeout sent in the request: {}ms", limit.as_millis());
        }
        format!("the provider did not answer within {} s", limit.as_secs_f64())
    }

    /// How long it may take: a stream to its first content, a whole reply to its last byte.
    pub(crate) fn limit(&self) -> Option<Duration> {
        let timeouts = self.timeouts();
        if self.request.stream { timeouts.first_token } else { timeouts.whole }
    }

    /// The timeouts in force: the request's, else the stop's, else the deployment's.
    pub(crate) fn timeouts(&self) -> Timeouts {
        let own = self.deployment.timeouts;
        let controls = &self.request.controls;
        let asked = if self.request.stream { controls.stream_timeout.or(controls.timeout) } else { controls.timeout };
        let asked = asked.or(self.options.timeout);
        match asked {
            None => own,
            Some(limit) => Timeouts { whole: Some(limit), first_token: Some(limit), idle: own.idle },
        }
    }

    /// Whether a timeout would be the caller's own doing.
    pub(crate) fn caller_set_timeout(&self) -> bool {
        self.request.controls.timeout.is_some() || self.request.controls.stream_timeout.is_some()
    }

    async fn send(&self, world: &World) -> Result<UpstreamResponse, Failure> {
        let outgoing = Outgoing {
            deployment: self.deployment,
            model: self.upstream_model,
            operation: self.request.operation,
            payload: &self.request.payload,
            stream: self.request.stream,
            options: self.options,
            headers: self.request.controls.config.as_ref().map_or(&[], |config| &config.headers),
            request_id: &self.request.id,
        };
        if let Some(text) = &self.request.controls.mock_response {
            return Ok(simulated::mock(&mock_reply(text), &outgoing, world.now()));
        }
        if let Some(mock) = &self.deployment.mock {
            if !mock.delay.is_zero() {
                tokio::time::sleep(mock.delay).await;
            }
            return Ok(simulated::mock(&mock.reply, &outgoing, world.now()));
        }
        match self.deployment.endpoint.wire {
            Wire::Simulated => Ok(simulated::respond(&outgoing, world.now())),
            Wire::OpenAi => world.transport().send(encode(&outgoing)?, self.reach()).await,
        }
    }

    /// How far the call may go.
    fn reach(&self) -> Reach {
        if self.deployment.endpoint.is_foreign { Reach::Foreign } else { Reach::Configured }
    }

    /// Takes over what the provider says it has counted, where that is held against a limit here. What a client's own key
    /// has left says nothing about ours.
    fn hear(&self, headers: &http::HeaderMap, world: &World) {
        let limits = &self.deployment.limits;
        if (limits.rpm.is_none() && limits.tpm.is_none()) || self.options.credentials.is_some() {
            return;
        }
        let feedback = remaining::read(headers, world.now());
        if !feedback.is_silent() {
            world.state().observe(self.deployment, feedback, self.counted, world.now());
        }
    }

    async fn read(&self, response: UpstreamResponse, world: &World, sent: Instant) -> Result<Reply, Failure> {
        let (parts, body) = response.into_parts();
        self.hear(&parts.headers, world);
        if !parts.status.is_success() {
            let bytes = collect(body, LONGEST_ERROR).await.unwrap_or_default();
            return Err(failure::classify(parts.status.as_u16(), &parts.headers, &bytes, world.now()));
        }
        let content_type = header(&parts.headers, "content-type").unwrap_or("application/json").to_owned();
        let headers = passed_on(&parts.headers);
        if self.request.stream && content_type.starts_with("text/event-stream") {
            let strip_usage = self.deployment.endpoint.stream_usage && !self.request.stream_usage;
            let opened = stream::open(body, EventReader::new(ReaderOptions { strip_usage }), sent).await?;
            return Ok(Reply { content_type, headers, body: ReplyBody::Stream(Box::new(opened)) });
        }
        let bytes = collect(body, LONGEST_REPLY).await?;
        let facts = whole::read(&bytes, self.request.operation)?;
        Ok(Reply { content_type, headers, body: ReplyBody::Whole { bytes, usage: facts.usage, took: sent.elapsed() } })
    }
}

/// What a failure of this call means for its deployment.
pub(crate) fn judge(failure: &Failure, call: &Call<'_>) -> CooldownVerdict {
    weighbridge_routing::cooldown::verdict(
        failure,
        &call.deployment.cooldown,
        call.request.controls.cooldown_time,
        call.caller_set_timeout(),
    )
}

/// A body in one piece, `limit` bytes at most.
async fn collect(mut body: BodyStream, limit: usize) -> Result<Bytes, Failure> {
    let mut first = match body.next().await {
        None => return Ok(Bytes::new()),
        Some(chunk) => chunk?,
    };
    let mut all: Option<BytesMut> = None;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        let all = all.get_or_insert_with(|| BytesMut::from(std::mem::take(&mut first)));
        if all.len() + chunk.len() > limit {
            return Err(Failure::new(FailureKind::BrokenReply, "the provider's reply is too long"));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.map_or(first, BytesMut::freeze))
}

fn header<'a>(headers: &'a http::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The provider's headers a client has a use for.
fn passed_on(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let wanted = |name: &str| {
        name.starts_with("x-ratelimit-")
            || name.starts_with("anthropic-ratelimit-")
            || name == "openai-processing-ms"
            || name == "content-disposition"
    };
    headers
        .iter()
        .filter(|(name, _)| wanted(name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// A `mock_response`: text, or one of `LiteLLM`'s error names.
fn mock_reply(text: &str) -> MockReply {
    let kind = match text.strip_prefix("litellm.").unwrap_or_default() {
        "RateLimitError" => FailureKind::RateLimited,
        "InternalServerError" | "APIError" => FailureKind::ServerError,
        "ContextWindowExceededError" => FailureKind::ContextWindow,
        "ContentPolicyViolationError" => FailureKind::ContentPolicy,
        "AuthenticationError" | "PermissionDeniedError" => FailureKind::Authentication,
        "NotFoundError" => FailureKind::NotFound,
        "BadRequestError" | "UnprocessableEntityError" => FailureKind::BadRequest,
        "Timeout" => FailureKind::Timeout,
        "ServiceUnavailableError" => FailureKind::Overloaded,
        "APIConnectionError" => FailureKind::Unreachable,
        _ => return MockReply::Text(text.to_owned()),
    };
    MockReply::Failure(kind)
}

//! One upstream call, from the granted permit to its settlement. Whole replies and streams alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weighbridge_domain::deployment::{Deployment, MockReply};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::plan::StopOptions;
use weighbridge_domain::policy::{CooldownVerdict, Timeouts};
use weighbridge_domain::provider::Wire;
use weighbridge_domain::request::{Operation, Request};
use weighbridge_domain::usage::Usage;
use weighbridge_providers::encode::{Encoded, Outgoing, encode};
use weighbridge_providers::simulated;
use weighbridge_providers::transport::{Reach, UpstreamResponse};
use weighbridge_state::Counted;
use weighbridge_wire::embeddings::Embed;
use weighbridge_wire::exchange::Exchange;
use weighbridge_wire::format::Labels;
use weighbridge_wire::losses::Losses;
use weighbridge_wire::remaining;

use crate::reading::Reading;
use crate::stream::Opened;
use crate::world::World;

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
    /// What the deployment's format could not say of the request.
    pub(crate) losses: Losses,
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
            let Sent { response, exchange, losses, embed } = self.send(world).await?;
            let reading = Reading { call: self, exchange, embed, labels: self.labels(world), sent };
            Ok(Reply { losses, ..reading.read(response, world).await? })
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

    async fn send(&self, world: &World) -> Result<Sent, Failure> {
        let outgoing = Outgoing {
            deployment: self.deployment,
            model: self.upstream_model,
            operation: self.request.operation,
            payload: &self.request.payload,
            stream: self.request.stream,
            options: self.options,
            headers: self.request.controls.config.as_ref().map_or(&[], |config| &config.headers),
            format_headers: &self.request.format_headers,
            request_id: &self.request.id,
        };
        if let Some(response) = self.made_up(&outgoing, world).await {
            let exchange = Exchange::between(self.request.operation, Wire::Simulated, false)?;
            return Ok(Sent { response, exchange, losses: Losses::default(), embed: Embed::default() });
        }
        let endpoint = &self.deployment.endpoint;
        let wire = endpoint.wire_of(self.upstream_model);
        let exchange = Exchange::between(self.request.operation, wire, endpoint.responses)?;
        let Encoded { mut request, losses, embed } = encode(&outgoing, exchange)?;
        world.credentials().authorize(&outgoing.auth(), &mut request).await?;
        let response = world.transport().send(request, self.reach()).await?;
        Ok(Sent { response, exchange, losses, embed })
    }

    /// A reply that nobody has to be asked for.
    async fn made_up(&self, outgoing: &Outgoing<'_>, world: &World) -> Option<UpstreamResponse> {
        if let Some(text) = &self.request.controls.mock_response {
            return Some(simulated::mock(&mock_reply(text), outgoing, world.now()));
        }
        if let Some(mock) = &self.deployment.mock {
            if !mock.delay.is_zero() {
                tokio::time::sleep(mock.delay).await;
            }
            return Some(simulated::mock(&mock.reply, outgoing, world.now()));
        }
        let wire = self.deployment.endpoint.wire_of(self.upstream_model);
        // Who cannot count is spared the question: an estimate is what there is.
        let is_guess = self.request.operation == Operation::CountTokens && wire != Wire::Anthropic;
        (wire == Wire::Simulated || is_guess).then(|| simulated::respond(outgoing, world.now()))
    }

    fn labels(&self, world: &World) -> Labels {
        Labels {
            request_id: self.request.id.to_string(),
            model: self.upstream_model.to_owned(),
            created: world.now().as_secs(),
        }
    }

    /// How far the call may go.
    fn reach(&self) -> Reach {
        if self.deployment.endpoint.is_foreign { Reach::Foreign } else { Reach::Configured }
    }

    /// Takes over what the provider says it has counted, where that is held against a limit here. What a client's own key
    /// has left says nothing about ours.
    pub(crate) fn hear(&self, headers: &http::HeaderMap, world: &World) {
        let limits = &self.deployment.limits;
        if (limits.rpm.is_none() && limits.tpm.is_none()) || self.options.credentials.is_some() {
            return;
        }
        let feedback = remaining::read(headers, world.now());
        if !feedback.is_silent() {
            world.state().observe(self.deployment, feedback, self.counted, world.now());
        }
    }
}

/// A request that was sent, and what is known of its answer: the head.
struct Sent {
    response: UpstreamResponse,
    exchange: Exchange,
    losses: Losses,
    embed: Embed,
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

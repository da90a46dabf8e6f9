//! One line for every request, and one for whatever changes what happens to the next.

use std::fmt::Write;

use tracing::{info, warn};
use weighbridge_domain::event::{AttemptRecord, Event, Observer, RequestRecord};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::time::millis;

/// Prints events as log lines of the target `weighbridge`. A line holds names, numbers and times:
/// never a body, a key or a header's value.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestLog;

/// The most characters of a client's model name that a line shows.
const LONGEST_MODEL: usize = 128;

impl Observer for RequestLog {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::RequestFinished(record) => request(record),
            Event::CooldownStarted { deployment, cause, lasts, .. } => {
                let (deployment, cause, ms) = (deployment.as_str(), cause.label(), millis(lasts));
                warn!(target: "weighbridge", deployment, cause, ms, "cooldown started");
            }
            Event::CooldownEnded { deployment } => {
                info!(target: "weighbridge", deployment = deployment.as_str(), "cooldown ended");
            }
            Event::LeastBadTried { deployment } => {
                warn!(target: "weighbridge", deployment = deployment.as_str(), "least bad of a cooling group tried");
            }
            Event::ConfigLoaded { generation, fingerprint, deployments, left_out } => {
                info!(target: "weighbridge", generation, fingerprint, deployments, left_out, "config loaded");
            }
            Event::ConfigRefused { problems } => {
                let problems = problems.lines().collect::<Vec<_>>().join("; ");
                warn!(target: "weighbridge", problems, "config refused, the old one stays");
            }
            // What modes in which limits hold for the whole fleet are called.
            Event::StoreModeChanged { mode: mode @ ("embedded" | "shared"), reason } => {
                info!(target: "weighbridge", mode, reason, "the fleet's limits are exact");
            }
            Event::StoreModeChanged { mode, reason } => {
                warn!(target: "weighbridge", mode, reason, "the fleet's limits are not exact");
            }
            Event::StoreReplayed { windows } => {
                info!(target: "weighbridge", windows, "told the store what was granted here");
            }
            Event::ReplicaReaped { in_flight } => {
                warn!(target: "weighbridge", in_flight, "a replica vanished: its requests in flight are off the books");
            }
            Event::StoreWarned { what } => warn!(target: "weighbridge", what, "the shared store wants attention"),
            // Counted, not printed: there may be thousands a second.
            Event::StoreCalled { .. } => {}
            // Told by the request's own line.
            Event::RequestStarted { .. }
            | Event::AttemptFinished { .. }
            | Event::Retried { .. }
            | Event::FellBack { .. }
            | Event::FirstToken { .. }
            | Event::InterToken { .. }
            | Event::PromptCounted { .. }
            | Event::Settled { .. } => {}
        }
    }
}

/// Prints one request at the level and with the words given; what is not known is left out.
macro_rules! line {
    ($level:ident, $record:expr, $message:literal) => {{
        let record: &RequestRecord = $record;
        tracing::$level!(
            target: "weighbridge",
            request_id = &*record.request_id,
            trace_id = Some(&*record.trace_id).filter(|trace| **trace != *record.request_id),
            model = clipped(&record.model),
            group = record.group.as_ref().map(|group| group.as_str()),
            deployment = record.deployment.as_ref().map(|id| id.as_str()),
            status = record.status,
            kind = record.kind.map(|kind| kind.label()),
            ms = record.ms,
            first_token_ms = record.first_token_ms,
            attempts = attempts(&record.attempts),
            retries = record.retries,
            fallbacks = record.fallbacks,
            tokens_in = record.usage.map(|usage| usage.prompt_tokens),
            tokens_out = record.usage.map(|usage| usage.completion_tokens),
            cost = record.cost,
            stream = record.stream,
            client_gone = record.client_gone,
            plan = Some(&*record.plan_path).filter(|path| !path.is_empty()),
            $message
        );
    }};
}

fn request(record: &RequestRecord) {
    if record.client_gone {
        line!(info, record, "request given up by its client");
    } else if record.kind.is_some_and(is_routine) {
        line!(info, record, "request refused");
    } else if record.kind.is_some() || record.status >= 400 {
        line!(warn, record, "request failed");
    } else {
        line!(info, record, "request served");
    }
}

/// Whether there is nothing to mend here: a limit has held, or the client asked for what cannot be.
const fn is_routine(kind: FailureKind) -> bool {
    match kind {
        FailureKind::AtLimit | FailureKind::BadRequest | FailureKind::ContextWindow | FailureKind::ContentPolicy => {
            true
        }
        FailureKind::Authentication
        | FailureKind::Quota
        | FailureKind::NotFound
        | FailureKind::RateLimited
        | FailureKind::ServerError
        | FailureKind::Overloaded
        | FailureKind::Timeout
        | FailureKind::Unreachable
        | FailureKind::BrokenReply
        | FailureKind::AllCooling
        | FailureKind::NoCandidate => false,
    }
}

/// `azure-eu 429 12ms, azure-us 200 310ms`; where nobody could be called, why: `none at_limit`.
fn attempts(attempts: &[AttemptRecord]) -> Option<String> {
    let mut text = String::new();
    for attempt in attempts {
        let comma = if text.is_empty() { "" } else { ", " };
        let written = match (&attempt.deployment, attempt.kind) {
            (None, Some(kind)) => write!(text, "{comma}none {}", kind.label()),
            (None, None) => write!(text, "{comma}none {}", attempt.status),
            (Some(id), _) => write!(text, "{comma}{id} {} {}ms", attempt.status, attempt.ms),
        };
        // Writing to a String cannot fail.
        written.ok()?;
    }
    (!text.is_empty()).then_some(text)
}

/// The start of `model`, which a client may have made as long as it liked.
fn clipped(model: &str) -> &str {
    model.char_indices().nth(LONGEST_MODEL).map_or(model, |(end, _)| &model[..end])
}

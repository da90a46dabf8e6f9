//! What is written down of a request while it runs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::event::{AttemptRecord, Event, Observer, RequestRecord};
use weighbridge_domain::failure::FailureKind;
use weighbridge_domain::name::{DeploymentId, GroupName};
use weighbridge_domain::request::Request;
use weighbridge_domain::time::{Timestamp, millis};
use weighbridge_domain::usage::Usage;

use crate::answer::AnswerHead;
use crate::clock::Clock;

/// The status noted for a client that hung up, as nginx has it.
const CLIENT_GONE: u16 = 499;
/// The longest metadata that is kept in a record, in bytes.
const LONGEST_METADATA: usize = 2048;

/// The record of one request. Told to the observer once: when the request ends, or when this is
/// dropped because the client hung up.
#[derive(Debug)]
pub(crate) struct Journal {
    observer: Arc<dyn Observer>,
    clock: Clock,
    started: Timestamp,
    head: AnswerHead,
    record: Option<RequestRecord>,
}

impl Journal {
    pub(crate) fn open(observer: Arc<dyn Observer>, clock: Clock, request: &Request) -> Self {
        let started = clock.now();
        observer.observe(&Event::RequestStarted { operation: request.operation });
        let record = RequestRecord {
            request_id: Arc::clone(&request.id),
            trace_id: Arc::clone(&request.trace_id),
            metadata: request.controls.metadata.as_deref().and_then(short),
            time: started,
            operation: request.operation,
            model: request.model.clone(),
            group: None,
            deployment: None,
            status: CLIENT_GONE,
            kind: None,
            stream: request.stream,
            client_gone: true,
            attempts: Vec::new(),
            retries: 0,
            fallbacks: 0,
            plan_path: Cow::Borrowed(""),
            usage: None,
            cost: None,
            ms: 0,
            first_token_ms: None,
        };
        let head = AnswerHead { by_config: request.controls.config.is_some(), ..AnswerHead::default() };
        Self { observer, clock, started, head, record: Some(record) }
    }

    /// Where the request has got to.
    pub(crate) fn head(&self) -> &AnswerHead {
        &self.head
    }

    /// The request is over: where it has got to.
    pub(crate) fn closed(mut self, status: u16, kind: Option<FailureKind>) -> AnswerHead {
        self.close(status, kind);
        std::mem::take(&mut self.head)
    }

    /// The way it will take.
    pub(crate) fn itinerary(&mut self, text: String) {
        self.head.itinerary = text;
    }

    /// A stop begins.
    pub(crate) fn stop(&mut self, group: Option<&GroupName>, path: Cow<'static, str>) {
        self.head.group = group.cloned();
        self.head.plan_path = path;
    }

    /// A deployment is about to be called.
    pub(crate) fn calling(&mut self, deployment: &Arc<Deployment>, timeout: Option<Duration>) {
        self.head.deployment = Some(Arc::clone(deployment));
        self.head.timeout = timeout;
    }

    /// A call is over.
    pub(crate) fn attempt(&mut self, deployment: &Deployment, status: u16, kind: Option<FailureKind>, took: Duration) {
        let attempt = AttemptRecord { deployment: Some(deployment.id.clone()), status, kind, ms: millis(took) };
        self.observer.observe(&Event::AttemptFinished {
            attempt: &attempt,
            group: &deployment.group,
            provider: &deployment.endpoint.provider,
        });
        self.head.attempts.push(attempt);
    }

    /// A deployment counted a prompt that was estimated.
    pub(crate) fn prompt_counted(&self, deployment: &DeploymentId, ratio: f64) {
        self.observer.observe(&Event::PromptCounted { deployment, ratio });
    }

    /// Nobody could be called.
    pub(crate) fn nobody(&mut self, status: u16, kind: FailureKind) {
        self.head.attempts.push(AttemptRecord { deployment: None, status, kind: Some(kind), ms: 0 });
    }

    /// The stop is tried again, as it may be `allowed` times.
    pub(crate) fn retried(&mut self, group: &GroupName, kind: FailureKind, allowed: u32) {
        self.head.retries += 1;
        self.head.max_retries = Some(allowed);
        self.observer.observe(&Event::Retried { group, kind });
    }

    /// The stop is not tried again, though it might have been: the provider wants too long a pause.
    pub(crate) fn gave_up(&mut self) {
        self.head.gave_up = true;
    }

    /// The next stop is taken.
    pub(crate) fn fell_back(&mut self, from: &str, to: &str, kind: FailureKind) {
        self.head.fallbacks += 1;
        self.observer.observe(&Event::FellBack { from, to, kind });
    }

    /// The first token is on its way to the client.
    pub(crate) fn first_token(&mut self, deployment: &DeploymentId, after: Duration) {
        self.observer.observe(&Event::FirstToken { deployment, after });
        let ms = millis(self.clock.now().since(self.started));
        if let Some(record) = &mut self.record {
            record.first_token_ms = Some(ms);
        }
    }

    /// A stream is over, `mean` between two of its content events.
    pub(crate) fn inter_token(&self, deployment: &DeploymentId, mean: Duration) {
        self.observer.observe(&Event::InterToken { deployment, mean });
    }

    /// What it used, and what that costs.
    pub(crate) fn used(&mut self, usage: Usage, cost: Option<f64>) {
        self.head.cost = cost;
        if let Some(record) = &mut self.record {
            record.usage = Some(usage);
            record.cost = cost;
        }
    }

    /// The request is over.
    pub(crate) fn close(&mut self, status: u16, kind: Option<FailureKind>) {
        if let Some(record) = &mut self.record {
            record.status = status;
            record.kind = kind;
            record.client_gone = false;
        }
        self.tell();
    }

    fn tell(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        record.group.clone_from(&self.head.group);
        record.deployment = self.head.deployment.as_ref().map(|deployment| deployment.id.clone());
        record.attempts.clone_from(&self.head.attempts);
        record.retries = self.head.retries;
        record.fallbacks = self.head.fallbacks;
        record.plan_path.clone_from(&self.head.plan_path);
        record.ms = millis(self.clock.now().since(self.started));
        self.observer.observe(&Event::RequestFinished(&Arc::new(record)));
    }
}

/// What a client said about a request; nothing when it said too much.
fn short(metadata: &RawValue) -> Option<String> {
    Some(metadata.get()).filter(|text| text.len() <= LONGEST_METADATA).map(str::to_owned)
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.tell();
    }
}

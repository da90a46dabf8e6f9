//! What a client reads of a stream: peeked at until the first content, then passed on.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, Sleep};
use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::limits::Tokens;
use weighbridge_domain::policy::CooldownVerdict;
use weighbridge_domain::usage::{Price, Usage};
use weighbridge_providers::transport::BodyStream;
use weighbridge_state::{LatencySample, Outcome};
use weighbridge_wire::sse::Piece;
use weighbridge_wire::stream::StreamReader;

use crate::journal::Journal;
use crate::permit::Permit;
use crate::tokens::Lesson;

/// An upstream's stream of which the first content event has arrived.
pub(crate) struct Opened {
    pub(crate) body: BodyStream,
    pub(crate) reader: StreamReader,
    /// What arrived so far, to be passed on first.
    pub(crate) held: Vec<Piece>,
    pub(crate) first_token: Duration,
}

/// Reads `body` until its first content event.
///
/// # Errors
/// When it fails, breaks or ends before there was any content: nothing was passed on, so another
/// deployment may be asked.
pub(crate) async fn open(mut body: BodyStream, mut reader: StreamReader, sent: Instant) -> Result<Opened, Failure> {
    let mut held = Vec::new();
    while let Some(chunk) = body.next().await {
        for mut piece in reader.feed(chunk?) {
            if let Some(failure) = piece.failure.take() {
                return Err(failure);
            }
            held.push(piece);
        }
        if held.iter().any(|piece| piece.content_events > 0) {
            return Ok(Opened { body, reader, held, first_token: sent.elapsed() });
        }
    }
    let end = reader.end();
    let failure = end.rest.and_then(|piece| piece.failure).or(end.failure);
    Err(failure
        .unwrap_or_else(|| Failure::new(FailureKind::BrokenReply, "the provider's stream ended without content")))
}

/// A committed stream: whatever goes wrong from here on reaches the client as an event.
pub(crate) struct Committed {
    pub(crate) permit: Permit,
    pub(crate) journal: Journal,
    pub(crate) deployment: Arc<Deployment>,
    /// What its tokens cost, where that is known.
    pub(crate) price: Option<Price>,
    /// Where its count of the prompt is learned from.
    pub(crate) lesson: Lesson,
    /// The longest silence between two chunks.
    pub(crate) idle: Option<Duration>,
    pub(crate) prompt_tokens: u32,
    /// What a failure from here on means for the deployment.
    pub(crate) judge: fn(&Failure, &Deployment) -> CooldownVerdict,
}

/// The events of a committed stream, and its accounts.
pub(crate) struct Relay {
    body: BodyStream,
    reader: StreamReader,
    ready: VecDeque<Bytes>,
    /// Goes off when the silence may have lasted too long. It is set again then, and not by every chunk.
    alarm: Option<Pin<Box<Sleep>>>,
    /// When something was heard last.
    heard: Instant,
    tally: Tally,
    first_token: Duration,
    committed: Option<Committed>,
}

#[derive(Debug, Default)]
struct Tally {
    usage: Option<Usage>,
    delivered: u32,
    content_events: u32,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Relay {
    pub(crate) fn new(opened: Opened, committed: Committed) -> Self {
        let alarm = committed.idle.map(|idle| Box::pin(tokio::time::sleep(idle)));
        let mut relay = Self {
            body: opened.body,
            reader: opened.reader,
            ready: VecDeque::new(),
            alarm,
            heard: Instant::now(),
            tally: Tally::default(),
            first_token: opened.first_token,
            committed: Some(committed),
        };
        relay.accept(opened.held);
        relay
    }

    /// Counts `pieces` and queues their bytes as one.
    fn accept(&mut self, pieces: Vec<Piece>) {
        let mut failure = None;
        let mut parts: Vec<Bytes> = Vec::with_capacity(pieces.len());
        for mut piece in pieces {
            failure = piece.failure.take();
            self.tally.count(&piece, self.heard);
            if !piece.bytes.is_empty() {
                parts.push(piece.bytes);
            }
            if failure.is_some() {
                break;
            }
        }
        match parts.len() {
            0 => {}
            1 => self.ready.extend(parts),
            _ => self.ready.push_back(parts.concat().into()),
        }
        let delivered = self.tally.tokens(self.committed.as_ref().map_or(0, |c| c.prompt_tokens));
        if let Some(committed) = &mut self.committed {
            committed.permit.delivered(delivered);
        }
        // The provider's own error event has just been queued: it is the end.
        if let Some(failure) = failure {
            self.finish(Some(failure));
        }
    }

    /// Ends the stream with an error event, after which there is no `[DONE]`.
    fn break_off(&mut self, failure: Failure) {
        let last_words = self.reader.last_words(&failure);
        self.ready.push_back(last_words);
        self.finish(Some(failure));
    }

    /// Closes the accounts.
    fn finish(&mut self, failure: Option<Failure>) {
        let Some(mut committed) = self.committed.take() else { return };
        if let Some(usage) = &self.tally.usage {
            committed.lesson.learn(usage, &committed.journal);
        }
        let usage = self.tally.usage.unwrap_or_else(|| Usage {
            prompt_tokens: committed.prompt_tokens,
            completion_tokens: self.tally.delivered,
            ..Usage::default()
        });
        let cost = committed.price.map(|price| price.cost(&usage));
        committed.journal.used(usage, cost);
        if let Some(mean) = self.tally.mean_gap() {
            committed.journal.inter_token(&committed.deployment.id, mean);
        }
        let outcome = match &failure {
            Some(failure) => {
                Outcome::Failure { kind: failure.kind, verdict: (committed.judge)(failure, &committed.deployment) }
            }
            None => Outcome::Success { sample: Some(self.sample(&usage)) },
        };
        committed.permit.settle(Some(usage.tokens()), outcome);
        // The status is long sent; what the log tells is how it ended.
        committed.journal.close(200, failure.map(|failure| failure.kind));
    }

    fn sample(&self, usage: &Usage) -> LatencySample {
        let rest = match (self.tally.first, self.tally.last) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        };
        LatencySample { first_token: self.first_token, rest, tokens: usage.completion_tokens, is_stream: true }
    }

    /// Whether the silence has lasted too long.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let idle = self.committed.as_ref().and_then(|committed| committed.idle);
        let (Some(alarm), Some(idle)) = (&mut self.alarm, idle) else { return false };
        while alarm.as_mut().poll(cx).is_ready() {
            let end = self.heard + idle;
            if Instant::now() >= end {
                return true;
            }
            alarm.as_mut().reset(end);
        }
        false
    }
}

impl Stream for Relay {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            if self.committed.is_none() {
                return Poll::Ready(None);
            }
            match self.body.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    self.heard = Instant::now();
                    let pieces = self.reader.feed(chunk);
                    self.accept(pieces);
                }
                Poll::Ready(Some(Err(failure))) => self.break_off(failure),
                Poll::Ready(None) => {
                    let end = self.reader.end();
                    self.accept(end.rest.into_iter().collect());
                    match end.failure {
                        Some(failure) => self.break_off(failure),
                        None => self.finish(None),
                    }
                }
                Poll::Pending if self.is_overdue(cx) => {
                    self.break_off(Failure::new(FailureKind::Timeout, "the provider's stream fell silent"));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Relay {
    /// The client hung up: its bill is what was delivered; the deployment is not to blame.
    fn drop(&mut self) {
        let Some(mut committed) = self.committed.take() else { return };
        let used = self.tally.tokens(committed.prompt_tokens);
        let usage = self.tally.usage.unwrap_or_else(|| Usage {
            prompt_tokens: used.input,
            completion_tokens: used.output,
            ..Usage::default()
        });
        let cost = committed.price.map(|price| price.cost(&usage));
        committed.journal.used(usage, cost);
        committed.permit.settle(Some(used), Outcome::Neutral);
    }
}

impl Tally {
    fn count(&mut self, piece: &Piece, now: Instant) {
        if let Some(usage) = piece.usage {
            self.usage = Some(usage);
        }
        self.delivered = self.delivered.saturating_add(piece.delivered_tokens);
        if piece.content_events > 0 {
            self.content_events += piece.content_events;
            self.first.get_or_insert(now);
            self.last = Some(now);
        }
    }

    /// What is charged for: the provider's word, else what was seen.
    fn tokens(&self, prompt_tokens: u32) -> Tokens {
        match self.usage {
            Some(usage) => usage.tokens(),
            None => Tokens { input: prompt_tokens, output: self.delivered },
        }
    }

    fn mean_gap(&self) -> Option<Duration> {
        let span = self.last? - self.first?;
        (self.content_events > 1).then(|| span / (self.content_events - 1))
    }
}

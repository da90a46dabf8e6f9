//! Where requests to a deployment go and the headers they have in common, made once.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, Uri};
use weighbridge_domain::failure::Failure;
use weighbridge_domain::request::{Operation, Payload};
use weighbridge_wire::exchange::Exchange;

use super::{Outgoing, headers, url};

/// The most heads that are kept of a deployment: one that serves whatever model it is asked for has no end of them.
const MOST: usize = 16;

/// The heads of a deployment's requests so far.
#[derive(Default)]
pub(super) struct Heads(ArcSwap<Vec<Arc<Head>>>);

/// What stands before the body of all requests of one kind.
pub(super) struct Head {
    operation: Operation,
    exchange: Exchange,
    stream: bool,
    model: String,
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
}

impl Heads {
    /// The head of `outgoing`, but for what its client and its request bring along.
    ///
    /// # Errors
    /// As [`super::encode`].
    pub(super) fn of(outgoing: &Outgoing<'_>, exchange: Exchange) -> Result<Arc<Head>, Failure> {
        let heads = outgoing.deployment.sent.get_or_make(Self::default).filter(|_| is_common(outgoing));
        let known = heads.and_then(|heads| heads.0.load().iter().find(|head| head.is_of(outgoing, exchange)).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let head = Arc::new(Head::new(outgoing, exchange)?);
        if let Some(heads) = heads {
            heads.keep(&head);
        }
        Ok(head)
    }

    fn keep(&self, head: &Arc<Head>) {
        // Two that come at once may keep two that are alike: the first is found.
        self.0.rcu(|heads| {
            let mut heads = heads.as_ref().clone();
            if heads.len() < MOST {
                heads.push(Arc::clone(head));
            }
            heads
        });
    }
}

impl Head {
    fn new(outgoing: &Outgoing<'_>, exchange: Exchange) -> Result<Self, Failure> {
        Ok(Self {
            operation: outgoing.operation,
            exchange,
            stream: outgoing.stream,
            model: outgoing.model.to_owned(),
            url: url::of(outgoing, exchange)?,
            headers: headers::common(outgoing, exchange)?,
        })
    }

    fn is_of(&self, outgoing: &Outgoing<'_>, exchange: Exchange) -> bool {
        (self.operation, self.exchange, self.stream) == (outgoing.operation, exchange, outgoing.stream)
            && self.model == outgoing.model
    }
}

/// Whether nothing of the head is this request's own: no client's key, no form with a boundary.
fn is_common(outgoing: &Outgoing<'_>) -> bool {
    outgoing.options.credentials.is_none() && matches!(outgoing.payload, Payload::Json(_))
}

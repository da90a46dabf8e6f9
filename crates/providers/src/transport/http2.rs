//! A connection that many requests share.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::Request;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;
use weighbridge_domain::failure::Failure;

use super::connect::{CONNECT_TIMEOUT, Io, took_too_long};
use super::gather::Gathered;
use super::http1::Unsent;
use super::{BodyStream, UpstreamResponse, broken, broken_off};

/// How often a connection with open requests is asked whether it is still there, and how long the answer may take:
/// all its requests would wait for nothing.
const PING: Duration = Duration::from_secs(60);
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether a new connection has said how much it takes.
const LISTEN: Duration = Duration::from_millis(1);

/// Such a connection. A task drives it; it ends with the last handle.
#[derive(Debug, Clone)]
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    streams: Arc<Streams>,
}

/// How many requests are open on a connection, and how many may be.
#[derive(Debug)]
struct Streams {
    open: AtomicUsize,
    most: AtomicUsize,
    /// When the last of them ended.
    ended: Mutex<Instant>,
}

/// A place on a connection; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Http2);

impl Http2 {
    /// A connection over `io`, once the provider has said how many requests it takes at once: what is sent before and is
    /// too much would be refused.
    pub(super) async fn open(io: Io) -> Result<Self, Failure> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING_PATIENCE);
        builder.initial_max_send_streams(0);
        let (sender, mut driver) = builder.handshake(io).await.map_err(|error| broken(&error))?;
        // Nobody is woken when it has, which happens as soon as the connection stands.
        let said = async {
            while driver.current_max_send_streams() == 0 && !sender.is_closed() {
                tokio::time::sleep(LISTEN).await;
            }
        };
        if tokio::time::timeout(CONNECT_TIMEOUT, said).await.is_err() {
            return Err(took_too_long());
        }
        let most = AtomicUsize::new(driver.current_max_send_streams());
        let streams = Arc::new(Streams { open: AtomicUsize::new(0), most, ended: Mutex::new(Instant::now()) });
        let told = Arc::clone(&streams);
        tokio::spawn(async move {
            let ended = poll_fn(|cx| {
                let polled = Pin::new(&mut driver).poll(cx);
                told.most.store(driver.current_max_send_streams(), Ordering::Relaxed);
                polled
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "an HTTP/2 connection to a provider ended");
            }
        });
        Ok(Self { sender, streams })
    }

    /// A place for one request, unless as many are open as the provider allows, or the connection is at its end.
    pub(super) fn take_place(&self) -> Option<Place> {
        if self.sender.is_closed() {
            return None;
        }
        let most = self.streams.most.load(Ordering::Relaxed);
        let one_more = |open| (open < most).then_some(open + 1);
        let taken = self.streams.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.is_ok().then(|| Place(self.clone()))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// How many requests it may have open at once.
    #[cfg(test)]
    pub(super) fn most(&self) -> usize {
        self.streams.most.load(Ordering::Relaxed)
    }

    /// For how long nobody has used it.
    pub(super) fn idle_for(&self, now: Instant) -> Duration {
        match self.streams.open.load(Ordering::Relaxed) {
            0 => now.duration_since(*self.streams.ended.lock().unwrap_or_else(PoisonError::into_inner)),
            _ => Duration::ZERO,
        }
    }
}

impl Place {
    /// Sends `request`.
    pub(super) async fn send(mut self, request: Request<Full<Bytes>>) -> Result<UpstreamResponse, Unsent> {
        match self.0.sender.try_send_request(request).await {
            Ok(response) => Ok(response.map(|incoming| Box::pin(Http2Body { incoming, _place: self }) as BodyStream)),
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Unsent::Whole(request),
                None => Unsent::Broken(broken(error.error())),
            }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.streams.ended.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.streams.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer. Dropping it before its end cancels the request.
struct Http2Body {
    incoming: Incoming,
    _place: Place,
}

impl Stream for Http2Body {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut gathered = Gathered::default();
        while !gathered.is_enough() {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        gathered.add(data);
                    }
                }
                Poll::Ready(end) if gathered.is_empty() => {
                    return Poll::Ready(end.and_then(Result::err).map(|error| Err(broken_off(&error))));
                }
                // It is said again when this is asked again: what ends a body ends it for good.
                Poll::Ready(_) => break,
                Poll::Pending if gathered.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(gathered.take().map(Ok))
    }
}

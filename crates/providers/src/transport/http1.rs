//! A connection that takes one request at a time.
//!
//! Whoever makes the request drives the connection: there is no task that would have to be woken to
//! write, read and hand over. While nobody uses it nobody looks at it, so that it is asked whether
//! it is still good before each use.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Weak;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use http::Request;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use tokio::time::Instant;
use weighbridge_domain::failure::Failure;

use super::connect::Io;
use super::gather::Gathered;
use super::pool::Origin;
use super::{BodyStream, UpstreamResponse, broken, broken_off};

/// Such a connection.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    /// What reads and writes when it is polled; gone once the connection has ended.
    driver: Option<Connection<Io, Full<Bytes>>>,
    /// Since when nobody has used it.
    pub(super) idle_since: Instant,
}

/// A request that came to nothing.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The connection had ended before anything was written: another one may take the request.
    Whole(Request<Full<Bytes>>),
    /// It broke, and nobody knows how much of it arrived.
    Broken(Failure),
}

impl Http1 {
    /// A connection over `io`.
    pub(super) async fn open(io: Io) -> Result<Box<Self>, Failure> {
        let (sender, driver) = handshake(io).await.map_err(|error| broken(&error))?;
        Ok(Box::new(Self { sender, driver: Some(driver), idle_since: Instant::now() }))
    }

    /// Whether it can take a request, as far as can be seen from here.
    pub(super) fn is_good(&mut self) -> bool {
        // Nobody waits for it, so nobody is to be woken: a waker would keep the memory of a task that has ended.
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends `request`, its URI in the form that a server takes. The connection goes back to `home` with the answer's end.
    pub(super) async fn send(
        mut self: Box<Self>,
        request: Request<Full<Bytes>>,
        home: Weak<Origin>,
    ) -> Result<UpstreamResponse, Unsent> {
        let answered = {
            let mut answer = pin!(self.sender.try_send_request(request));
            poll_fn(|cx| {
                if let Poll::Ready(answered) = answer.as_mut().poll(cx) {
                    return Poll::Ready(answered);
                }
                // Once it has ended it is dropped, and that answers.
                self.drive(cx);
                answer.as_mut().poll(cx)
            })
            .await
        };
        match answered {
            Ok(response) => Ok(response.map(|incoming| self.into_body(incoming, home))),
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Unsent::Whole(request),
                None => Unsent::Broken(broken(error.error())),
            }),
        }
    }

    fn into_body(self: Box<Self>, incoming: Incoming, home: Weak<Origin>) -> BodyStream {
        Box::pin(Http1Body { incoming, connection: Some(self), home, error: None, is_over: false })
    }

    /// Gets on with what there is to read and write.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(cx).is_ready()
        {
            self.driver = None;
        }
    }
}

/// The body of an answer, which brings its connection along. Dropping it before its end closes the connection.
struct Http1Body {
    incoming: Incoming,
    connection: Option<Box<Http1>>,
    home: Weak<Origin>,
    /// What ends the body, after what had arrived before it.
    error: Option<Failure>,
    is_over: bool,
}

impl Stream for Http1Body {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut gathered = Gathered::default();
        while !this.is_over && !gathered.is_enough() {
            match this.poll_part(cx) {
                Poll::Ready(Some(Ok(part))) => gathered.add(part),
                Poll::Ready(Some(Err(failure))) => this.end(Some(failure)),
                Poll::Ready(None) => this.end(None),
                Poll::Pending if gathered.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        match gathered.take() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None => Poll::Ready(this.error.take().map(Err)),
        }
    }
}

impl Http1Body {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let mut was_driven = false;
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Poll::Ready(Some(Ok(data))),
                    // Trailers say nothing to anybody here.
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(broken_off(&error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending if was_driven => return Poll::Pending,
                Poll::Pending => {}
            }
            let Some(connection) = &mut self.connection else { return Poll::Pending };
            connection.drive(cx);
            was_driven = true;
        }
    }

    fn end(&mut self, failure: Option<Failure>) {
        self.is_over = true;
        let is_whole = failure.is_none();
        self.error = failure;
        if let Some(mut connection) = self.connection.take()
            && is_whole
            && let Some(home) = self.home.upgrade()
            && connection.is_good()
        {
            home.keep(connection);
        }
    }
}

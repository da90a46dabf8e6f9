//! How an answer reaches the wire, at its pace and with its faults.

use std::future::pending;
use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::{HeaderValue, Response, Uri, header};
use tokio::time::sleep;

use crate::ask::Ask;
use crate::fault::Fault;
use crate::flight::Flight;
use crate::format::Format;
use crate::formats;
use crate::refusal::Refusal;
use crate::replies::Reply;
use crate::stage::{Outcome, Stage, Turn};
use crate::stream::{self, Step};
use crate::target::Target;

/// What the answer is to.
#[derive(Debug)]
pub(crate) struct Cue<'a> {
    pub(crate) target: Target<'a>,
    pub(crate) uri: &'a Uri,
    pub(crate) ask: &'a Ask,
    /// For `created`, in seconds.
    pub(crate) created: u64,
}

/// Plays a request's turn.
pub(crate) async fn play(stage: &Stage, cue: Cue<'_>, turn: Turn) -> Response<Body> {
    let Target { operation, format, .. } = cue.target;
    let Turn { mut flight, outcome, latency, headers, number, mut rng } = turn;
    if !latency.is_zero() {
        sleep(latency).await;
    }
    let mut response = match outcome {
        Outcome::Silence => pending().await,
        Outcome::Dictated(scripted) => {
            flight.land();
            Refusal::scripted(format, &scripted).response()
        }
        Outcome::Reply(further) => {
            let reply = Reply::new(stage, operation, cue.ask, (number, cue.created));
            let mut response = if cue.ask.stream && operation.writes() {
                let framing = formats::framing(format, cue.uri.query().unwrap_or_default());
                let error = formats::error_event(format);
                let steps = stream::steps(&stage.script, formats::events(format, &reply), framing, error, &mut rng);
                answer(body(steps, flight), framing.content_type())
            } else {
                let (bytes, content_type) = formats::whole(&reply, cue.target, cue.uri.path());
                if operation.writes() && !stage.script.error_in_200 {
                    flight.deliver(reply.completion());
                }
                whole(stage, format, (bytes, content_type), flight)
            };
            response.headers_mut().extend(further);
            response
        }
    };
    response.headers_mut().extend(headers);
    response
}

/// A whole reply, with the script's faults.
fn whole(
    stage: &Stage,
    format: Format,
    (mut bytes, content_type): (Vec<u8>, &'static str),
    flight: Flight,
) -> Response<Body> {
    let script = &stage.script;
    if script.error_in_200 {
        bytes = Refusal::of(format, Fault::MidAnswer).into_body().into_bytes();
    }
    let length = bytes.len();
    if script.invalid_json || script.cut_body {
        bytes.truncate(length / 2);
    }
    if script.cut_body {
        let steps = vec![Step::Send(bytes.into(), 0), Step::Abort];
        let mut response = answer(body(steps, flight), content_type);
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        return response;
    }
    flight.land();
    answer(Body::from(bytes), content_type)
}

fn answer(body: Body, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A body that takes its steps as it is read. To drop it before its end is to cancel the request.
fn body(steps: Vec<Step>, flight: Flight) -> Body {
    Body::from_stream(unfold((steps.into_iter(), Some(flight)), |(mut steps, mut flight)| async move {
        loop {
            match steps.next() {
                Some(Step::Wait(time)) => sleep(time).await,
                Some(Step::Send(bytes, tokens)) => {
                    flight.iter_mut().for_each(|flight| flight.deliver(tokens));
                    // Many clients do not read on after `[DONE]`: they did not cancel anything.
                    if steps.as_slice().is_empty() {
                        flight.take().into_iter().for_each(Flight::land);
                    }
                    return Some((Ok::<Bytes, io::Error>(bytes), (steps, flight)));
                }
                Some(Step::Abort) => {
                    // The server flushes while it waits; what was sent before the break arrives.
                    tokio::task::yield_now().await;
                    flight.take().into_iter().for_each(Flight::land);
                    return Some((Err(io::ErrorKind::ConnectionAborted.into()), (steps, flight)));
                }
                Some(Step::Silence) => pending().await,
                None => {
                    flight.take().into_iter().for_each(Flight::land);
                    return None;
                }
            }
        }
    }))
}

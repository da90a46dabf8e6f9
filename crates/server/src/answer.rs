//! Answers as clients read them: a body, or server-sent events as they come.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body::Frame;
use weighbridge_engine::answer::EventStream;
use weighbridge_engine::{Answer, AnswerBody};

use crate::admission::Slot;
use crate::headers::Stamp;

/// Tells nginx and its like to pass events on as they come.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The response for `answer`. A stream keeps `slot` to its end.
pub(crate) fn answered(answer: Answer, slot: Slot, stamp: &Stamp) -> Response {
    let (body, content_type) = match answer.body {
        AnswerBody::Whole(bytes) => (Body::from(bytes), whole_type(&answer.content_type)),
        AnswerBody::Stream(events) => {
            (Body::new(EventBody { events, _slot: slot }), HeaderValue::from_static("text/event-stream"))
        }
    };
    let is_stream = content_type == "text/event-stream";
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    stamp.answered(&answer.head, headers);
    stamp.upstream(&answer.upstream_headers, headers);
    headers.insert(CONTENT_TYPE, content_type);
    if is_stream {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    response
}

fn whole_type(content_type: &str) -> HeaderValue {
    match content_type {
        "application/json" => HeaderValue::from_static("application/json"),
        other => HeaderValue::from_str(other).unwrap_or(HeaderValue::from_static("application/octet-stream")),
    }
}

/// A body of events. Dropped when the client hangs up, and the events with it.
struct EventBody {
    events: EventStream,
    _slot: Slot,
}

impl http_body::Body for EventBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.events.as_mut().poll_next(cx).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use axum::response::Response;
    use bytes::Bytes;
    use http::HeaderMap;
    use http_body_util::BodyExt;
    use weighbridge_domain::settings::HeaderFamilies;
    use weighbridge_engine::{Answer, AnswerBody, AnswerHead};

    use super::answered;
    use crate::admission::Admission;
    use crate::error::Shape;
    use crate::headers::Stamp;

    fn respond(admission: &Admission, content_type: &str, body: AnswerBody) -> Response {
        let answer = Answer {
            head: AnswerHead::default(),
            content_type: content_type.to_owned(),
            upstream_headers: vec![("x-ratelimit-limit-requests".into(), "10".into())],
            losses: Vec::new(),
            body,
        };
        let stamp = Stamp::new(HeaderFamilies::default(), "req-1", &HeaderMap::new(), Shape::OpenAi);
        answered(answer, admission.enter(1).unwrap(), &stamp)
    }

    #[tokio::test]
    async fn whole_replies_pass_byte_for_byte() {
        let admission = Admission::default();
        for (content_type, expected) in [
            ("application/json", "application/json"),
            ("audio/mpeg", "audio/mpeg"),
            ("a\nb", "application/octet-stream"),
        ] {
            let response = respond(&admission, content_type, AnswerBody::Whole(Bytes::from_static(b"{ }")));
            assert_eq!(admission.in_flight(), 0, "the slot is free once the reply is there");
            assert_eq!(response.headers()["content-type"], expected);
            assert_eq!(response.headers()["x-ratelimit-limit-requests"], "10");
            assert!(!response.headers().contains_key("cache-control"));
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "{ }");
        }
    }

    #[tokio::test]
    async fn streams_pass_event_by_event_and_keep_their_slot() {
        let events = ["data: 1\n\n", "data: [DONE]\n\n"].map(|event| Bytes::from_static(event.as_bytes()));
        let stream = || AnswerBody::Stream(Box::pin(futures_util::stream::iter(events.clone())));
        let admission = Admission::default();

        let response = respond(&admission, "text/event-stream", stream());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        assert_eq!(admission.in_flight(), 1);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "data: 1\n\ndata: [DONE]\n\n");
        assert_eq!(admission.in_flight(), 0);

        let mut body = respond(&admission, "text/event-stream", stream()).into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((first, admission.in_flight()), (Bytes::from_static(b"data: 1\n\n"), 1));
        drop(body);
        assert_eq!(admission.in_flight(), 0, "a client that hangs up frees its slot");
    }
}

//! Streams of bytes, cut into frames wherever the network cut them.
//!
//! Where a chunk holds whole frames, which is nearly always, nothing is copied.

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::{Buf, BytesMut};
use memchr::memchr;
use serde::Serialize;
use weighbridge_domain::failure::{Failure, FailureKind};

use crate::format::Frame;
use crate::lines::{self, Lines};

/// The longest frame, in bytes.
const LONGEST_FRAME: usize = 16 << 20;
/// Two lengths and their checksum.
const AWS_PRELUDE: usize = 12;
/// A prelude and the checksum of the whole.
const AWS_SHORTEST: usize = AWS_PRELUDE + 4;

/// How a stream is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// A JSON text a line.
    Lines,
    /// `application/vnd.amazon.eventstream`: binary messages with checksums.
    AwsMessages,
}

/// Cuts a stream into frames. Frames without data (comments, heartbeats, blank lines) are passed over.
#[derive(Debug)]
pub struct Frames {
    framing: Framing,
    /// The beginning of a frame whose end has not arrived.
    held: BytesMut,
    lines: Lines,
    /// How far the line that is held has been searched.
    searched: usize,
    /// Whether a byte order mark may still come.
    is_at_start: bool,
    is_failed: bool,
}

impl Frames {
    /// At the beginning of a stream.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            held: BytesMut::new(),
            lines: Lines::default(),
            searched: 0,
            is_at_start: true,
            is_failed: false,
        }
    }

    /// Takes what arrived and hands `each` the frames that are whole. After a failure nothing more comes.
    ///
    /// # Errors
    /// `BrokenReply` when a frame is longer than 16 MiB, or an AWS message does not match its checksums.
    pub fn feed(&mut self, chunk: &[u8], each: &mut dyn FnMut(Frame<'_>)) -> Result<(), Failure> {
        if self.is_failed {
            return Ok(());
        }
        let result = self.cut_all(chunk, each);
        if result.is_err() {
            self.is_failed = true;
            self.held.clear();
        }
        result
    }

    /// The stream is over. A last event without its blank line, or a last line without its end, is a frame too, perhaps
    /// a cut one; half an AWS message is not.
    pub fn end(&mut self, each: &mut dyn FnMut(Frame<'_>)) {
        let held = std::mem::take(&mut self.held);
        match self.framing {
            Framing::Events => self.event(&held, each),
            Framing::Lines => line(&held, each),
            Framing::AwsMessages => {}
        }
    }

    fn cut_all(&mut self, chunk: &[u8], each: &mut dyn FnMut(Frame<'_>)) -> Result<(), Failure> {
        if self.held.is_empty() {
            let used = self.cut(chunk, each)?;
            self.held.extend_from_slice(&chunk[used..]);
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(chunk);
            let used = self.cut(&held, each)?;
            held.advance(used);
            self.held = held;
        }
        if self.held.len() > LONGEST_FRAME {
            Err(broken("a frame of the provider's stream is too long"))
        } else {
            Ok(())
        }
    }

    /// The frames of `bytes`; how much of it they take.
    fn cut(&mut self, bytes: &[u8], each: &mut dyn FnMut(Frame<'_>)) -> Result<usize, Failure> {
        match self.framing {
            Framing::Events => Ok(self.cut_events(bytes, each)),
            Framing::Lines => Ok(self.cut_lines(bytes, each)),
            Framing::AwsMessages => cut_messages(bytes, each),
        }
    }

    fn cut_events(&mut self, bytes: &[u8], each: &mut dyn FnMut(Frame<'_>)) -> usize {
        let mut start = 0;
        while let Some(end) = self.lines.next_event_end(bytes) {
            self.event(&bytes[start..end], each);
            start = end;
        }
        self.lines.forget(start);
        start
    }

    fn event(&mut self, bytes: &[u8], each: &mut dyn FnMut(Frame<'_>)) {
        let is_first = std::mem::take(&mut self.is_at_start);
        let bytes = if is_first { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes };
        let event = lines::read(bytes);
        if !event.data.is_empty() {
            each(Frame { kind: event.kind, data: &event.data });
        }
    }

    fn cut_lines(&mut self, bytes: &[u8], each: &mut dyn FnMut(Frame<'_>)) -> usize {
        let mut start = 0;
        let mut searched = self.searched;
        while let Some(at) = memchr(b'\n', &bytes[searched..]) {
            line(&bytes[start..searched + at], each);
            start = searched + at + 1;
            searched = start;
        }
        self.searched = bytes.len() - start;
        start
    }
}

fn line(bytes: &[u8], each: &mut dyn FnMut(Frame<'_>)) {
    let data = bytes.trim_ascii();
    if !data.is_empty() {
        each(Frame { kind: None, data });
    }
}

fn cut_messages(bytes: &[u8], each: &mut dyn FnMut(Frame<'_>)) -> Result<usize, Failure> {
    let mut rest = bytes;
    while let Some(length) = rest.first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > LONGEST_FRAME {
            return Err(broken("a frame of the provider's stream is too long"));
        }
        if length < AWS_SHORTEST {
            return Err(broken("a frame of the provider's stream is too short to be one"));
        }
        let Some(frame) = rest.get(..length) else { break };
        let parsed = read_message_from(frame);
        message(&parsed.map_err(|_| broken("a frame of the provider's stream does not match its checksum"))?, each);
        rest = &rest[length..];
    }
    Ok(bytes.len() - rest.len())
}

fn message(message: &Message, each: &mut dyn FnMut(Frame<'_>)) {
    let header = |name: &str| {
        let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
        header.value().as_string().ok().map(|value| value.as_str())
    };
    match header(":message-type") {
        // An error that is not of the API's model has its words in headers.
        Some("error") => {
            let error = ErrorJson { message: header(":error-message").unwrap_or_default() };
            let data = serde_json::to_vec(&error).unwrap_or_default();
            each(Frame { kind: header(":error-code"), data: &data });
        }
        Some("exception") => each(Frame { kind: header(":exception-type"), data: message.payload() }),
        _ => each(Frame { kind: header(":event-type"), data: message.payload() }),
    }
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    message: &'a str,
}

fn broken(message: &str) -> Failure {
    Failure::new(FailureKind::BrokenReply, message)
}

#[cfg(test)]
mod tests {
    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
    use proptest::prelude::*;

    use super::{Frames, Framing, LONGEST_FRAME};

    /// The frames of `parts`, a line each, and what went wrong.
    fn frames(framing: Framing, parts: &[&[u8]]) -> String {
        let mut frames = Frames::new(framing);
        let mut out = String::new();
        let mut failed = String::new();
        for part in parts {
            let result = frames.feed(part, &mut |frame| {
                let data = String::from_utf8_lossy(frame.data);
                out += &format!("{} {data:?}\n", frame.kind.unwrap_or("-"));
            });
            if let Err(failure) = result {
                failed = format!("{} {}\n", failure.kind.label(), failure.message);
            }
        }
        frames.end(&mut |frame| out += &format!("end {:?}\n", String::from_utf8_lossy(frame.data)));
        out + &failed
    }

    fn check(framing: Framing, stream: &[u8], expected: &str) {
        let expected = expected.to_owned();
        assert_eq!(frames(framing, &[stream]), expected, "{:?}", String::from_utf8_lossy(stream));
        for at in 0..=stream.len() {
            let (left, right) = stream.split_at(at);
            assert_eq!(frames(framing, &[left, right]), expected, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(frames(framing, &bytes), expected, "byte by byte");
    }

    fn aws(kind: &str, name: &str, payload: &'static str) -> Vec<u8> {
        let type_header = format!(":{kind}-type");
        let header =
            |name: &str, value: &str| Header::new(name.to_owned(), HeaderValue::String(value.to_owned().into()));
        let mut message = Message::new(payload).add_header(header(":message-type", kind));
        message = match kind {
            "error" => message.add_header(header(":error-code", name)).add_header(header(":error-message", payload)),
            _ => message.add_header(header(&type_header, name)),
        };
        let mut bytes = Vec::new();
        write_message_to(&message, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn events_are_cut_by_the_rules() {
        let rows = [
            ("data: a\n\ndata: b\n\n", "- \"a\"\n- \"b\"\n"),
            ("event: x\ndata: a\ndata: b\n\n", "x \"a\\nb\"\n"),
            ("\u{feff}data: a\n\n", "- \"a\"\n"),
            ("\u{feff}\ndata: a\n\n", "- \"a\"\n"),
            (": ping\n\nevent: ping\n\ndata: é\n\n", "- \"é\"\n"),
            ("id: 4\nretry: 3\ndata: a\n\n\n\n", "- \"a\"\n"),
            ("data: a\n\nevent: y\ndata: half", "- \"a\"\nend \"half\"\n"),
            ("data: a\n\nda", "- \"a\"\n"),
            ("", ""),
        ];
        for (stream, expected) in rows {
            for ending in ["\n", "\r\n", "\r"] {
                check(Framing::Events, stream.replace('\n', ending).as_bytes(), expected);
            }
        }
    }

    #[test]
    fn lines_are_cut_at_their_ends() {
        check(
            Framing::Lines,
            b"{\"a\":1}\n\n {\"b\":2}\r\n{\"c\":3}",
            "- \"{\\\"a\\\":1}\"\n- \"{\\\"b\\\":2}\"\nend \"{\\\"c\\\":3}\"\n",
        );
        check(Framing::Lines, b"", "");
    }

    #[test]
    fn aws_messages_are_cut_and_named() {
        let stream = [
            aws("event", "messageStart", "{\"role\":\"assistant\"}"),
            aws("event", "contentBlockDelta", "{}"),
            aws("exception", "throttlingException", "{\"message\":\"slow\"}"),
            aws("error", "InternalFailure", "it broke"),
        ];
        check(
            Framing::AwsMessages,
            &stream.concat(),
            "messageStart \"{\\\"role\\\":\\\"assistant\\\"}\"\ncontentBlockDelta \"{}\"\nthrottlingException \"{\\\"message\\\":\\\"slow\\\"}\"\nInternalFailure \"{\\\"message\\\":\\\"it broke\\\"}\"\n",
        );
        // Half a message is none.
        let whole = stream[0].clone();
        check(
            Framing::AwsMessages,
            &[whole.as_slice(), &stream[1][..30]].concat(),
            &frames(Framing::AwsMessages, &[&whole]),
        );
    }

    #[test]
    fn what_does_not_match_its_checksum_fails_once() {
        let mut stream = [aws("event", "a", "{}"), aws("event", "b", "{}"), aws("event", "c", "{}")].concat();
        let length = stream.len() / 3;
        stream[2 * length - 6] ^= 1;
        let broken = "a \"{}\"\nbroken_reply a frame of the provider's stream does not match its checksum\n";
        check(Framing::AwsMessages, &stream, broken);
        check(Framing::AwsMessages, b"<html>", "broken_reply a frame of the provider's stream is too long\n");
        check(
            Framing::AwsMessages,
            &[0, 0, 0, 3, 9],
            "broken_reply a frame of the provider's stream is too short to be one\n",
        );
    }

    #[test]
    fn what_never_ends_fails() {
        let chunk = vec![b'x'; LONGEST_FRAME / 4];
        let parts: Vec<&[u8]> = vec![&chunk; 6];
        for framing in [Framing::Events, Framing::Lines] {
            assert_eq!(frames(framing, &parts), "broken_reply a frame of the provider's stream is too long\n");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_cut_too(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            for framing in [Framing::Events, Framing::Lines, Framing::AwsMessages] {
                frames(framing, &parts);
            }
        }
    }
}

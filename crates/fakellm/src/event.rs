//! Events of a stream, and how they are framed.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::Value;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    kind: Kind,
    name: &'static str,
    data: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Event,
    Exception,
    Comment,
}

/// How events are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Sse,
    /// A JSON document a line.
    Lines,
    /// One JSON array.
    Array,
    /// Binary messages, as AWS has them.
    Messages,
}

impl Event {
    /// An event without a name.
    pub(crate) fn data(data: impl Into<String>) -> Self {
        Self::named("", data)
    }

    /// An event with a name.
    pub(crate) fn named(name: &'static str, data: impl Into<String>) -> Self {
        Self { kind: Kind::Event, name, data: data.into() }
    }

    /// An event whose data says its name too, as `type`.
    pub(crate) fn typed(name: &'static str, mut data: Value) -> Self {
        data["type"] = name.into();
        Self::named(name, data.to_string())
    }

    /// An exception, where the framing has such.
    pub(crate) fn exception(name: &'static str, data: String) -> Self {
        Self { kind: Kind::Exception, name, data }
    }

    /// A comment. Framings other than server-sent events leave it out.
    pub(crate) fn comment(text: &str) -> Self {
        Self { kind: Kind::Comment, name: "", data: text.to_owned() }
    }

    /// Whether it says nothing.
    pub(crate) fn is_comment(&self) -> bool {
        self.kind == Kind::Comment
    }

    /// The same, as the `number`th of its stream, where events say so.
    pub(crate) fn numbered(mut self, number: usize) -> Self {
        self.data = self.data.replace(r#""sequence_number":0"#, &format!(r#""sequence_number":{number}"#));
        self
    }

    /// The same, with half of its document.
    pub(crate) fn broken(mut self) -> Self {
        let half = (0..=self.data.len() / 2).rev().find(|at| self.data.is_char_boundary(*at)).unwrap_or_default();
        self.data.truncate(half);
        self
    }
}

impl Framing {
    /// The content type of a stream.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream; charset=utf-8",
            Self::Lines => "application/x-ndjson",
            Self::Array => "application/json; charset=UTF-8",
            Self::Messages => "application/vnd.amazon.eventstream",
        }
    }

    /// An event as bytes. `first` and `eol` matter to those that separate or end lines.
    pub(crate) fn write(self, event: &Event, first: bool, eol: &str) -> Vec<u8> {
        let Event { kind, name, data } = event;
        match (self, kind) {
            (Self::Sse, Kind::Comment) => format!(": {data}{eol}{eol}").into_bytes(),
            (_, Kind::Comment) => Vec::new(),
            (Self::Sse, _) if name.is_empty() => format!("data: {data}{eol}{eol}").into_bytes(),
            (Self::Sse, _) => format!("event: {name}{eol}data: {data}{eol}{eol}").into_bytes(),
            (Self::Lines, _) => format!("{data}{eol}").into_bytes(),
            (Self::Array, _) => format!("{}{data}", if first { "[" } else { ",\r\n" }).into_bytes(),
            (Self::Messages, _) => message(*kind, name, data),
        }
    }

    /// What closes a stream that ends well.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::Array => "]",
            Self::Sse | Self::Lines | Self::Messages => "",
        }
    }
}

fn message(kind: Kind, name: &'static str, data: &str) -> Vec<u8> {
    let header = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let (message_type, type_header) = match kind {
        Kind::Exception => ("exception", ":exception-type"),
        Kind::Event | Kind::Comment => ("event", ":event-type"),
    };
    let message = Message::new(data.as_bytes().to_vec())
        .add_header(header(type_header, name))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", message_type));
    let mut bytes = Vec::new();
    // It fails for messages of 16 MB and more only.
    match write_message_to(&message, &mut bytes) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Framing};

    fn check(framing: Framing, expected: &str) {
        let events = [Event::named("a", "{}"), Event::comment("b"), Event::data("[]"), Event::data("äö").broken()];
        let bytes: Vec<u8> =
            events.iter().enumerate().flat_map(|(at, event)| framing.write(event, at == 0, "\n")).collect();
        assert_eq!(String::from_utf8(bytes).unwrap() + framing.end(), expected);
    }

    #[test]
    fn framings() {
        check(Framing::Sse, "event: a\ndata: {}\n\n: b\n\ndata: []\n\ndata: ä\n\n");
        check(Framing::Lines, "{}\n[]\nä\n");
        check(Framing::Array, "[{},\r\n[],\r\nä]");
    }

    #[test]
    fn messages_are_as_amazon_reads_them() {
        let bytes = Framing::Messages.write(&Event::exception("throttlingException", "{}".into()), true, "\n");
        let message = aws_smithy_eventstream::frame::read_message_from(&bytes[..]).unwrap();
        let headers: Vec<_> = message
            .headers()
            .iter()
            .map(|header| (header.name().as_str(), header.value().as_string().unwrap().as_str()))
            .collect();
        let expected = [
            (":exception-type", "throttlingException"),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ];
        assert_eq!((&headers[..], &message.payload()[..]), (&expected[..], &b"{}"[..]));
    }
}

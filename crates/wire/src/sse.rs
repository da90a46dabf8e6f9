//! Streams of server-sent events, looked into as they pass.
//!
//! Bytes go through as they came. Where a chunk holds whole events, which is nearly always, nothing is copied.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::usage::Usage;

use crate::chunk::{Meaning, meaning};
use crate::format::{Format, Frame, Labels};
use crate::lines::{self, Lines};
use crate::stream::Reader;

/// The longest event, in bytes.
const LONGEST_EVENT: usize = 16 << 20;

/// How a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReaderOptions {
    /// Whether the final event that holds nothing but usage is kept from the client, who did not
    /// ask for it.
    pub strip_usage: bool,
    /// What it is written in.
    pub format: Format,
}

/// A run of whole events.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Piece {
    /// The events as they came; what is stripped is not in it.
    pub bytes: Bytes,
    /// How many of them hold content, or end it.
    pub content_events: u32,
    /// The usage reported last.
    pub usage: Option<Usage>,
    /// The provider's error, when the last event is one. Nothing after it counts.
    pub failure: Option<Failure>,
    /// Completion tokens in the content, by estimate.
    pub delivered_tokens: u32,
}

/// What a stream ended with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct End {
    /// A last event whose blank line is missing.
    pub rest: Option<Piece>,
    /// Why the stream is not whole.
    pub failure: Option<Failure>,
}

/// Cuts a stream into events at blank lines (`\n\n`, `\r\n\r\n`, `\r\r`), wherever the network cut it.
#[derive(Debug, Default)]
pub struct EventReader {
    options: ReaderOptions,
    /// Understands formats other than `OpenAI`'s chat.
    reader: Option<Reader>,
    /// The beginning of an event whose end has not arrived.
    held: BytesMut,
    lines: Lines,
    is_done: bool,
    /// Whether a reason to finish was seen: some providers send no `[DONE]`.
    is_finished: bool,
    is_failed: bool,
}

impl EventReader {
    /// A reader at the beginning of a stream.
    pub fn new(options: ReaderOptions) -> Self {
        let labels = Labels { request_id: String::new(), model: String::new(), created: 0 };
        let reader = (options.format != Format::OpenAi).then(|| Reader::new(options.format, &labels));
        Self { options, reader, ..Self::default() }
    }

    /// What the stream is written in.
    pub fn format(&self) -> Format {
        self.options.format
    }

    /// Takes what arrived; hands back the events that are whole.
    pub fn feed(&mut self, chunk: Bytes) -> Vec<Piece> {
        if self.is_failed {
            return Vec::new();
        }
        if self.held.is_empty() {
            let ends = self.event_ends(&chunk);
            let Some(&end) = ends.last() else {
                self.held.extend_from_slice(&chunk);
                return Vec::new();
            };
            self.lines.forget(end);
            self.held.extend_from_slice(&chunk[end..]);
            return self.pieces(&chunk, &ends);
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(&chunk);
        let ends = self.event_ends(&held);
        self.held = held;
        let Some(&end) = ends.last() else {
            return self.too_long().into_iter().collect();
        };
        self.lines.forget(end);
        let whole = self.held.split_to(end).freeze();
        self.pieces(&whole, &ends)
    }

    /// The stream is over.
    pub fn end(&mut self) -> End {
        let rest = std::mem::take(&mut self.held).freeze();
        let rest = if rest.is_empty() { None } else { self.pieces(&rest, &[rest.len()]).pop() };
        // Half an event is not passed on: a client would fail on it instead of on the error.
        let rest = rest.filter(|piece| self.is_done || piece.failure.is_some() || piece.usage.is_some());
        let is_whole = self.is_done || self.is_finished || self.is_failed;
        let failure = (!is_whole)
            .then(|| Failure::new(FailureKind::BrokenReply, "the provider's stream broke off before its end"));
        End { rest, failure }
    }

    /// The events of `bytes` that end at `ends`, runs of them as one piece.
    fn pieces(&mut self, bytes: &Bytes, ends: &[usize]) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(1);
        let mut run = Run::default();
        let mut start = 0;
        for &end in ends {
            let event = &bytes[start..end];
            match self.meaning(event) {
                Meaning::Nothing => run.extend(start..end),
                Meaning::Done => {
                    self.is_done = true;
                    run.extend(start..end);
                }
                Meaning::Failure(failure) => {
                    self.is_failed = true;
                    run.extend(start..end);
                    run.piece.failure = Some(*failure);
                    run.flush(bytes, &mut pieces);
                    return pieces;
                }
                Meaning::Chunk(chunk) => {
                    self.is_finished |= chunk.is_finish;
                    run.piece.usage = chunk.usage.or(run.piece.usage);
                    run.piece.content_events += u32::from(chunk.tokens > 0 || chunk.is_finish);
                    run.piece.delivered_tokens = run.piece.delivered_tokens.saturating_add(chunk.tokens);
                    if self.options.strip_usage && chunk.is_only_usage {
                        run.flush(bytes, &mut pieces);
                    } else {
                        run.extend(start..end);
                    }
                }
            }
            start = end;
        }
        run.flush(bytes, &mut pieces);
        pieces
    }

    fn meaning(&mut self, event: &[u8]) -> Meaning {
        let Some(reader) = &mut self.reader else { return meaning(event) };
        let read = lines::read(event);
        if read.data.is_empty() {
            return Meaning::Nothing;
        }
        let mut events = Vec::new();
        reader.read(Frame { kind: read.kind, data: &read.data }, &mut events);
        self.is_done |= reader.is_complete();
        Meaning::of(events)
    }

    /// Where events of `bytes` end.
    fn event_ends(&mut self, bytes: &[u8]) -> Vec<usize> {
        std::iter::from_fn(|| self.lines.next_event_end(bytes)).collect()
    }

    fn too_long(&mut self) -> Option<Piece> {
        if self.held.len() <= LONGEST_EVENT {
            return None;
        }
        self.is_failed = true;
        self.held.clear();
        let failure = Failure::new(FailureKind::BrokenReply, "an event of the provider's stream is too long");
        Some(Piece { failure: Some(failure), ..Piece::default() })
    }
}

/// Events that stand one behind the other.
#[derive(Default)]
struct Run {
    range: Range<usize>,
    piece: Piece,
}

impl Run {
    fn extend(&mut self, event: Range<usize>) {
        if self.range.is_empty() {
            self.range = event;
        } else {
            self.range.end = event.end;
        }
    }

    fn flush(&mut self, bytes: &Bytes, pieces: &mut Vec<Piece>) {
        let mut piece = std::mem::take(&mut self.piece);
        piece.bytes = bytes.slice(std::mem::take(&mut self.range));
        if piece != Piece::default() {
            pieces.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{End, EventReader, Piece, ReaderOptions};

    const STREAM: &str = concat!(
        ": hello\n\n",
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "event: x\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hi \u{e9}\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
        "data: [DONE]\n\n",
    );

    fn read(parts: &[&[u8]], strip_usage: bool) -> (Vec<Piece>, End) {
        let mut reader = EventReader::new(ReaderOptions { strip_usage, ..ReaderOptions::default() });
        let pieces = parts.iter().flat_map(|part| reader.feed(Bytes::copy_from_slice(part))).collect();
        (pieces, reader.end())
    }

    /// What came through, and what was understood, whatever the pieces.
    fn summary(parts: &[&[u8]], strip_usage: bool) -> (String, String) {
        let (pieces, end) = read(parts, strip_usage);
        let mut text = Vec::new();
        let (mut content, mut tokens, mut usage, mut failure) = (0, 0, None, None);
        for piece in pieces.into_iter().chain(end.rest) {
            text.extend_from_slice(&piece.bytes);
            content += piece.content_events;
            tokens += piece.delivered_tokens;
            usage = piece.usage.or(usage);
            failure = piece.failure.or(failure);
        }
        let usage = usage.map(|usage| usage.total_tokens());
        let failure = failure.or(end.failure).map(|failure| failure.kind.label());
        (String::from_utf8(text).unwrap(), format!("{content} {tokens} {usage:?} {failure:?}"))
    }

    #[test]
    fn a_chunk_of_whole_events_passes_as_one_piece() {
        let (pieces, end) = read(&[STREAM.as_bytes()], false);
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].bytes, STREAM);
        assert_eq!(end, End::default());
    }

    #[test]
    fn usage_that_nobody_asked_for_is_stripped() {
        let (text, understood) = summary(&[STREAM.as_bytes()], true);
        assert_eq!(understood, "2 2 Some(5) None");
        assert_eq!(text.len(), STREAM.len() - 72);
        assert!(!text.contains("usage") && text.ends_with("data: [DONE]\n\n"));
    }

    #[test]
    fn a_stream_that_breaks_off_is_known() {
        let cut = STREAM.find("data: {\"choices\":[{\"delta\":{},").unwrap();
        assert_eq!(summary(&[&STREAM.as_bytes()[..cut]], true).1, "1 2 None Some(\"broken_reply\")");
        // Half an event is kept back.
        let (text, _) = summary(&[&STREAM.as_bytes()[..cut + 9]], true);
        assert_eq!(text, STREAM[..cut]);
        // No [DONE], but a reason to finish: some providers end like that.
        let no_done = STREAM.find("data: [DONE]").unwrap();
        assert!(summary(&[&STREAM.as_bytes()[..no_done]], true).1.ends_with("None"));
        // No blank line behind [DONE].
        let (text, understood) = summary(&[STREAM.trim_end().as_bytes()], false);
        assert!(text.ends_with("[DONE]") && understood.ends_with("None"));
    }

    #[test]
    fn an_error_in_the_stream_is_its_end() {
        let stream = "data: {\"error\":{\"message\":\"boom\",\"code\":500}}\n\ndata: [DONE]\n\n";
        let (text, understood) = summary(&[stream.as_bytes()], true);
        assert_eq!(understood, "0 0 None Some(\"server_error\")");
        assert!(!text.contains("DONE"));
    }

    proptest! {
        /// Wherever the network cuts, and however lines end, the same comes through and is understood.
        #[test]
        fn cuts_change_nothing(cuts in proptest::collection::vec(0_usize..600, 0..12), ending in 0_usize..3, strip in any::<bool>()) {
            let stream = STREAM.replace('\n', ["\n", "\r\n", "\r"][ending]);
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(summary(&parts, strip), summary(&[bytes], strip));
        }

        /// The same, for every single byte as a chunk of its own.
        #[test]
        fn byte_by_byte_is_the_same(ending in 0_usize..3, strip in any::<bool>()) {
            let stream = STREAM.replace('\n', ["\n", "\r\n", "\r"][ending]);
            let parts: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            prop_assert_eq!(summary(&parts, strip), summary(&[stream.as_bytes()], strip));
        }
    }
}

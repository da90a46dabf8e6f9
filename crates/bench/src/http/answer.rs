//! Reads an answer as it arrives, and holds it against what was expected.

use memchr::memmem;

/// More than a head here can have; one that goes on is no HTTP.
const HEAD_MOST: usize = 64 * 1024;

/// What an answer must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// Its status.
    pub(crate) status: u16,
    /// What its body must hold …
    pub(crate) mark: &'static str,
    /// … and how often, at least.
    pub(crate) times: usize,
    /// How its body must end, apart from white space.
    pub(crate) ending: &'static str,
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Reader {
    expected: Expected,
    phase: Phase,
    /// A head of which a part has arrived.
    head: Vec<u8>,
    status: u16,
    marks: usize,
    /// The last bytes of the body, for what lies across two reads.
    tail: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Head,
    /// So many bytes of the body are missing.
    Length(usize),
    /// The size of the next chunk, as far as it has arrived, and whether its digits are over.
    Size {
        size: usize,
        is_over: bool,
    },
    /// So many bytes of a chunk are missing, the line end behind it included.
    Chunk(usize),
    /// Behind the last chunk; so many line ends were seen.
    Trailer(u8),
    Ended,
}

/// What is kept of a body: longer than every mark and every ending.
const TAIL: usize = 32;

impl Reader {
    /// For the next answer.
    pub(crate) fn new(expected: Expected) -> Self {
        Self { expected, phase: Phase::Head, head: Vec::new(), status: 0, marks: 0, tail: Vec::with_capacity(2 * TAIL) }
    }

    /// Takes what has arrived; tells whether that was all.
    ///
    /// # Errors
    /// When it is no answer, or not the one expected.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, String> {
        while !bytes.is_empty() {
            bytes = match self.phase {
                Phase::Head => self.head(bytes)?,
                Phase::Length(missing) => self.content(bytes, missing, |left| match left {
                    0 => Phase::Ended,
                    left => Phase::Length(left),
                }),
                Phase::Size { size, is_over } => self.size(bytes, size, is_over)?,
                Phase::Chunk(missing) if missing > 2 => self.content(bytes, missing - 2, |left| Phase::Chunk(left + 2)),
                Phase::Chunk(missing) => {
                    let taken = missing.min(bytes.len());
                    self.phase = match missing - taken {
                        0 => Phase::Size { size: 0, is_over: false },
                        left => Phase::Chunk(left),
                    };
                    &bytes[taken..]
                }
                Phase::Trailer(seen) => {
                    self.phase = if seen == 1 { Phase::Ended } else { Phase::Trailer(seen + 1) };
                    &bytes[1..]
                }
                Phase::Ended => return Err("more than an answer arrived".to_owned()),
            };
        }
        if !matches!(self.phase, Phase::Ended) {
            return Ok(false);
        }
        self.judge().map(|()| true)
    }

    /// How often the mark was seen so far.
    pub(crate) fn marks(&self) -> usize {
        self.marks
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let before = self.head.len();
        let end = if before == 0 {
            memmem::find(bytes, b"\r\n\r\n")
        } else {
            self.head.extend_from_slice(bytes);
            memmem::find(&self.head, b"\r\n\r\n")
        };
        let Some(end) = end else {
            if before == 0 {
                self.head.extend_from_slice(bytes);
            }
            return if self.head.len() > HEAD_MOST { Err("a head without end".to_owned()) } else { Ok(&[]) };
        };
        let head = if before == 0 { &bytes[..end] } else { &self.head[..end] };
        (self.status, self.phase) = read_head(head)?;
        self.head.clear();
        Ok(&bytes[end + 4 - before..])
    }

    /// Takes up to `missing` bytes of the body.
    fn content<'a>(&mut self, bytes: &'a [u8], missing: usize, then: impl Fn(usize) -> Phase) -> &'a [u8] {
        let (content, rest) = bytes.split_at(missing.min(bytes.len()));
        self.phase = then(missing - content.len());
        let mark = self.expected.mark.as_bytes();
        self.marks += memmem::find_iter(content, mark).count();
        // A mark that began in what arrived before: of the tail so much that it cannot hold a whole one.
        let begin = self.tail.len().saturating_sub(mark.len().saturating_sub(1));
        let before = self.tail.len() - begin;
        let seam = content.len().min(mark.len().saturating_sub(1));
        let kept = self.tail.len();
        self.tail.extend_from_slice(&content[..seam]);
        if before > 0 {
            self.marks += memmem::find_iter(&self.tail[begin..], mark).count();
        }
        self.tail.truncate(kept);
        self.tail.extend_from_slice(&content[content.len().saturating_sub(TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        rest
    }

    fn size<'a>(&mut self, bytes: &'a [u8], size: usize, is_over: bool) -> Result<&'a [u8], String> {
        let (byte, rest) = bytes.split_first().ok_or("nothing")?;
        self.phase = match (byte, char::from(*byte).to_digit(16)) {
            (b'\n', _) if size == 0 => Phase::Trailer(0),
            (b'\n', _) => Phase::Chunk(size + 2),
            // Extensions and the line's end.
            _ if is_over => Phase::Size { size, is_over },
            (_, Some(digit)) if size < 1 << 32 => Phase::Size { size: size * 16 + digit as usize, is_over },
            (b'\r' | b';' | b' ', _) => Phase::Size { size, is_over: true },
            (byte, _) => return Err(format!("{byte:#x} in the size of a chunk")),
        };
        Ok(rest)
    }

    fn judge(&self) -> Result<(), String> {
        let Expected { status, mark, times, ending } = self.expected;
        let tail = self.tail.trim_ascii_end();
        if self.status == status && self.marks >= times && tail.ends_with(ending.as_bytes()) {
            return Ok(());
        }
        Err(format!(
            "status {} instead of {status}, {mark:?} {} times instead of {times}, the end {:?}",
            self.status,
            self.marks,
            String::from_utf8_lossy(tail)
        ))
    }
}

/// The status, and how the body is told from what follows.
fn read_head(head: &[u8]) -> Result<(u16, Phase), String> {
    let wrong = || format!("no head: {}", String::from_utf8_lossy(head));
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).ok_or_else(wrong)?;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).ok_or_else(wrong)?;
            return Ok((status, if length == 0 { Phase::Ended } else { Phase::Length(length) }));
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
            return Ok((status, Phase::Size { size: 0, is_over: false }));
        }
    }
    Err(format!("a body without length: {}", String::from_utf8_lossy(head)))
}

#[cfg(test)]
mod tests {
    use super::{Expected, Reader};

    const EXPECTED: Expected = Expected { status: 200, mark: "tick", times: 2, ending: "]" };

    /// Feeds `answer` split at every place; all must come to the same.
    fn check(answer: &str, expected: Result<bool, &str>) {
        for split in 0..=answer.len() {
            let (first, second) = answer.as_bytes().split_at(split);
            let mut reader = Reader::new(EXPECTED);
            let come = reader.feed(first).and_then(|is_whole| {
                assert!(!is_whole || second.is_empty(), "{split}");
                if second.is_empty() { Ok(is_whole) } else { reader.feed(second) }
            });
            match (&come, expected) {
                (Ok(come), Ok(expected)) => assert_eq!(*come, expected, "{split}"),
                (Err(come), Err(expected)) => assert!(come.contains(expected), "{split}: {come}"),
                _ => panic!("{split}: {come:?}"),
            }
        }
    }

    #[test]
    fn bodies_of_a_told_length() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n[tick,tick]", Ok(true));
        check("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n[tick,tick", Ok(false));
        check("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n[tick,tack]", Err("\"tick\" 1 times instead of 2"));
        check("HTTP/1.1 429 No\r\nContent-Length: 11\r\n\r\n[tick,tick]", Err("status 429 instead of 200"));
    }

    #[test]
    fn bodies_in_chunks() {
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[ti\r\nA;x=y\r\nck,tick ]\n\r\n0\r\n\r\n",
            Ok(true),
        );
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ntickti", Ok(false));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ntick,tick\r\n0\r\n\r\n", Err("the end"));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Err("size of a chunk"));
    }

    #[test]
    fn other_heads() {
        check("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", Err("without length"));
        check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Err("0 times"));
    }
}

//! Where a request ends, and what it wants.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt};

/// More than any head here, and enough that a body of 100 KB takes two reads.
const ROOM: usize = 64 * 1024;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Chat,
    Embedding,
    Burst,
    Paced,
    Slow,
    /// It does not tell how long its body is, or has a head without end.
    Unreadable,
}

/// What has arrived on a connection and is not answered yet.
pub(super) struct Inbox {
    buffer: Vec<u8>,
    filled: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; ROOM], filled: 0 }
    }

    /// Reads the next request to its end; nothing once the client has hung up.
    pub(super) async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Asked>> {
        let head = loop {
            if let Some(end) = memmem::find(&self.buffer[..self.filled], b"\r\n\r\n") {
                break end + 4;
            }
            if self.filled == ROOM {
                return Ok(Some(Asked::Unreadable));
            }
            let read = stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return Ok(None);
            }
            self.filled += read;
        };
        let asked = asked(&self.buffer[..head]);
        let Some(length) = length(&self.buffer[..head]) else { return Ok(Some(Asked::Unreadable)) };
        let mut missing = (head + length).saturating_sub(self.filled);
        if missing == 0 {
            self.buffer.copy_within(head + length..self.filled, 0);
            self.filled -= head + length;
            return Ok(Some(asked));
        }
        self.filled = 0;
        while missing > 0 {
            // What belongs to the next request stays where it is.
            let room = missing.min(ROOM);
            let read = stream.read(&mut self.buffer[..room]).await?;
            if read == 0 {
                return Ok(None);
            }
            missing -= read;
        }
        Ok(Some(asked))
    }
}

/// What the path says.
fn asked(head: &[u8]) -> Asked {
    let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    match path.split(|byte| *byte == b'/').nth(1) {
        Some(b"burst") => Asked::Burst,
        Some(b"paced") => Asked::Paced,
        Some(b"slow") => Asked::Slow,
        _ if path.ends_with(b"/embeddings") => Asked::Embedding,
        _ => Asked::Chat,
    }
}

/// How long the body is; `None` for one whose length is not told before it.
fn length(head: &[u8]) -> Option<usize> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"content-length") {
            return std::str::from_utf8(value).ok()?.trim().parse().ok();
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return None;
        }
    }
    Some(0)
}

#[cfg(test)]
mod tests {
    use super::{Asked, asked, length};

    #[test]
    fn paths_say_what_is_wanted() {
        let check = |path: &str, expected| assert_eq!(asked(format!("POST {path} HTTP/1.1").as_bytes()), expected);
        check("/v1/chat/completions", Asked::Chat);
        check("/v1/embeddings", Asked::Embedding);
        check("/burst/v1/chat/completions", Asked::Burst);
        check("/paced/v1/chat/completions", Asked::Paced);
        check("/slow/v1/chat/completions", Asked::Slow);
    }

    #[test]
    fn lengths_are_read_in_any_case() {
        let check = |lines: &str, expected| assert_eq!(length(format!("{lines}\r\n\r\n").as_bytes()), expected);
        check("POST / HTTP/1.1\r\ncontent-length: 12", Some(12));
        check("POST / HTTP/1.1\r\nContent-Length:7\r\nA: b", Some(7));
        check("GET / HTTP/1.1\r\nA: b", Some(0));
        check("POST / HTTP/1.1\r\nTransfer-Encoding: chunked", None);
        check("POST / HTTP/1.1\r\nContent-Length: x", None);
    }
}

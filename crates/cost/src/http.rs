//! As much of HTTP/1.1 as it takes to see where a message ends.

/// What is known of a message once its head is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The head's own length.
    pub(crate) length: usize,
    /// The status, of an answer.
    pub(crate) status: Option<u16>,
    /// The body's length; `None` when it comes in chunks, or there is none.
    pub(crate) body: Option<usize>,
}

/// What ends a body that comes in chunks.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The head at the start of `bytes`, once it is whole.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let length = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = str::from_utf8(&bytes[..length]).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let body = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some(Head { length, status, body })
}

#[cfg(test)]
mod tests {
    use super::{Head, head};

    #[test]
    fn heads_are_read() {
        let check = |text: &str, expected: Option<Head>| assert_eq!(head(text.as_bytes()), expected, "{text}");
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", None);
        check(
            "HTTP/1.1 429 No\r\na: b\r\ncontent-length: 12\r\n\r\nrest",
            Some(Head { length: 45, status: Some(429), body: Some(12) }),
        );
        check("POST / HTTP/1.1\r\nHost: x\r\n\r\n", Some(Head { length: 28, status: None, body: None }));
    }
}

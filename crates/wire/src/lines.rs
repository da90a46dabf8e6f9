//! Server-sent events as lines, which end in `\n`, `\r\n` or `\r`.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Finds blank lines, and remembers how far it has looked.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Where the present line begins.
    line: usize,
    /// How far the present line has been searched.
    seen: usize,
    /// Whether lines end in a lone `\r`, so that one at the very end is no half of `\r\n`.
    ends_in_cr: bool,
}

/// What an event says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Event<'a> {
    /// Its `event:` line.
    pub(crate) kind: Option<&'a str>,
    /// Its `data:` lines, joined; borrowed when there is one, which is nearly always.
    pub(crate) data: Cow<'a, [u8]>,
}

impl Lines {
    /// Where the next event of `bytes` ends, behind its blank line, from where the last call stopped.
    pub(crate) fn next_event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(at) = memchr2(b'\n', b'\r', &bytes[self.seen..]).map(|at| self.seen + at) {
            let is_cr = bytes[at] == b'\r';
            let next = match bytes.get(at + 1) {
                Some(b'\n') if is_cr => at + 2,
                // Perhaps the first half of \r\n.
                None if is_cr && !self.ends_in_cr => {
                    self.seen = at;
                    return None;
                }
                _ => at + 1,
            };
            self.ends_in_cr = is_cr && next == at + 1;
            let is_blank = at == self.line;
            self.line = next;
            self.seen = next;
            if is_blank {
                return Some(next);
            }
        }
        self.seen = bytes.len();
        None
    }

    /// The first `count` bytes are gone.
    pub(crate) fn forget(&mut self, count: usize) {
        self.line -= count;
        self.seen -= count;
    }
}

/// What `event` (its lines, blank line included) says. Comments and other fields are passed over.
pub(crate) fn read(event: &[u8]) -> Event<'_> {
    let mut read = Event::default();
    let mut has_data = false;
    let mut rest = event;
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let (name, value) = match memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => read.kind = std::str::from_utf8(value).ok().filter(|kind| !kind.is_empty()),
            b"data" if has_data => {
                let joined = read.data.to_mut();
                joined.push(b'\n');
                joined.extend_from_slice(value);
            }
            b"data" => {
                has_data = true;
                read.data = Cow::Borrowed(value);
            }
            _ => {}
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn fields_are_read_by_the_rules() {
        let rows = [
            ("data: x\n\n", "None x"),
            ("data:x\n\n", "None x"),
            ("data:  x \n\n", "None  x "),
            ("event: a\ndata: x\n\n", "Some(\"a\") x"),
            ("event: a\r\ndata: x\r\n\r\n", "Some(\"a\") x"),
            ("event: a\rdata: x\r\r", "Some(\"a\") x"),
            ("data: x\nevent: a\nevent:b\n\n", "Some(\"b\") x"),
            ("data: x\ndata\ndata: y\n\n", "None x\n\ny"),
            ("data\ndata: y\n\n", "None \ny"),
            (": comment\nid: 7\nretry: 5\ndataset: z\n data: z\n\n", "None "),
            ("event:\ndata: x", "None x"),
            ("data: {\"a\":1}", "None {\"a\":1}"),
            ("", "None "),
        ];
        for (event, expected) in rows {
            let read = read(event.as_bytes());
            assert_eq!(format!("{:?} {}", read.kind, String::from_utf8_lossy(&read.data)), expected, "{event:?}");
        }
    }
}

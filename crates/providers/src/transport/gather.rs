//! What has arrived together leaves together.

use bytes::{Bytes, BytesMut};

/// As much as is handed on at once, in bytes.
const ENOUGH: usize = 64 << 10;
/// A part this long is not worth being copied to be joined with others, in bytes.
const LARGE: usize = 8 << 10;

/// Parts of a body that were there at the same moment. A provider that is fast sends many events in one packet, and
/// each would cost a write of its own.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    only: Option<Bytes>,
    joined: BytesMut,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.only.is_none()
    }

    /// Whether no more is to be added.
    pub(super) fn is_enough(&self) -> bool {
        self.only.as_ref().is_some_and(|part| part.len() >= LARGE) || self.joined.len() >= ENOUGH
    }

    pub(super) fn add(&mut self, part: Bytes) {
        match &self.only {
            None => self.only = Some(part),
            Some(first) => {
                if self.joined.is_empty() {
                    self.joined.extend_from_slice(first);
                }
                self.joined.extend_from_slice(&part);
            }
        }
    }

    /// All of it; `None` when there is nothing.
    pub(super) fn take(self) -> Option<Bytes> {
        if self.joined.is_empty() { self.only } else { Some(self.joined.freeze()) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{ENOUGH, Gathered, LARGE};

    fn gathered(parts: &[usize]) -> Gathered {
        let mut gathered = Gathered::default();
        for (i, length) in parts.iter().enumerate() {
            gathered.add(Bytes::from(vec![b'a' + u8::try_from(i % 26).unwrap(); *length]));
        }
        gathered
    }

    #[test]
    fn parts_are_joined_in_order() {
        assert_eq!(gathered(&[]).take(), None);
        assert_eq!(gathered(&[3]).take().unwrap(), "aaa");
        assert_eq!(gathered(&[3, 1, 2]).take().unwrap(), "aaabcc");
        assert!(gathered(&[]).is_empty() && !gathered(&[1]).is_empty());
    }

    #[test]
    fn what_is_long_goes_as_it_is() {
        assert!(!gathered(&[LARGE - 1]).is_enough());
        assert!(gathered(&[LARGE]).is_enough());
        assert!(!gathered(&[1, LARGE]).is_enough());
        assert!(gathered(&[1, ENOUGH]).is_enough());
        let (part, mut gathered) = (Bytes::from(vec![0; LARGE]), Gathered::default());
        gathered.add(part.clone());
        assert_eq!(gathered.take().unwrap().as_ptr(), part.as_ptr());
    }
}

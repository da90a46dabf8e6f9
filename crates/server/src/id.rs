//! Names for requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;

use crate::headers::sends;

/// The longest id taken over from a client, in bytes.
const LENGTH_MAX: usize = 128;

/// Makes request ids: unlike each other for certain, unlike those of other replicas in all likelihood.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: (u64, u64),
    made: AtomicU64,
}

impl Ids {
    /// Ids that start anywhere.
    pub(crate) fn new() -> Self {
        let mut rng = fastrand::Rng::new();
        Self { seed: (rng.u64(..), rng.u64(..)), made: AtomicU64::new(0) }
    }

    /// The client's `x-request-id` when it can be trusted in headers and logs, else a fresh id.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Arc<str> {
        match sane(headers, "x-request-id") {
            Some(id) => id.into(),
            None => self.fresh(),
        }
    }

    /// A fresh id in the form of a random UUID.
    pub(crate) fn uuid(&self) -> String {
        let id = self.fresh();
        let variant = char::from(b"89ab"[usize::from(id.as_bytes()[16] & 3)]);
        format!("{}-{}-4{}-{variant}{}-{}", &id[..8], &id[8..12], &id[13..16], &id[17..20], &id[20..])
    }

    /// 128 bits in hexadecimal.
    fn fresh(&self) -> Arc<str> {
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        let high = scramble(self.seed.0.wrapping_add(count));
        let low = scramble(self.seed.1 ^ high);
        let number = u128::from(high) << 64 | u128::from(low);
        let digit = |place: usize| b"0123456789abcdef"[(number >> (124 - 4 * place)) as usize & 15];
        let digits: [u8; 32] = std::array::from_fn(digit);
        // They are ASCII.
        std::str::from_utf8(&digits).unwrap_or_default().into()
    }
}

/// A header's value when it is short and visible ASCII throughout.
pub(crate) fn sane<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?;
    let is_sane = !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_sane.then_some(text)
}

/// The client's `x-portkey-trace-id`, or the trace id of its `traceparent`.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let portkeys = if sends(headers, "x-portkey-") { sane(headers, "x-portkey-trace-id") } else { None };
    portkeys.or_else(|| {
        let mut parts = sane(headers, "traceparent")?.split('-');
        let (version, trace_id, parent) = (parts.next()?, parts.next()?, parts.next()?);
        (version != "ff" && is_id(version, 2) && is_named(trace_id, 32) && is_named(parent, 16)).then_some(trace_id)
    })
}

/// Whether `text` is an id of the W3C's trace context that names something: one of zeros only names nothing.
fn is_named(text: &str, length: usize) -> bool {
    is_id(text, length) && text.bytes().any(|byte| byte != b'0')
}

fn is_id(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The mixing step of SplitMix64: one to one, so that unequal counts give unequal ids.
const fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue};

    use super::{Ids, trace_id};

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())])
    }

    #[test]
    fn fresh_ids_are_unlike_each_other() {
        let ids = Ids::new();
        let made: HashSet<Arc<str>> = (0..10_000).map(|_| ids.of(&HeaderMap::new())).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }

    #[test]
    fn a_clients_id_is_kept_when_it_is_sane() {
        let ids = Ids::new();
        assert_eq!(&*ids.of(&with("x-request-id", "req-1_a/B")), "req-1_a/B");
        assert_eq!(*ids.of(&with("x-request-id", &"x".repeat(128))), *"x".repeat(128));
        for bad in ["", "two words", "caf\u{e9}", &"x".repeat(129)] {
            assert_eq!(ids.of(&with("x-request-id", bad)).len(), 32, "{bad}");
        }
    }

    #[test]
    fn traces_are_found() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&with("x-portkey-trace-id", "mine")), Some("mine"));
        assert_eq!(trace_id(&with("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))), Some(trace));
        let zeros = "0".repeat(32);
        for bad in [
            "nonsense".to_owned(),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{trace}-0000000000000000-01"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
        ] {
            assert_eq!(trace_id(&with("traceparent", &bad)), None, "{bad}");
        }
    }
}

//! Ports that nobody uses, below those that the system gives to outgoing connections.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A cluster's nodes talk to each other at their port and this.
const BUS: u16 = 10_000;
const FIRST: u16 = 11_000;
const COUNT: u16 = 10_000;

/// A port that is free, and so is its cluster bus.
pub(crate) fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Other processes that do the same begin elsewhere.
    let begin = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).expect("below the count");
    let candidates = std::iter::repeat_with(|| {
        FIRST + (u32::from(begin) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))).rem_euclid(u32::from(COUNT)) as u16
    });
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    candidates.take(COUNT.into()).find(|port| is_free(*port) && is_free(port + BUS)).expect("a free port")
}

//! What is not the router's: clients and providers share its thread, and their work is left out of the count.

use std::fmt;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The function within which Callgrind does not count, as its options name it.
pub(crate) const NAME: &str = "*uncounted_poll*";

/// A future that is polled without being counted.
pub(crate) struct Uncounted<T>(Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Uncounted<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl<T> Future for Uncounted<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        uncounted_poll(self.0.as_mut(), context)
    }
}

impl<T> fmt::Debug for Uncounted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uncounted")
    }
}

/// Callgrind looks for it by name and notices when it returns: so it must stay a function of its own, and not end with a
/// jump into what it calls.
#[inline(never)]
fn uncounted_poll<T>(future: Pin<&mut dyn Future<Output = T>>, context: &mut Context<'_>) -> Poll<T> {
    black_box(future.poll(context))
}

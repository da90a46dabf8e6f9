//! Connections that many tasks take turns with.

use std::sync::{Mutex, PoisonError};

use crate::http::Broken;
use crate::redis::{Link, Value};

/// Connections to a Redis server.
#[derive(Debug)]
pub(super) struct Links {
    port: u16,
    idle: Mutex<Vec<Link>>,
}

impl Links {
    pub(super) fn to(port: u16) -> Self {
        Self { port, idle: Mutex::default() }
    }

    /// One command, on a connection of its own while it lasts.
    pub(super) async fn call(&self, words: &[&str]) -> Result<Value, Broken> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let mut link = match kept {
            Some(link) => link,
            None => Link::open(self.port).await?,
        };
        let value = link.call(words).await?;
        idle().push(link);
        Ok(value)
    }
}

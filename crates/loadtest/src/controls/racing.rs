//! Looks whether there is room, and takes it: two steps, and others come between.

use super::links::Links;
use crate::http::Broken;

/// A replica that reads a counter in Redis, and raises it when it was below the limit.
#[derive(Debug)]
pub struct Racing(Links);

impl Racing {
    /// One of a fleet that counts at the server at `port`.
    pub fn at(port: u16) -> Self {
        Self(Links::to(port))
    }

    /// Whether there is room for one more.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn admit(&self, name: &str, limit: u64) -> Result<bool, Broken> {
        let used = self.0.call(&["GET", name]).await?.int();
        if used.unsigned_abs() >= limit {
            return Ok(false);
        }
        self.0.call(&["INCR", name]).await?;
        Ok(true)
    }
}

//! A connection that commands are sent over, to one server or to a cluster.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_redis::Pool;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use tokio::time::{Instant, timeout};
use weighbridge_domain::time::millis;

use super::scripts::Scripts;
use crate::fleet::link::LinkError;

/// A timer that is so late says that this process was stalled.
const STALLED: Duration = Duration::from_millis(5);

/// A connection. Cheap to clone; calls over it are pipelined.
#[derive(Clone)]
pub(crate) enum Lane {
    /// To one server.
    Server(MultiplexedConnection),
    /// To whichever server of a cluster holds the keys.
    Cluster(ClusterConnection),
    /// One of a few connections to one server, for what may take its time.
    Pool(Pool),
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Lane::Server",
            Self::Cluster(_) => "Lane::Cluster",
            Self::Pool(_) => "Lane::Pool",
        })
    }
}

/// A lane, and what is needed to call scripts over it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) lane: Lane,
    pub(crate) scripts: Arc<Scripts>,
    /// In tests the server's clock is a key, and this is what it shows.
    pub(crate) told: Option<Arc<ToldClock>>,
}

/// A clock that is a key of the server.
#[derive(Debug)]
pub(crate) struct ToldClock {
    pub(crate) key: String,
    pub(crate) now_ms: Arc<AtomicU64>,
}

impl Caller {
    /// Sends a call of a script and waits for its reply, `within` at most. A server that does not know the script
    /// is told and asked again.
    pub(crate) async fn call(&self, call: &Cmd, within: Duration) -> Result<Value, LinkError> {
        waited_for(pin!(self.answered(call)), within).await
    }

    /// Sends commands one after another and waits for the reply to the last, `within` at most.
    pub(crate) async fn call_all(&self, calls: &Pipeline, within: Duration) -> Result<Value, LinkError> {
        waited_for(pin!(self.lane.send_all(calls)), within).await
    }

    async fn answered(&self, call: &Cmd) -> RedisResult<Value> {
        if let Some(told) = &self.told {
            let now_ms = told.now_ms.load(Ordering::Relaxed);
            self.lane.send(cmd("SET").arg(&told.key).arg(now_ms)).await?;
        }
        match self.lane.send(call).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.load().await?;
                self.lane.send(call).await
            }
            answer => answer,
        }
    }

    /// Tells the server, or every node of a cluster, the scripts.
    pub(crate) async fn load(&self) -> RedisResult<()> {
        for script in self.scripts.all() {
            self.lane.send(cmd("SCRIPT").arg("LOAD").arg(&script.text)).await?;
        }
        Ok(())
    }
}

/// What `answered` comes to, `within` at most.
async fn waited_for(
    mut answered: Pin<&mut impl Future<Output = RedisResult<Value>>>,
    within: Duration,
) -> Result<Value, LinkError> {
    let began = Instant::now();
    let mut answer = timeout(within, &mut answered).await;
    if answer.is_err() && began.elapsed() > within + STALLED {
        // This process stood still, so the answer may be here and unread.
        answer = timeout(within, answered).await;
    }
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.is_timeout() => Err(LinkError::TimedOut { ms: millis(within) }),
        Ok(Err(error)) => Err(LinkError::Broken(in_words(&error))),
        Err(_) => Err(LinkError::TimedOut { ms: millis(within) }),
    }
}

impl Lane {
    async fn send(&self, cmd: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Server(connection) => connection.clone().req_packed_command(cmd).await,
            Self::Cluster(connection) => connection.clone().req_packed_command(cmd).await,
            Self::Pool(pool) => match pool.get().await {
                Ok(mut connection) => connection.req_packed_command(cmd).await,
                Err(error) => Err((ErrorKind::Io, "no connection", error.to_string()).into()),
            },
        }
        .and_then(Value::extract_error)
    }

    async fn send_all(&self, calls: &Pipeline) -> RedisResult<Value> {
        let last = calls.len().saturating_sub(1);
        let replies = match self {
            Self::Server(connection) => connection.clone().req_packed_commands(calls, last, 1).await,
            Self::Cluster(connection) => connection.clone().req_packed_commands(calls, last, 1).await,
            Self::Pool(pool) => match pool.get().await {
                Ok(mut connection) => connection.req_packed_commands(calls, last, 1).await,
                Err(error) => Err((ErrorKind::Io, "no connection", error.to_string()).into()),
            },
        };
        Value::Array(replies?).extract_error()
    }
}

/// An error for an operator: what the server or the network said, no secret in it.
pub(crate) fn in_words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
}

//! Serves one case: the whole router over loopback, all in one thread and in a time of its own, so that a run is like any other.

use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::watch;
use weighbridge::BuildError;
use weighbridge::replica::Replica;
use weighbridge_server::{Drain, serve};
use weighbridge_telemetry::logs::{self, Format, LogsError};

use crate::case::Case;
use crate::client::{Answer, Client};
use crate::uncounted::Uncounted;
use crate::upstream::{self, Seen};

/// From one request to the next. Time passes then only, whatever the machine does: 200 requests a second.
const PAUSE: Duration = Duration::from_millis(5);

/// The function at whose beginning Callgrind begins to count.
pub(crate) const BEGINS: &str = "*measuring_begins*";
/// The function at whose beginning it writes down what it counted.
pub(crate) const ENDS: &str = "*measuring_ends*";

/// Why a case cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("{0}")]
    Config(#[from] BuildError),
    #[error("{0}")]
    Logs(#[from] LogsError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("answered {status} instead of {expected}: {body}")]
    Answer { status: u16, expected: u16, body: String },
}

/// Serves `case` without being counted `warm` times, then `count` times.
pub(crate) fn run(case: Case, warm: usize, count: usize) -> Result<(), ServeError> {
    logs::init(case.log, Format::Human)?;
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        // A runtime whose time stands still leaps ahead whenever it has nothing to do, except while something blocks.
        let (stop, stopped) = mpsc::channel::<()>();
        let blocking = tokio::task::spawn_blocking(move || stopped.recv());
        let served = all(case, warm, count).await;
        drop(stop);
        // It ends with an error, as nothing was sent.
        blocking.await.ok();
        served
    })
}

async fn all(case: Case, warm: usize, count: usize) -> Result<(), ServeError> {
    let seen = watch::Sender::new(0);
    let upstream = upstream::start(case.reply.clone(), &seen).await?;
    let router = start(&case.config, upstream).await?;
    Uncounted::new(async move {
        let mut client = Client::connect(router).await?;
        for number in 0..warm {
            ask(&mut client, &case, number, &seen).await?;
        }
        measuring_begins();
        for number in warm..warm + count {
            let answer = ask(&mut client, &case, number, &seen).await?;
            if answer.status != case.status {
                let body = String::from_utf8_lossy(answer.bytes).into_owned();
                return Err(ServeError::Answer { status: answer.status, expected: case.status, body });
            }
        }
        measuring_ends();
        Ok(())
    })
    .await
}

/// Starts a router with `config` before `upstream`, and says where it listens.
async fn start(config: &str, upstream: SocketAddr) -> Result<SocketAddr, ServeError> {
    listen(&Replica::from_yaml(&config.replace("UPSTREAM", &upstream.to_string()))?).await
}

/// Serves `replica` for as long as the runtime lives, and says where it listens.
pub(crate) async fn listen(replica: &Arc<Replica>) -> Result<SocketAddr, ServeError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let drain = Drain::new();
    tokio::spawn(serve(listener, replica.app(drain.clone()), drain));
    Ok(address)
}

/// Asks once. Allocates nothing, as that would be counted.
async fn ask<'a>(client: &'a mut Client, case: &Case, number: usize, seen: &Seen) -> io::Result<Answer<'a>> {
    tokio::time::advance(PAUSE).await;
    client.ask(&case.requests[number % case.requests.len()], seen).await
}

/// Callgrind looks for it by name, so it must stay a function of its own.
#[inline(never)]
fn measuring_begins() {
    black_box(());
}

/// Callgrind looks for it by name, so it must stay a function of its own.
#[inline(never)]
fn measuring_ends() {
    black_box(1);
}

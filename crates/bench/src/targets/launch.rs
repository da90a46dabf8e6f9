//! The start of a target, up to its first answer.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use weighbridge_loadtest::process::Process;

use crate::http::Connection;
use crate::load::Ask;

/// The longest that one may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of a log is told.
const LAST: usize = 1_500;

/// An address that nobody uses.
pub(super) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    listener.local_addr().expect("an address")
}

/// Starts a process and asks it until it gives the answer expected; tells how long that took.
///
/// # Errors
/// When it ends, or does not answer within `patience`.
pub(super) async fn launch(
    command: Command,
    address: SocketAddr,
    ask: &Ask,
    patience: Duration,
) -> Result<(Process, Duration), String> {
    let began = Instant::now();
    let mut process = Process::start(command);
    loop {
        let told = match Connection::open(address).await {
            Ok(mut connection) => connection.ask(&ask.request, ask.expected).await.map(|_| began.elapsed()),
            Err(refused) => Err(refused),
        };
        match told {
            Ok(first) => return Ok((process, first)),
            Err(why) if began.elapsed() > patience => {
                return Err(format!("it does not answer: {why}\n{}", end_of(&process.log())));
            }
            Err(_) if process.has_ended() => return Err(format!("it ended:\n{}", end_of(&process.log()))),
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Waits for the end of processes that were asked to; whoever goes on is killed when it is dropped.
#[expect(clippy::disallowed_methods, reason = "called where nothing can wait otherwise, and nothing is measured")]
pub(super) fn wait_for_end(processes: &mut [Process]) {
    let give_up_at = Instant::now() + PATIENCE;
    while processes.iter_mut().any(|process| !process.has_ended()) && Instant::now() < give_up_at {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The end of a log.
pub(super) fn end_of(log: &str) -> String {
    let skipped = log.chars().count().saturating_sub(LAST);
    log.chars().skip(skipped).collect()
}

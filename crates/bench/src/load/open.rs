//! Requests at a fixed rate, whether or not the ones before are answered.
//!
//! Threads that block, as a timer of the runtime is a millisecond late and these are some 60 µs: what the router adds
//! is less than a millisecond.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::time::Instant;

use super::Ask;
use crate::http::Reader;

/// The longest an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
const ROOM: usize = 32 * 1024;

/// Asks `rate` times a second for as long as `length`, by turns on `connections`, and tells what each took from when it
/// was due: what waited for a connection or for the timer is counted in.
///
/// # Errors
/// When an answer was not the one expected, or did not come.
pub(crate) fn at_rate(
    address: SocketAddr,
    ask: &Ask,
    rate: u32,
    length: Duration,
    connections: u32,
) -> Result<Vec<Duration>, String> {
    let period = Duration::from_secs(1) / rate;
    let begin = Instant::now() + Duration::from_millis(50);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|place| {
                let dues = (place..).step_by(connections as usize).map(move |number| period * number);
                scope.spawn(move || converse(address, ask, begin, dues.take_while(|due| *due < length)))
            })
            .collect();
        let taken: Result<Vec<Vec<Duration>>, String> =
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread broke off")?).collect();
        Ok(taken?.concat())
    })
}

fn converse(
    address: SocketAddr,
    ask: &Ask,
    begin: Instant,
    dues: impl Iterator<Item = Duration>,
) -> Result<Vec<Duration>, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(address).map_err(told)?;
    stream.set_nodelay(true).map_err(told)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
    let mut buffer = vec![0; ROOM];
    let mut taken = Vec::new();
    for due in dues {
        wait_until(begin + due);
        stream.write_all(&ask.request.bytes).map_err(told)?;
        let mut reader = Reader::new(ask.expected);
        loop {
            let read = stream.read(&mut buffer).map_err(told)?;
            if read == 0 {
                return Err("the connection was closed".to_owned());
            }
            if reader.feed(&buffer[..read])? {
                break;
            }
        }
        taken.push(begin.elapsed().saturating_sub(due));
    }
    Ok(taken)
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own, for want of a timer that is exact enough")]
fn wait_until(due: Instant) {
    let now = Instant::now();
    if now < due {
        std::thread::sleep(due - now);
    }
}

//! What a chunk costs while more and more streams are open.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use weighbridge::replica::Replica;

use super::cpu::Thread;
use crate::case::{Case, ticking};
use crate::client::Client;
use crate::serve;
use crate::upstream::{self, Seen};

/// Streams at once.
const STREAMS: [usize; 4] = [10, 100, 300, 1000];
/// Between two chunks of a stream.
const EVERY: Duration = Duration::from_millis(100);
/// Chunks of a stream: enough for all that follows.
const CHUNKS: u32 = 100;
/// Until all streams are under way.
const BEGINS: Duration = Duration::from_secs(2);
/// For how long is measured.
const LASTS: Duration = Duration::from_secs(5);

const HEAD: &str = "\
## Streams

Processor time of the router's thread, user and system, for a chunk of about 300 B; each stream has one every 100 ms. The fewer there
are, the more of them have a wake-up of their own.

| streams at once | chunks a second | CPU a chunk |
|--:|--:|--:|
";

/// The table.
pub(super) async fn section() -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for streams in STREAMS {
        let (rate, cost) = measure(streams).await?;
        // Writing to a string cannot fail.
        writeln!(text, "| {streams} | {rate:.0} | {:.1} µs |", cost * 1e6).ok();
    }
    Ok(text)
}

/// Chunks a second, and the processor seconds of one.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
async fn measure(streams: usize) -> Result<(f64, f64), String> {
    let case = Arc::new(ticking(CHUNKS, EVERY));
    let upstream = upstream::start(case.reply.clone(), &watch::Sender::new(0)).await;
    let upstream = upstream.map_err(|error| error.to_string())?;
    let router = Apart::start(case.config.replace("UPSTREAM", &upstream.to_string())).await?;
    let seen: Vec<Seen> = (0..streams).map(|_| watch::Sender::new(0)).collect();
    let mut clients = JoinSet::new();
    for seen in &seen {
        clients.spawn(read(router.address, Arc::clone(&case), seen.clone()));
        // They do not all tick at once.
        sleep(EVERY / 100).await;
    }
    sleep(BEGINS).await;
    let chunks = || seen.iter().map(|seen| *seen.borrow()).sum::<usize>();
    let (chunks_before, cpu_before) = (chunks(), router.thread.seconds()?);
    sleep(LASTS).await;
    let (count, cpu) = ((chunks() - chunks_before) as f64, router.thread.seconds()? - cpu_before);
    match clients.try_join_next() {
        None => Ok((count / LASTS.as_secs_f64(), cpu / count)),
        Some(ended) => Err(format!("a stream ended early: {ended:?}")),
    }
}

async fn read(router: SocketAddr, case: Arc<Case>, seen: Seen) -> std::io::Result<u16> {
    let mut client = Client::connect(router).await?;
    Ok(client.ask(&case.requests[0], &seen).await?.status)
}

/// A router in a thread of its own, so that its processor time is known.
struct Apart {
    address: SocketAddr,
    thread: Thread,
    /// The router ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Apart {
    async fn start(config: String) -> Result<Self, String> {
        let (tell, told) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        std::thread::spawn(move || {
            let started = async {
                let replica = Replica::from_yaml(&config).map_err(|error| error.to_string())?;
                let address = serve::listen(&replica).await.map_err(|error| error.to_string())?;
                Ok::<_, String>((address, Thread::this()?))
            };
            let served = async {
                // Whoever asked may be gone, and then this ends as well.
                tell.send(started.await).ok();
                stopped.await.ok();
            };
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(served),
                // What was to be told is dropped, and that is noticed.
                Err(_) => drop(served),
            }
        });
        let (address, thread) = told.await.map_err(|_| "no runtime")??;
        Ok(Self { address, thread, _stop: stop })
    }
}

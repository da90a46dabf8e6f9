//! A TCP proxy that does to a connection what networks do.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A proxy on loopback. It stops, and its connections break, when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

/// What happens to whatever passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    /// From the client to the server.
    pub forth: Way,
    /// From the server to the client.
    pub back: Way,
    /// What a new connection meets.
    pub door: Door,
    /// Where a new connection leads.
    port: u16,
    /// Every connection of an older number is broken by a reset.
    resets: u64,
    /// Every connection of an older number is broken in the middle of the server's next bytes.
    cuts: u64,
}

/// What happens in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Bytes pass at once.
    #[default]
    Open,
    /// Bytes pass after this time and up to `jitter` more, in their order.
    Slow {
        /// At least.
        delay: Duration,
        /// And at most this much more.
        jitter: Duration,
    },
    /// Nothing passes, and nobody is told. What was sent arrives once the way is open again, as TCP
    /// would send it again.
    Hole,
}

/// What a new connection meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Door {
    /// It is let through.
    #[default]
    Open,
    /// Nobody listens.
    Shut,
}

impl Way {
    /// Bytes pass after `delay`.
    pub const fn after(delay: Duration) -> Self {
        Self::Slow { delay, jitter: Duration::ZERO }
    }
}

impl Proxy {
    /// A proxy to a server on loopback.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback");
        let address = listener.local_addr().expect("an address");
        let (weather, seen) = watch::channel(Weather { port, ..Weather::default() });
        let task = tokio::spawn(run(listener, seen));
        Self { address, weather, task }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The same as a Redis URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Changes what happens from now on, to connections that are open too.
    pub fn set(&self, forth: Way, back: Way) {
        self.weather.send_modify(|weather| (weather.forth, weather.back) = (forth, back));
    }

    /// All bytes pass, and new connections too.
    pub fn clear(&self) {
        self.set(Way::Open, Way::Open);
        self.door(Door::Open);
    }

    /// Nothing passes in either direction, and nobody is told.
    pub fn part(&self) {
        self.set(Way::Hole, Way::Hole);
    }

    /// Lets new connections in, or not. Those that are open stay so.
    pub fn door(&self, door: Door) {
        self.weather.send_modify(|weather| weather.door = door);
    }

    /// Breaks every connection; new ones lead to another server.
    pub fn lead_to(&self, port: u16) {
        self.weather.send_modify(|weather| {
            weather.port = port;
            weather.resets += 1;
        });
    }

    /// Breaks every connection by a reset.
    pub fn reset(&self) {
        self.weather.send_modify(|weather| weather.resets += 1);
    }

    /// Breaks every connection by a reset once half of the server's next bytes have passed.
    pub fn cut_in_frame(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(listener: TcpListener, mut weather: watch::Receiver<Weather>) {
    let address = listener.local_addr().expect("an address");
    let mut listener = Some(listener);
    loop {
        let door = weather.borrow_and_update().door;
        match (door, &listener) {
            (Door::Shut, _) => {
                listener = None;
                if weather.changed().await.is_err() {
                    return;
                }
            }
            (Door::Open, None) => listener = Some(TcpListener::bind(address).await.expect("its own port")),
            (Door::Open, Some(open)) => tokio::select! {
                accepted = open.accept() => {
                    if let Ok((client, _)) = accepted {
                        tokio::spawn(carry(client, weather.clone()));
                    }
                }
                changed = weather.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            },
        }
    }
}

/// Carries one connection to its end.
async fn carry(client: TcpStream, mut weather: watch::Receiver<Weather>) {
    let begun = *weather.borrow_and_update();
    let Ok(server) = TcpStream::connect(("127.0.0.1", begun.port)).await else { return };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forth = pump(&mut from_client, &mut to_server, weather.clone(), Direction::Forth);
    let back = pump(&mut from_server, &mut to_client, weather.clone(), Direction::Back { cuts: begun.cuts });
    let reset = async {
        // An error means that the proxy is gone.
        _ = weather.wait_for(|now| now.resets > begun.resets).await;
        End::Broken
    };
    // The end of either direction is the end of both: Redis and its clients never close one alone.
    let end = tokio::select! {
        end = reset => end,
        end = forth => end,
        end = back => end,
    };
    if end == End::Broken {
        for side in [from_client.as_ref(), from_server.as_ref()] {
            // What is not sent yet is lost, and the peer gets a reset.
            side.set_zero_linger().ok();
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Direction {
    Forth,
    Back { cuts: u64 },
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By one of its ends.
    Closed,
    /// By the weather.
    Broken,
}

impl Direction {
    fn way(self, weather: &Weather) -> Way {
        match self {
            Self::Forth => weather.forth,
            Self::Back { .. } => weather.back,
        }
    }

    fn is_cut(self, weather: &Weather) -> bool {
        match self {
            Self::Forth => false,
            Self::Back { cuts } => weather.cuts > cuts,
        }
    }
}

/// Carries bytes in one direction until the end, or until a cut.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    weather: watch::Receiver<Weather>,
    direction: Direction,
) -> End {
    // Reading goes on while earlier bytes wait, so that a delay does not narrow the way.
    let (queue, queued) = mpsc::unbounded_channel();
    let reading = read(from, queue, weather.clone(), direction);
    let writing = write(to, queued, weather, direction);
    tokio::select! {
        // What was read before the end is still delivered.
        () = async { reading.await; std::future::pending().await } => End::Closed,
        written = writing => written.unwrap_or(End::Closed),
    }
}

async fn read(
    from: &mut OwnedReadHalf,
    queue: mpsc::UnboundedSender<(Instant, Bytes)>,
    weather: watch::Receiver<Weather>,
    direction: Direction,
) {
    let mut buffer = BytesMut::new();
    while let Ok(1..) = from.read_buf(&mut buffer).await {
        let wait = match direction.way(&weather.borrow()) {
            Way::Open | Way::Hole => Duration::ZERO,
            Way::Slow { delay, jitter } => delay + jitter.mul_f64(fastrand::f64()),
        };
        if queue.send((Instant::now() + wait, buffer.split().freeze())).is_err() {
            return;
        }
    }
}

async fn write(
    to: &mut OwnedWriteHalf,
    mut queued: mpsc::UnboundedReceiver<(Instant, Bytes)>,
    mut weather: watch::Receiver<Weather>,
    direction: Direction,
) -> io::Result<End> {
    while let Some((due, bytes)) = queued.recv().await {
        tokio::time::sleep_until(due).await;
        if weather.wait_for(|now| direction.way(now) != Way::Hole).await.is_err() {
            break;
        }
        if direction.is_cut(&weather.borrow()) {
            to.write_all(&bytes[..bytes.len() / 2]).await?;
            return Ok(End::Broken);
        }
        to.write_all(&bytes).await?;
    }
    Ok(End::Closed)
}

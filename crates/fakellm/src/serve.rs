//! The simulation over TCP, until it is stopped: then every connection breaks.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A simulation that listens. It stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    /// Dropped to stop.
    power: watch::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops as if the process were killed: connections break, and further ones are refused.
    pub async fn stop(self) {
        drop(self.power);
        // Nothing is left to do about a task that ended badly.
        _ = self.task.await;
    }
}

/// Serves `router` at `listen`.
pub(crate) async fn serve(router: Router, listen: SocketAddr) -> io::Result<Running> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let (power, powered) = watch::channel(());
    let doors = Doors { listener, powered: powered.clone() };
    let task = tokio::spawn(axum::serve(doors, router).with_graceful_shutdown(off(powered)).into_future());
    Ok(Running { address, power, task })
}

/// Resolves once the sender is gone.
async fn off(mut powered: watch::Receiver<()>) {
    while powered.changed().await.is_ok() {}
}

struct Doors {
    listener: TcpListener,
    powered: watch::Receiver<()>,
}

impl Listener for Doors {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            if let Ok((stream, peer)) = self.listener.accept().await
                && stream.set_nodelay(true).is_ok()
            {
                return (Line { stream, off: Box::pin(off(self.powered.clone())) }, peer);
            }
            // Out of file descriptors, most likely: give others the time to close theirs.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that breaks when the power goes off.
struct Line {
    stream: TcpStream,
    off: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Line {
    fn check_power(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.off.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.off = Box::pin(std::future::ready(()));
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_power(context)?;
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Line").field(&self.stream).finish()
    }
}

//! Connections: accepted, limited, served, and ended in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

use weighbridge_config::objects;

use crate::app::App;
use crate::drain::Drain;
use crate::routes::Routes;

/// The longest request head, in bytes; a longer one gets 431. Room for a configuration in a header.
const LONGEST_HEAD: usize = objects::LONGEST + (64 << 10);
/// The most header lines of a request.
const MOST_HEADERS: usize = 128;
/// How long a client may take over a request's head, and leave a connection idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// The pause after accepting failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `app` on `listener` until `drain` begins: then for `server.drain_delay` as before, so
/// that load balancers notice, and after that nobody new. Returns when the last request has ended,
/// or after `server.drain_timeout` more; what is still open then is cut when the process ends.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(listener: TcpListener, app: Arc<App>, drain: Drain) -> io::Result<()> {
    app.engine.listens_on(listener.local_addr()?.port());
    let connections =
        Connections { routes: Routes::new(Arc::clone(&app)), builder: builder(), ends: GracefulShutdown::new() };
    tokio::select! {
        never = connections.accept(&listener) => match never {},
        () = closing(&app, &drain) => {}
    }
    drop(listener);
    let patience = app.engine.table().server.drain_timeout;
    if tokio::time::timeout(patience, connections.ends.shutdown()).await.is_err() {
        tracing::warn!(in_flight = app.in_flight(), "drain_timeout is over: open requests are cut");
    }
    Ok(())
}

/// Waits until nobody new is to be let in.
async fn closing(app: &App, drain: &Drain) {
    drain.begun().await;
    tracing::info!(in_flight = app.in_flight(), "draining: not ready any more");
    tokio::time::sleep(app.engine.table().server.drain_delay).await;
}

/// HTTP/1 and HTTP/2, with limits on what comes before a body.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(LONGEST_HEAD as u32);
    builder
}

/// The open connections.
struct Connections {
    routes: Routes,
    builder: Builder<TokioExecutor>,
    ends: GracefulShutdown,
}

/// Accepting ends from outside only.
enum Never {}

impl Connections {
    async fn accept(&self, listener: &TcpListener) -> Never {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.open(stream, peer),
                // The client's affair: it is gone already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::error!(%error, "connections cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn open(&self, stream: TcpStream, peer: SocketAddr) {
        // Events are small and each is waited for.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        let routes = self.routes.clone();
        let service = service_fn(move |request: Request<Incoming>| routes.respond(request, peer));
        let connection = self.builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = self.ends.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "a connection broke");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::{LONGEST_HEAD, serve};
    use crate::drain::Drain;
    use crate::testkit;

    /// Sends `request` to `address` and reads the answer to the end of the connection.
    async fn talk(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_drained_server_returns() {
        let drain = Drain::new();
        let mut table = testkit::table();
        table.server.drain_delay = Duration::ZERO;
        let app = testkit::app(table, drain.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, app, drain.clone()));

        let answer = talk(address, "GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // The peer is on loopback, so the admin routes are open to it.
        let answer = talk(address, "GET /router/deployments HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

        // Connections that wait for their next request, or their first, do not hold up the end.
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(idle.read(&mut [0; 512]).await.unwrap() > 0);
        let silent = TcpStream::connect(address).await.unwrap();

        drain.begin();
        serving.await.unwrap().unwrap();
        drop((idle, silent));
        assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
    }

    #[tokio::test]
    async fn a_server_that_cannot_finish_returns_at_its_timeout() {
        let drain = Drain::new();
        let mut table = testkit::table();
        table.server.drain_delay = Duration::ZERO;
        table.server.drain_timeout = Duration::from_millis(20);
        let app = testkit::app(table, drain.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, app.clone(), drain.clone()));

        // A body that never comes to its end keeps the request open.
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{";
        stream.write_all(request.as_bytes()).await.unwrap();
        while app.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
        drain.begin();
        serving.await.unwrap().unwrap();
        assert_eq!(app.in_flight(), 1);
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_431() {
        let drain = Drain::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, testkit::app(testkit::table(), drain.clone()), drain));
        let long = "x".repeat(2 * LONGEST_HEAD);
        let answer = talk(address, &format!("GET /health/live HTTP/1.1\r\nHost: x\r\nx-long: {long}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let many = "x-one: 1\r\n".repeat(200);
        let answer = talk(address, &format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        serving.abort();
    }
}

//! The server's beginning and its orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::routes::router;

/// Tells everybody when the end begins. Clones are one.
#[derive(Debug, Clone)]
pub struct Drain(Arc<watch::Sender<bool>>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Drain {
    /// An end that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the end: readiness is 503 at once. Beginning it again changes nothing.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it has.
    pub async fn begun(&self) {
        // Fails only when the sender is gone, and `self` holds it.
        drop(self.0.subscribe().wait_for(|is_draining| *is_draining).await);
    }
}

/// Serves `app` on `listener` until `drain` begins: then for `server.drain_delay` as before, so
/// that load balancers notice, and after that nobody new. Returns when the last request has ended,
/// or after `server.drain_timeout` more; what is still open then is cut when the process ends.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(listener: TcpListener, app: Arc<App>, drain: Drain) -> io::Result<()> {
    let closing = {
        let (app, drain) = (Arc::clone(&app), drain.clone());
        async move {
            drain.begun().await;
            tracing::info!(in_flight = app.in_flight(), "draining: not ready any more");
            tokio::time::sleep(app.engine.table().server.drain_delay).await;
        }
    };
    let overdue = async {
        drain.begun().await;
        let server = &app.engine.table().server;
        tokio::time::sleep(server.drain_delay.saturating_add(server.drain_timeout)).await;
    };
    let service = router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
    let listener = listener.tap_io(|connection| {
        // Events are small and each is waited for.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
    });
    let serving = axum::serve(listener, service).with_graceful_shutdown(closing).into_future();
    tokio::select! {
        ended = serving => ended,
        () = overdue => {
            tracing::warn!(in_flight = app.in_flight(), "drain_timeout is over: open requests are cut");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::{Drain, serve};
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
    async fn the_end_is_told_to_all() {
        let drain = Drain::new();
        assert!(!drain.is_draining());
        drain.clone().begin();
        drain.begun().await;
        drain.begin();
        assert!(drain.is_draining());
    }
}

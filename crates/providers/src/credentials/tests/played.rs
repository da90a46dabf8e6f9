//! Endpoints that answer as each test likes.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weighbridge_domain::failure::{Failure, FailureKind};

use crate::transport::{BodyStream, Reach, Sending, Transport};

/// Answers every request alike, whatever its host, and remembers what it was asked.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    answer: Option<(u16, String)>,
    asked: Arc<Mutex<Vec<http::Request<Bytes>>>>,
}

impl Endpoints {
    pub(super) fn answering(status: u16, body: &str) -> Self {
        Self { answer: Some((status, body.to_owned())), asked: Arc::default() }
    }

    pub(super) fn silent() -> Self {
        Self { answer: None, asked: Arc::default() }
    }

    pub(super) fn asked(&self) -> Vec<http::Request<Bytes>> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Endpoints {
    fn send(&self, request: http::Request<Bytes>, reach: Reach) -> Sending<'_> {
        assert_eq!(reach, Reach::Configured);
        self.asked.lock().unwrap().push(request);
        Box::pin(async move {
            let Some((status, body)) = self.answer.clone() else {
                return Err(Failure::new(FailureKind::Unreachable, "the provider cannot be reached: refused"));
            };
            let body: BodyStream = Box::pin(futures_util::stream::iter([Ok(Bytes::from(body))]));
            Ok(http::Response::builder().status(status).body(body).unwrap())
        })
    }
}

/// A request as a few lines.
pub(super) fn shown(request: &http::Request<Bytes>) -> String {
    let mut shown = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        shown.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    let body = String::from_utf8_lossy(request.body()).replace('&', "\n&");
    shown + &body
}

/// A server on loopback that answers with `body`, and the first line of everything it was asked.
pub(super) async fn serve(body: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            let text = String::from_utf8(request).unwrap();
            seen.lock().unwrap().push(text.lines().next().unwrap().to_owned());
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await.unwrap();
        }
    });
    (base, asked)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

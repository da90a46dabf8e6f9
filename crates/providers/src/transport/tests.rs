//! Real connections to a server on loopback, with names resolved as each test likes.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::hosts::{Border, HostRules};

use super::{HttpTransport, Reach, Resolved, Resolver, Transport};

/// Answers with these addresses, one a question; the last one for ever.
#[derive(Debug)]
struct Script(Mutex<VecDeque<&'static str>>);

impl Resolver for Script {
    fn resolve(&self, _: &str) -> Resolved {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
        let found: Vec<IpAddr> = answer.into_iter().map(|ip| ip.parse().unwrap()).collect();
        Box::pin(async move { Ok(found) })
    }
}

fn transport(answers: &[&'static str]) -> HttpTransport {
    let script = Script(Mutex::new(answers.iter().copied().collect()));
    HttpTransport::with_resolver(Arc::new(script)).unwrap()
}

fn border(entries: &[&str]) -> Border {
    let rules = HostRules::new(entries.iter().map(|entry| entry.parse().unwrap()).collect());
    Border { rules, is_open: false, own_ports: Vec::new() }
}

/// A server that answers every request with `head`; its port, and how many connections it has had.
async fn serve(head: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    stream.write_all(head.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (port, connections)
}

const KEPT_OPEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

async fn send(transport: &HttpTransport, url: &str, reach: Reach) -> Result<u16, Failure> {
    let mut request = http::Request::new(Bytes::new());
    *request.uri_mut() = url.parse().unwrap();
    transport.send(request, reach).await.map(|response| response.status().as_u16())
}

/// The answer to a request to `host`, named by a client, or what its failure says.
async fn named(transport: &HttpTransport, host: &str, port: u16) -> Result<u16, String> {
    let url = format!("http://{host}:{port}/v1/path-of-the-client");
    send(transport, &url, Reach::Foreign).await.map_err(|failure| {
        assert_eq!((failure.kind, failure.http_status()), (FailureKind::BadRequest, 400), "{}", failure.message);
        for secret in ["127.0.0.2", "path-of-the-client"] {
            assert!(!failure.message.contains(secret), "{}", failure.message);
        }
        failure.message
    })
}

fn assert_says(answer: Result<u16, String>, words: &str) {
    let message = answer.unwrap_err();
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn who_named_the_host_says_how_far_a_request_goes() {
    let (port, connections) = serve(KEPT_OPEN).await;
    let transport = transport(&["127.0.0.1"]);
    let configured = format!("http://127.0.0.1:{port}/");
    assert_eq!(send(&transport, &configured, Reach::Configured).await.unwrap(), 200);
    assert_says(named(&transport, "127.0.0.1", port).await, "127.0.0.1 may not be used: it is a loopback address");
    let answer = named(&transport, "rebind.example", port).await;
    assert_says(answer.clone(), "rebind.example may not be used: it resolves to a loopback address");
    assert_says(answer, "add `custom_hosts: [\"rebind.example\"]` below `server:`");
    assert_says(named(&transport, "metadata.google.internal", 80).await, "a cloud's metadata service");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    for entry in ["127.0.0.0/8", "127.0.0.1", "*.example", "rebind.example"] {
        transport.adopt(border(&[entry]));
        assert_eq!(named(&transport, "rebind.example", port).await, Ok(200), "{entry}");
    }
    for (entry, is_allowed) in [(format!("127.0.0.1:{port}"), true), ("127.0.0.1:1".to_owned(), false)] {
        transport.adopt(border(&[&entry]));
        assert_eq!(named(&transport, "127.0.0.1", port).await.is_ok(), is_allowed, "{entry}");
        assert_eq!(named(&transport, "rebind.example", port).await.is_ok(), is_allowed, "{entry}");
    }
}

#[tokio::test]
async fn an_open_router_reaches_loopback_but_not_itself() {
    let (port, _) = serve(KEPT_OPEN).await;
    let (own, reached) = serve(KEPT_OPEN).await;
    let transport = transport(&["127.0.0.1"]);
    transport.adopt(Border { is_open: true, own_ports: vec![own], ..border(&["127.0.0.0/8", "itself.example"]) });
    for host in ["127.0.0.1", "localhost", "name.example", "itself.example"] {
        assert_eq!(named(&transport, host, port).await, Ok(200), "{host}");
        assert_says(named(&transport, host, own).await, "leads back to this router");
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_that_has_moved_is_judged_anew() {
    let (port, _) = serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let transport = transport(&["127.0.0.1", "127.0.0.2"]);
    transport.adopt(border(&["127.0.0.1"]));
    assert_eq!(named(&transport, "rebind.example", port).await, Ok(200));
    assert_says(named(&transport, "rebind.example", port).await, "it resolves to a loopback address");
}

#[tokio::test]
async fn connections_that_new_rules_forbid_are_not_used_again() {
    let (port, connections) = serve(KEPT_OPEN).await;
    let transport = transport(&["127.0.0.1"]);
    let allowing = border(&["127.0.0.1"]);
    transport.adopt(allowing.clone());
    assert_eq!(named(&transport, "rebind.example", port).await, Ok(200));
    transport.adopt(allowing);
    assert_eq!(named(&transport, "rebind.example", port).await, Ok(200));
    assert_eq!(connections.load(Ordering::Relaxed), 1, "the same rules keep the connection");
    transport.adopt(border(&[]));
    assert_says(named(&transport, "rebind.example", port).await, "it resolves to a loopback address");
}

#[tokio::test]
async fn redirects_are_handed_back() {
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (port, _) = serve(redirect).await;
    let transport = transport(&["127.0.0.1"]);
    transport.adopt(border(&["named.example"]));
    assert_eq!(named(&transport, "named.example", port).await, Ok(307));
}

#[tokio::test]
async fn a_name_without_addresses_is_unreachable() {
    let transport = transport(&[]);
    let failure = send(&transport, "http://nowhere.example/", Reach::Foreign).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
}

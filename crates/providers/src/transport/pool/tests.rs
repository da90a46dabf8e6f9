//! Real connections to servers on loopback that do as each test likes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, Request, Response, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use weighbridge_domain::failure::{Failure, FailureKind};

use super::{IDLE, Pool};
use crate::transport::UpstreamResponse;
use crate::transport::connect::Connector;

/// A server whose every connection does `serve`; its URL, and how many connections it has had.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> (String, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/chat?x=1", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream));
        }
    });
    (url, connections)
}

/// Reads a request's head, and whatever comes with it; `None` when there is none.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

/// Answers every request with `answer`.
async fn always(mut stream: TcpStream, answer: &'static str) {
    while head(&mut stream).await.is_some() {
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn send(pool: &Arc<Pool>, url: &str, headers: HeaderMap) -> Result<UpstreamResponse, Failure> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url.parse().unwrap();
    *request.headers_mut() = headers;
    pool.send(request).await
}

async fn get(pool: &Arc<Pool>, url: &str) -> Result<Bytes, Failure> {
    let response = send(pool, url, HeaderMap::new()).await?;
    response.into_body().try_collect::<Vec<Bytes>>().await.map(|parts| parts.concat().into())
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let (url, connections) = server(|stream| always(stream, OK)).await;
    let pool = Pool::new();
    for _ in 0..5 {
        assert_eq!(get(&pool, &url).await.unwrap(), "ok");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn as_many_are_kept_as_were_needed_at_once() {
    let together = Arc::new(Barrier::new(8));
    let (url, connections) = server(move |mut stream| {
        let together = Arc::clone(&together);
        async move {
            while head(&mut stream).await.is_some() {
                together.wait().await;
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let pool = Pool::new();
    for _ in 0..3 {
        let answers = join_all((0..8).map(|_| get(&pool, &url))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "ok"));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 8);
    let origin = pool.origins.read().unwrap().values().next().cloned().unwrap();
    assert!(!origin.sweep(Instant::now()), "they are still good");
    assert!(origin.sweep(Instant::now() + IDLE), "nobody used them for long enough");
    assert!(origin.idle.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_that_was_closed_meanwhile_fails_nobody() {
    let (url, connections) = server(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let pool = Pool::new();
    for number in 1..4 {
        assert_eq!(get(&pool, &url).await.unwrap(), "ok");
        assert_eq!(connections.load(Ordering::Relaxed), number);
        // Until the end has arrived here, as it has when a connection was closed a while ago.
        let origin = pool.origins.read().unwrap().values().next().cloned().unwrap();
        while !origin.sweep(Instant::now()) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_arrives_together_leaves_together() {
    let (url, _) = server(|mut stream| async move {
        head(&mut stream).await;
        let mut answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        (0..100).for_each(|number| answer.push_str(&format!("a\r\nchunk{number:05}\r\n")));
        answer.push_str("0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let response = send(&Pool::new(), &url, HeaderMap::new()).await.unwrap();
    let parts: Vec<Bytes> = response.into_body().try_collect().await.unwrap();
    let expected: String = (0..100).map(|number| format!("chunk{number:05}")).collect();
    assert_eq!(parts.concat(), expected.as_bytes());
    assert!(parts.len() < 10, "{} parts", parts.len());
}

#[tokio::test]
async fn a_body_that_breaks_off_says_so_after_what_had_come() {
    let (url, connections) =
        server(|stream| async { always_once(stream, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await }).await;
    let pool = Pool::new();
    for _ in 0..2 {
        let mut body = send(&pool, &url, HeaderMap::new()).await.unwrap().into_body();
        assert_eq!(body.next().await.unwrap().unwrap(), "half");
        assert_eq!(body.next().await.unwrap().unwrap_err().kind, FailureKind::BrokenReply);
        assert!(body.next().await.is_none());
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

async fn always_once(mut stream: TcpStream, answer: &'static str) {
    head(&mut stream).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn whoever_drops_a_body_hangs_up() {
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let (url, _) = server(move |mut stream| {
        let told = told.clone();
        async move {
            head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
            told.send(stream.read(&mut [0; 9]).await.map_or(true, |read| read == 0)).unwrap();
        }
    })
    .await;
    drop(send(&Pool::new(), &url, HeaderMap::new()).await.unwrap());
    assert_eq!(hears.recv().await, Some(true));
}

#[tokio::test]
async fn the_host_is_named_as_the_url_has_it_or_the_operator() {
    let (url, _) = server(|mut stream| async move {
        while let Some(head) = head(&mut stream).await {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let pool = Pool::new();
    let authority = url.split('/').nth(2).unwrap();
    let seen = get(&pool, &url).await.unwrap();
    assert_eq!(seen, format!("GET /v1/chat?x=1 HTTP/1.1\r\nhost: {authority}\r\n\r\n"));
    let own = HeaderMap::from_iter([(header::HOST, "other.example".parse().unwrap())]);
    let seen = send(&pool, &url, own).await.unwrap().into_body().next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&seen).contains("host: other.example\r\n"));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let failure = get(&Pool::new(), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
}

/// A server that speaks HTTP/2 over TLS and takes `most` requests at once on a connection; and who trusts it.
async fn http2_server(most: u32, at_once: usize) -> (String, Arc<AtomicUsize>, Arc<Pool>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let together = Arc::new(Barrier::new(at_once));
    let (url, connections) = server(move |stream| {
        let (acceptor, together) = (acceptor.clone(), Arc::clone(&together));
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let service = service_fn(move |request: Request<Incoming>| {
                let together = Arc::clone(&together);
                async move {
                    assert_eq!(request.version(), Version::HTTP_2);
                    together.wait().await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"two"))))
                }
            });
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.max_concurrent_streams(most);
            builder.serve_connection(TokioIo::new(stream), service).await.unwrap();
        }
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let connector = Connector::trusting(builder.with_root_certificates(roots).with_no_client_auth());
    (url.replace("http://127.0.0.1", "https://localhost"), connections, Pool::over(connector))
}

#[tokio::test]
async fn http2_connections_are_shared_as_far_as_their_provider_allows() {
    // None is answered before all nine have arrived, and three fit on a connection.
    let (url, connections, pool) = http2_server(3, 9).await;
    // The first learns how many may share a connection.
    let first = tokio::spawn({
        let (pool, url) = (Arc::clone(&pool), url.clone());
        async move { get(&pool, &url).await }
    });
    let origin = loop {
        let known = pool.origins.read().unwrap().values().next().cloned();
        match known {
            Some(origin) if origin.shared.lock().unwrap().iter().any(|shared| shared.most() == 3) => break origin,
            _ => tokio::task::yield_now().await,
        }
    };
    let answers = join_all((0..8).map(|_| get(&pool, &url))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "two"));
    assert_eq!(first.await.unwrap().unwrap(), "two");
    assert!((3..=4).contains(&connections.load(Ordering::Relaxed)));
    assert!(!origin.sweep(Instant::now()), "they are still good");
    assert_eq!(origin.shared.lock().unwrap().len(), connections.load(Ordering::Relaxed));
    assert!(origin.sweep(Instant::now() + IDLE), "nobody used them for long enough");
}

#[tokio::test]
async fn those_that_come_at_once_wait_for_one_connection() {
    let (url, connections, pool) = http2_server(100, 20).await;
    let answers = join_all((0..20).map(|_| get(&pool, &url))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "two"));
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

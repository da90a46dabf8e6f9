//! SIGTERM: not ready any more at once, nobody turned away for a while, running streams finished.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tokio::time::Instant;
use weighbridge_loadtest::process::{Process, Signal};
use weighbridge_loadtest::wait::eventually;

use crate::support::child::router;
use crate::support::http::{Client, Reply, chat, chat_stream};
use crate::support::live::Providers;

const A_SECOND: Duration = Duration::from_secs(1);

/// A router of `names` whose configuration has `rest` too.
async fn start(script: &str, rest: &str) -> (Providers, Process, Client) {
    let providers = Providers::start(script).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), providers.config(&["first"], rest)).unwrap();
    let (process, router) = router(file.path()).await;
    (providers, process, router)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost() {
    let script = "providers: { first: { tokens: 12, token_ms: 300 } }";
    let (providers, mut process, router) = start(script, "server: { drain_delay: 1.5 }").await;
    assert_eq!(router.get("/health/ready").await.status, 200);
    let running = router.begin(&chat_stream("g")).await;
    let began = Instant::now();
    process.signal(Signal::Terminate);
    eventually("readiness is off", A_SECOND, async || router.get("/health/ready").await.status == 503).await;
    // It lives, says so, and serves who has not noticed yet.
    assert_eq!(router.get("/health/live").await.status, 200);
    assert_eq!(router.get("/health").await.json()["status"], "draining");
    assert_eq!(router.chat(&chat("g")).await.status, 200);
    assert!(began.elapsed() < Duration::from_millis(1500), "the machine is too slow for this test");
    eventually("nobody new is let in", 3 * A_SECOND, async || {
        tokio::net::TcpStream::connect(router.address()).await.is_err()
    })
    .await;
    assert!(began.elapsed() >= Duration::from_millis(1400), "the door closed after {:?}", began.elapsed());
    assert_eq!(providers.report("first").open_streams, 1);
    let reply = Reply::read(running).await;
    assert!(reply.is_whole_stream(), "{reply:#?}");
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.log());
    let report = providers.report("first");
    assert_eq!((report.served, report.cancelled), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_wait_for_ever() {
    let script = "providers: { first: { hang_after_chunks: 2 } }";
    let (providers, mut process, router) = start(script, "server: { drain_delay: 0, drain_timeout: 0.5 }").await;
    let running = router.begin(&chat_stream("g")).await;
    process.signal(Signal::Terminate);
    let began = Instant::now();
    let reply = Reply::read(running).await;
    assert!(reply.is_cut && !reply.body.contains("[DONE]"), "a cut stream must not look whole: {reply:#?}");
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.log());
    let took = began.elapsed();
    assert!((Duration::from_millis(400)..4 * A_SECOND).contains(&took), "it took {took:?}");
    eventually("the provider is let go", A_SECOND, async || providers.report("first").cancelled == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_it_up() {
    let (_providers, mut process, router) = start("providers: {}", "server: { drain_delay: 0.1 }").await;
    // One that has been used and is kept alive, and one on which nothing was ever sent.
    let mut used = TcpStream::connect(router.address()).unwrap();
    used.write_all(b"GET /health/live HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    used.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let _unused = TcpStream::connect(router.address()).unwrap();
    let began = Instant::now();
    process.signal(Signal::Terminate);
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.log());
    assert!(began.elapsed() < 3 * A_SECOND, "it took {:?}", began.elapsed());
}

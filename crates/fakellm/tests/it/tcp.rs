//! Over a real connection, where it matters how an answer ends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weighbridge_fakellm::{FakeLlm, Running};

use crate::support::{CHAT, STREAM, fake};

async fn spawn(fake: &FakeLlm) -> Running {
    fake.clone().spawn(([127, 0, 0, 1], 0).into()).await.unwrap()
}

async fn send(running: &Running, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(running.address()).await.unwrap();
    let head = format!("POST /p/v1/chat/completions HTTP/1.1\r\nHost: p\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all((head + body).as_bytes()).await.unwrap();
    connection
}

/// Everything until the connection ends, however it ends.
async fn drain(mut connection: TcpStream) -> String {
    let mut text = Vec::new();
    while connection.read_buf(&mut text).await.is_ok_and(|read| read > 0) {}
    String::from_utf8(text).unwrap()
}

/// Reads until `end` has come.
async fn read_until(connection: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(end) {
        assert!(connection.read_buf(&mut text).await.unwrap() > 0, "{}", String::from_utf8_lossy(&text));
    }
    String::from_utf8(text).unwrap()
}

/// Waits for what another task is about to count.
async fn until(met: impl Fn() -> bool) {
    while !met() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_whole_stream_ends_with_the_last_chunk() {
    let running = spawn(&fake("tokens: 2")).await;
    let text = read_until(&mut send(&running, STREAM).await, "\r\n0\r\n\r\n").await;
    assert!(text.contains("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_cut_stream_has_no_end() {
    let fake = fake("{tokens: 3, cut_after_chunks: 2}");
    let running = spawn(&fake).await;
    let text = drain(send(&running, STREAM).await).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert_eq!(text.matches("\"content\":\" ").count() + text.matches("\"content\":\"E").count(), 2, "{text}");
    assert!(!text.contains("[DONE]") && !text.ends_with("0\r\n\r\n"), "{text}");
    until(|| fake.report("p").in_flight == 0).await;
    assert_eq!(fake.report("p").cancelled, 0);
}

#[tokio::test]
async fn a_cut_body_is_half_of_what_its_header_promises() {
    let running = spawn(&fake("cut_body: true")).await;
    let text = drain(send(&running, CHAT).await).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2);
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels() {
    let fake = fake("{hang_after_chunks: 1}");
    let running = spawn(&fake).await;
    let mut connection = send(&running, STREAM).await;
    read_until(&mut connection, "Every").await;
    assert_eq!(fake.report("p").open_streams, 1);
    drop(connection);
    until(|| fake.report("p").cancelled == 1).await;
    assert_eq!((fake.report("p").open_streams, fake.report("p").in_flight), (0, 0));
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_headers_cancels() {
    let fake = fake("hang: true");
    let running = spawn(&fake).await;
    let connection = send(&running, CHAT).await;
    until(|| fake.report("p").in_flight == 1).await;
    drop(connection);
    until(|| fake.report("p").cancelled == 1).await;
}

#[tokio::test]
async fn to_stop_is_to_break_every_connection() {
    let fake = fake("hang_after_chunks: 1");
    let running = spawn(&fake).await;
    let address = running.address();
    let mut streaming = send(&running, STREAM).await;
    read_until(&mut streaming, "Every").await;
    let idle = TcpStream::connect(address).await.unwrap();
    running.stop().await;
    assert!(!drain(streaming).await.contains("[DONE]"));
    assert_eq!(drain(idle).await, "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    assert_eq!(fake.report("p").in_flight, 0);
}

#[tokio::test]
async fn silence_breaks_too_when_it_is_stopped() {
    let fake = fake("hang: true");
    let running = spawn(&fake).await;
    let connection = send(&running, CHAT).await;
    until(|| fake.report("p").in_flight == 1).await;
    running.stop().await;
    assert_eq!(drain(connection).await, "");
}

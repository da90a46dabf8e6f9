//! The same few answers to everybody, at next to no cost: for benchmarks, where the proxy in front is what is measured.
//!
//! Nothing is parsed but where a request ends and what its path begins with. `/paced/…`, `/burst/…` and `/slow/…` are
//! answered by streams (see [`PACE`], [`CHUNKS`], [`SLOW_PACE`]), `…/embeddings` by an embedding and everything else by a
//! chat completion, so that any proxy can be pointed at each by its configuration alone.

mod answers;
mod request;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use self::answers::Answers;
use self::request::{Asked, Inbox};

/// How many content chunks a paced stream and a burst have.
pub const CHUNKS: usize = 100;
/// The time between two chunks of a paced stream.
pub const PACE: Duration = Duration::from_millis(20);
/// The time between two chunks of a slow stream, which goes on for ten minutes.
pub const SLOW_PACE: Duration = Duration::from_secs(1);
const SLOW_CHUNKS: usize = 600;

/// Answers whoever connects, until it is dropped.
///
/// # Errors
/// When connections can no longer be accepted.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let answers = Arc::new(Answers::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Arc::clone(&answers);
        // A client that hangs up ends its conversation, which is nobody's failure.
        tokio::spawn(async move { converse(stream, &answers).await.ok() });
    }
}

async fn converse(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut inbox = Inbox::new();
    while let Some(asked) = inbox.next(&mut stream).await? {
        match asked {
            Asked::Chat => stream.write_all(&answers.chat).await?,
            Asked::Embedding => stream.write_all(&answers.embedding).await?,
            Asked::Burst => stream.write_all(&answers.burst).await?,
            Asked::Paced => drip(&mut stream, answers, PACE, CHUNKS).await?,
            Asked::Slow => drip(&mut stream, answers, SLOW_PACE, SLOW_CHUNKS).await?,
            Asked::Unreadable => {
                stream.write_all(&answers.unreadable).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A stream of a chunk each `pace`, the first at once.
async fn drip(stream: &mut TcpStream, answers: &Answers, pace: Duration, chunks: usize) -> io::Result<()> {
    stream.write_all(&answers.opening).await?;
    let mut due = tokio::time::interval(pace);
    due.tick().await;
    for _ in 1..chunks {
        due.tick().await;
        stream.write_all(&answers.chunk).await?;
    }
    stream.write_all(&answers.ending).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::{CHUNKS, serve};

    /// What comes back until the connection is closed.
    async fn answers_to(requests: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(serve(listener));
        client.write_all(requests.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.unwrap();
        answers
    }

    fn post(path: &str, body: &str) -> String {
        format!("POST {path} HTTP/1.1\r\nHost: bare\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn connections_are_kept() {
        let answers = answers_to(&[post("/v1/chat/completions", "{}"), post("/v1/embeddings", "{}")].concat()).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
        assert_eq!(answers.matches("\"chat.completion\"").count(), 1, "{answers}");
        assert_eq!(answers.matches("\"embedding\":").count(), 1, "{answers}");
    }

    #[tokio::test]
    async fn bodies_of_any_size_are_read_to_their_end() {
        for size in [0, 1, 65_000, 65_536, 300_000] {
            let answers = answers_to(&post("/v1/chat/completions", &"x".repeat(size)).repeat(2)).await;
            assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{size}: {answers}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn streams_are_whole() {
        for path in ["/burst/v1/chat/completions", "/paced/v1/chat/completions"] {
            let answers = answers_to(&post(path, "{}")).await;
            assert_eq!(answers.matches("\"content\":\" tick\"").count(), CHUNKS, "{path}");
            assert!(answers.contains("\"usage\":{"), "{answers}");
            assert!(answers.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{answers}");
        }
    }

    #[tokio::test]
    async fn a_request_without_a_length_is_refused() {
        let answers = answers_to("POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").await;
        assert!(answers.starts_with("HTTP/1.1 411 "), "{answers}");
    }
}

//! A kept connection that asks and waits for the answer.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::answer::{Expected, Reader};
use super::request::Request;

const ROOM: usize = 32 * 1024;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// How often the mark was in it.
    pub(crate) marks: usize,
    /// When the first mark had arrived.
    pub(crate) first: Instant,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, buffer: vec![0; ROOM] })
    }

    /// Sends a request and reads its answer to the end.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not the one expected.
    pub(crate) async fn ask(&mut self, request: &Request, expected: Expected) -> Result<Answer, String> {
        self.send(request).await?;
        let mut reader = Reader::new(expected);
        let mut first = None;
        loop {
            let is_whole = self.read(&mut reader).await?;
            if first.is_none() && (reader.marks() > 0 || is_whole) {
                first = Some(Instant::now());
            }
            if let (true, Some(first)) = (is_whole, first) {
                return Ok(Answer { marks: reader.marks(), first });
            }
        }
    }

    /// Only sends it.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<(), String> {
        self.stream.write_all(&request.bytes).await.map_err(|error| format!("sending broke off: {error}"))
    }

    /// Reads once; tells whether the answer is whole.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not the one expected.
    pub(crate) async fn read(&mut self, reader: &mut Reader) -> Result<bool, String> {
        match self.stream.read(&mut self.buffer).await {
            Ok(0) => Err("the connection was closed".to_owned()),
            Ok(read) => reader.feed(&self.buffer[..read]).map_err(|wrong| {
                let arrived = String::from_utf8_lossy(&self.buffer[..read.min(600)]);
                format!("{wrong}; arrived last: {arrived}")
            }),
            Err(error) => Err(format!("reading broke off: {error}")),
        }
    }
}

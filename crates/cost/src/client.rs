//! A client that sends bytes made before, and reads only as far as the answer goes.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{LAST_CHUNK, head};
use crate::upstream::Seen;

/// A connection to the router.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) bytes: &'a [u8],
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 2 << 20] })
    }

    /// Sends `request` and reads the answer to its end, telling `seen` how many events have come.
    pub(crate) async fn ask(&mut self, request: &[u8], seen: &Seen) -> io::Result<Answer<'_>> {
        seen.send_replace(0);
        self.stream.write_all(request).await?;
        let (mut filled, mut known) = (0, None);
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let new = &self.buffer[filled.saturating_sub(1)..filled + read];
            let events = new.windows(2).filter(|window| window == b"\n\n").count();
            seen.send_modify(|seen| *seen += events);
            filled += read;
            known = known.or_else(|| head(&self.buffer[..filled]));
            let Some(head) = known else { continue };
            let is_whole = match head.body {
                Some(body) => filled >= head.length + body,
                None => self.buffer[head.length..filled].ends_with(LAST_CHUNK),
            };
            if is_whole {
                return Ok(Answer { status: head.status.unwrap_or_default(), bytes: &self.buffer[..filled] });
            }
        }
    }
}
